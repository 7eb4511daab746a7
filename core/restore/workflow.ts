import { ListExecutionsCommand, type SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';
import type { Manifest } from '../archive/manifest';
import { DRILL_EXECUTION } from '../contract';
import type { Erasures } from '../erasure/ledger';
import { normaliseSlot, slotToKey } from '../archive/slot';
import { messageOf, OperationError } from '../runtime/errors';
import type { Log } from '../runtime/telemetry';

/** The workflow that restores an archive which is too large for one call. */
export interface RestoreWorkflow {
  readonly sfn: SFNClient;
  readonly stateMachineArn: string;
  /** Bytes of COPY text above which an archive is too large. */
  readonly limitBytes: number;
}

/** What the workflow is started for. */
export interface WorkflowRequest {
  /** Name of the database to create; of a drill, a name of its own, which the database never gets. */
  readonly targetDatabase: string;
  readonly manifestSha256?: string | undefined;
  readonly afterwards: 'keep' | 'drop';
  /** A drill is recorded, and its database dropped. @default a restore */
  readonly purpose?: 'drill';
}

/** Characters of the name of an execution that the target may have: 80, without the time. */
const NAME_CHARACTERS = 60;

/**
 * Rows of billing that one call surely goes through to erase people again, in four minutes on a slow processor. The archive may
 * lack any erasure of the ledger, also an old one that was never finished.
 */
const ERASED_ROWS = 1_000_000;

/**
 * Whether one call may not be enough: a large archive, one that was itself written by many calls, or one of many rows from
 * which people have to be erased again.
 */
export function isTooLarge(
  manifest: Manifest,
  { limitBytes }: Pick<RestoreWorkflow, 'limitBytes'>,
  { entries }: Pick<Erasures, 'entries'>,
): boolean {
  if (manifest.version === 1) return false;
  return manifest.recoveryPoint !== undefined || exceedsCall(manifest, { limitBytes }, { entries });
}

/** Whether one call may not be enough to read the rows of an archive and to erase people from them again, also of one in parts. */
export function exceedsCall(
  { database, bytes, rows }: Pick<Manifest, 'database' | 'bytes' | 'rows'>,
  { limitBytes }: Pick<RestoreWorkflow, 'limitBytes'>,
  { entries }: Pick<Erasures, 'entries'>,
): boolean {
  const swept = database === 'billing' && entries.length > 0 ? rows : 0;
  return bytes / limitBytes + swept / ERASED_ROWS > 1;
}

/** Whether no execution of the workflow is running, some seconds ago; `false` when Step Functions does not answer. */
export async function isIdle({ sfn, stateMachineArn }: RestoreWorkflow, log: Log): Promise<boolean> {
  const running = new ListExecutionsCommand({ stateMachineArn, statusFilter: 'RUNNING', maxResults: 1 });
  try {
    const { executions } = await sfn.send(running);
    return executions?.length === 0;
  } catch (cause) {
    log.warn('Step Functions did not list executions; what they left is swept after a day', {
      error: messageOf(cause),
    });
    return false;
  }
}

/**
 * Starts the workflow for one archive, by its time: a newer one that is published meanwhile is not restored instead.
 *
 * @returns ARN of the execution
 * @throws OperationError `workflow_unavailable` (retryable)
 */
export async function startRestore(
  { sfn, stateMachineArn }: RestoreWorkflow,
  { manifestSha256, targetDatabase, afterwards, purpose }: WorkflowRequest,
  { slot }: Manifest,
  now: Date,
): Promise<string> {
  const request = {
    archive: slot,
    targetDatabase,
    ...(manifestSha256 === undefined ? {} : { manifestSha256 }),
    ...(purpose === undefined ? {} : { purpose }),
  };
  const subject = purpose === 'drill' ? DRILL_EXECUTION : `${targetDatabase.slice(0, NAME_CHARACTERS)}-`;
  const name = `${subject}${slotToKey(normaliseSlot(now))}`;
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
