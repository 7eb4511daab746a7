import {
  ExecutionAlreadyExists,
  ListExecutionsCommand,
  type SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import { keyToSlot, type Slot, slotToKey } from '../../core/archive/slot';
import { messageOf, OperationError } from '../../core/runtime/errors';
import { newestSnapshot, recoveryPointLimitSeconds } from './protection';
import { rdsFailed, type RdsInstance } from './rds-instance';

/** The workflow that archives a database which is too large for one call. */
export interface ArchiveWorkflow {
  /** @default - the database is not on RDS: the workflow copies it by itself, as on the local platform */
  readonly instance: RdsInstance | undefined;
  readonly sfn: SFNClient;
  readonly stateMachineArn: string;
  /** Hours between two recovery points. @default none are taken: the daily snapshots of RDS are archived */
  readonly frequencyHours?: number | undefined;
}

export interface StartedArchive {
  /** Slot of the archive that is being made: that of an execution under way, where there is one. */
  readonly slot: Slot;
  readonly executionArn: string;
  /** False when an execution was under way, or has been for this slot: none was started. */
  readonly isNew: boolean;
  /** Moment of the recovery point that is archived. `undefined` unless the execution is new, and the database on RDS. */
  readonly takenAt?: string;
}

/** RDS takes a snapshot by itself once a day. */
const DAILY_HOURS = 24;
const HOUR_MS = 60 * 60 * 1000;

/**
 * Starts the workflow that archives the newest snapshot: a recovery point of AWS Backup, or one that RDS took by itself. One
 * at a time: an archive that takes longer than the interval between two backups is not overtaken.
 *
 * @throws OperationError `no_snapshot`; and, retryable, `snapshot_stale`, `rds_unavailable`, `workflow_unavailable`
 */
export async function startArchive(workflow: ArchiveWorkflow, slot: Slot, now: Date): Promise<StartedArchive> {
  const { sfn, stateMachineArn } = workflow;
  const failed = (cause: unknown): never => {
    throw new OperationError(
      'workflow_unavailable',
      `Step Functions did not start the archive of the database: ${messageOf(cause)}`,
      { cause },
    );
  };
  const running = new ListExecutionsCommand({ stateMachineArn, statusFilter: 'RUNNING', maxResults: 1 });
  const [present] = (await sfn.send(running).catch(failed)).executions ?? [];
  if (present) {
    const { name = '', executionArn = '' } = present;
    return { slot: keyToSlot(name) ?? slot, executionArn, isNew: false };
  }
  const { instance, frequencyHours } = workflow;
  const recoveryPoint = instance && (await newestRecoveryPoint(instance, now, frequencyHours));
  try {
    const name = slotToKey(slot);
    const input = JSON.stringify({ slot, ...recoveryPoint });
    const { executionArn = '' } = await sfn.send(new StartExecutionCommand({ stateMachineArn, name, input }));
    return { slot, executionArn, isNew: true, ...(recoveryPoint && { takenAt: recoveryPoint.takenAt }) };
  } catch (cause) {
    // Of this slot, and ended: a name is that of one execution for 90 days.
    if (!(cause instanceof ExecutionAlreadyExists)) return failed(cause);
    const executionArn = `${stateMachineArn.replace(':stateMachine:', ':execution:')}:${slotToKey(slot)}`;
    return { slot, executionArn, isNew: false };
  }
}

/** An old snapshot would be archived under the name of a new slot, and hide that none is taken any more. */
async function newestRecoveryPoint(
  instance: RdsInstance,
  now: Date,
  frequencyHours = DAILY_HOURS,
): Promise<{ readonly snapshotArn: string; readonly takenAt: string }> {
  const snapshot = await newestSnapshot(instance, ['awsbackup', 'automated']).catch((cause: unknown) => {
    throw rdsFailed(`list the snapshots of ${instance.identifier}`, cause);
  });
  const { DBSnapshotArn: snapshotArn, SnapshotCreateTime: takenAt } = snapshot ?? {};
  if (snapshotArn === undefined || !takenAt) {
    throw new OperationError(
      'no_snapshot',
      `Instance ${instance.identifier} has no complete recovery point or snapshot to archive: check the jobs of AWS Backup, and that its automated backups are on`,
    );
  }
  const ageMs = now.getTime() - takenAt.getTime();
  const limitMs = recoveryPointLimitSeconds(frequencyHours) * 1000;
  if (ageMs <= limitMs) return { snapshotArn, takenAt: takenAt.toISOString() };
  throw new OperationError(
    'snapshot_stale',
    `The newest recovery point or snapshot of instance ${instance.identifier}, ${snapshotArn}, is ${(ageMs / HOUR_MS).toFixed(1)} hours old, and at most ${limitMs / HOUR_MS} are allowed: check the jobs of AWS Backup, and that its automated backups are on, then start the backup again`,
  );
}
