import {
  ExecutionAlreadyExists,
  ListExecutionsCommand,
  type SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import { keyToSlot, type Slot, slotToKey } from '../../core/archive/slot';
import { messageOf, OperationError } from '../../core/runtime/errors';
import { newestSnapshot } from './protection';
import { rdsFailed, type RdsInstance } from './rds-instance';

/** The workflow that archives a database which is too large for one call. */
export interface ArchiveWorkflow {
  readonly instance: RdsInstance;
  readonly sfn: SFNClient;
  readonly stateMachineArn: string;
}

export interface StartedArchive {
  /** Slot of the archive that is being made: that of an execution under way, where there is one. */
  readonly slot: Slot;
  readonly executionArn: string;
  /** False when an execution was under way, or has been for this slot: none was started. */
  readonly isNew: boolean;
  /** Moment of the recovery point that is archived. `undefined` unless the execution is new. */
  readonly takenAt?: string;
}

/**
 * Starts the workflow that archives the newest recovery point of AWS Backup; without one, the newest snapshot that RDS took
 * by itself. One at a time: an archive that takes longer than the interval between two backups is not overtaken.
 *
 * @throws OperationError `no_snapshot`; and, retryable, `rds_unavailable`, `workflow_unavailable`
 */
export async function startArchive(workflow: ArchiveWorkflow, slot: Slot): Promise<StartedArchive> {
  const { instance, sfn, stateMachineArn } = workflow;
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
  const recoveryPoint = await newestRecoveryPoint(instance);
  try {
    const name = slotToKey(slot);
    const input = JSON.stringify({ slot, ...recoveryPoint });
    const { executionArn = '' } = await sfn.send(new StartExecutionCommand({ stateMachineArn, name, input }));
    return { slot, executionArn, isNew: true, takenAt: recoveryPoint.takenAt };
  } catch (cause) {
    // Of this slot, and ended: a name is that of one execution for 90 days.
    if (!(cause instanceof ExecutionAlreadyExists)) return failed(cause);
    const executionArn = `${stateMachineArn.replace(':stateMachine:', ':execution:')}:${slotToKey(slot)}`;
    return { slot, executionArn, isNew: false };
  }
}

async function newestRecoveryPoint(
  instance: RdsInstance,
): Promise<{ readonly snapshotArn: string; readonly takenAt: string }> {
  for (const type of ['awsbackup', 'automated'] as const) {
    const snapshot = await newestSnapshot(instance, [type]).catch((cause: unknown) => {
      throw rdsFailed(`list the snapshots of ${instance.identifier}`, cause);
    });
    const { DBSnapshotArn: snapshotArn, SnapshotCreateTime: takenAt } = snapshot ?? {};
    if (snapshotArn !== undefined && takenAt) return { snapshotArn, takenAt: takenAt.toISOString() };
  }
  throw new OperationError(
    'no_snapshot',
    `Instance ${instance.identifier} has no complete recovery point or snapshot to archive: check the jobs of AWS Backup, and that its automated backups are on`,
  );
}
