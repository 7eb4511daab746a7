import { type ExecutionListItem, ListExecutionsCommand, type SFNClient } from '@aws-sdk/client-sfn';
import { normaliseSlot, slotToKey } from '../../core/archive/slot';
import { messageOf } from '../../core/runtime/errors';
import type { Log } from '../../core/runtime/telemetry';
import { secondsSince } from './gauge';

/** The workflow that archives a database where it is too large for one call. */
export interface WatchedWorkflow {
  readonly sfn: SFNClient;
  readonly stateMachineArn: string;
}

/** Executions that are looked at: one under way, and the one that made the newest archive. Those in between have failed. */
const NEWEST_EXECUTIONS = 50;

/**
 * For how many seconds a database has had no newer backup, as far as that is a fault: a workflow makes an archive in hours
 * or days, and starts no second one meanwhile. The age of its archive counts from when it was published, and stands still
 * while the next one is under way; the workflow ends one that hangs.
 *
 * When Step Functions does not answer, the age counts from the slot: too high rather than too low.
 *
 * @param newest slot of the newest backup
 */
export async function backupAgeSeconds(
  newest: Date,
  workflow: WatchedWorkflow | undefined,
  { now, log }: { readonly now: Date; readonly log: Log },
): Promise<number> {
  if (!workflow) return secondsSince(newest, now);
  const executions = await listExecutions(workflow).catch((error: unknown) => {
    log.warn('Step Functions did not list the archives under way: the age of the newest one counts from its slot', {
      stateMachineArn: workflow.stateMachineArn,
      error: messageOf(error),
    });
    return [];
  });
  const name = slotToKey(normaliseSlot(newest));
  const made = executions.find((one) => one.status === 'SUCCEEDED' && one.name === name);
  const running = executions.find((one) => one.status === 'RUNNING');
  return Math.max(0, secondsSince(made?.stopDate ?? newest, running?.startDate ?? now));
}

async function listExecutions({ sfn, stateMachineArn }: WatchedWorkflow): Promise<readonly ExecutionListItem[]> {
  const command = new ListExecutionsCommand({ stateMachineArn, maxResults: NEWEST_EXECUTIONS });
  return (await sfn.send(command)).executions ?? [];
}
