import {
  CreateDBSnapshotCommand,
  DBSnapshotAlreadyExistsFault,
  SnapshotQuotaExceededFault,
  waitUntilDBSnapshotAvailable,
} from '@aws-sdk/client-rds';
import { slotToKey, type Slot } from '../../core/archive/slot';
import type { DatabaseName } from '../../core/contract';
import { messageOf, OperationError } from '../../core/runtime/errors';
import { type MigrationSnapshot, migrationSnapshotPrefix } from './contract';
import { rdsFailed, type RdsInstance } from './rds-instance';

/** Seconds between two looks at a snapshot: quick at first for a small database, then sparing RDS's request quota. */
const POLL_SECONDS = { minDelay: 1, maxDelay: 15 };

/**
 * Starts a snapshot of the instance, from which it can be brought back as it was before a migration. The same slot asks
 * for the same snapshot, so a retry makes no second one.
 *
 * @returns its identifier
 * @throws OperationError `snapshot_quota`, `rds_unavailable` (retryable)
 */
export async function startMigrationSnapshot(
  { rds, identifier: instance }: RdsInstance,
  database: DatabaseName,
  slot: Slot,
): Promise<string> {
  const identifier = `${migrationSnapshotPrefix(database)}${slotToKey(slot).toLowerCase()}`;
  try {
    await rds.send(
      new CreateDBSnapshotCommand({
        DBInstanceIdentifier: instance,
        DBSnapshotIdentifier: identifier,
        Tags: [
          { Key: 'billing-operations:database', Value: database },
          { Key: 'billing-operations:reason', Value: 'pre-migration' },
          { Key: 'billing-operations:slot', Value: slot },
        ],
      }),
    );
  } catch (cause) {
    if (cause instanceof SnapshotQuotaExceededFault) {
      throw new OperationError(
        'snapshot_quota',
        `RDS takes no further manual snapshot in this account: delete ${migrationSnapshotPrefix(database)}… snapshots of migrations that have proven themselves, or raise the quota`,
        { cause },
      );
    }
    if (!(cause instanceof DBSnapshotAlreadyExistsFault)) throw rdsFailed(`take a snapshot of ${instance}`, cause);
  }
  return identifier;
}

/**
 * Waits until a snapshot is complete, as long as there is time.
 *
 * @param seconds to wait at most
 * @throws OperationError `snapshot_failed` when RDS gave it up, `rds_unavailable` (retryable)
 */
export async function awaitMigrationSnapshot(
  { rds }: RdsInstance,
  identifier: string,
  seconds: number,
): Promise<MigrationSnapshot> {
  if (seconds <= POLL_SECONDS.minDelay) return { identifier, state: 'creating' };
  try {
    await waitUntilDBSnapshotAvailable(
      { client: rds, maxWaitTime: seconds, ...POLL_SECONDS },
      { DBSnapshotIdentifier: identifier },
    );
    return { identifier, state: 'available' };
  } catch (cause) {
    if (cause instanceof Error && cause.name === 'TimeoutError') return { identifier, state: 'creating' };
    if (cause instanceof Error && messageOf(cause).includes('FAILURE')) {
      throw new OperationError(
        'snapshot_failed',
        `RDS gave up snapshot ${identifier}: take another, migrate nothing yet`,
        {
          cause,
        },
      );
    }
    throw rdsFailed(`tell the state of snapshot ${identifier}`, cause);
  }
}
