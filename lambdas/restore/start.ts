import { type SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';
import type { Manifest } from '../../core/archive/manifest';
import { normaliseSlot, slotToKey } from '../../core/archive/slot';
import { messageOf, OperationError } from '../../core/runtime/errors';
import type { RestoreRequest } from './contract';

/** The workflow that restores an archive which is too large for one call. */
export interface RestoreWorkflow {
  readonly sfn: SFNClient;
  readonly stateMachineArn: string;
  /** Bytes of COPY text above which an archive is too large. */
  readonly limitBytes: number;
}

/** Characters of the name of an execution that the target may have: 80, without the time. */
const NAME_CHARACTERS = 60;

/** Whether one call may not be enough: a large archive, or one that was itself written by many calls. */
export function isTooLarge(manifest: Manifest, { limitBytes }: RestoreWorkflow): boolean {
  return manifest.version !== 1 && (manifest.recoveryPoint !== undefined || manifest.bytes > limitBytes);
}

/**
 * Starts the workflow for one archive, by its time: a newer one that is published meanwhile is not restored instead.
 *
 * @returns ARN of the execution
 * @throws OperationError `workflow_unavailable` (retryable)
 */
export async function startRestore(
  { sfn, stateMachineArn }: RestoreWorkflow,
  { manifestSha256, targetDatabase, afterwards }: Omit<RestoreRequest, 'database'>,
  { slot }: Manifest,
  now: Date,
): Promise<string> {
  const request = { archive: slot, targetDatabase, ...(manifestSha256 === undefined ? {} : { manifestSha256 }) };
  const name = `${targetDatabase.slice(0, NAME_CHARACTERS)}-${slotToKey(normaliseSlot(now))}`;
  const input = JSON.stringify({ request, afterwards });
  try {
    const { executionArn = '' } = await sfn.send(new StartExecutionCommand({ stateMachineArn, name, input }));
    return executionArn;
  } catch (cause) {
    throw new OperationError(
      'workflow_unavailable',
      `Step Functions did not start the restore of the archive: ${messageOf(cause)}`,
      { cause },
    );
  }
}
