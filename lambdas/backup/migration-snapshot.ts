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

/** Seconds between two queries of a snapshot: few at first for a small database, then more, for RDS's request quota. */
const POLL_SECONDS = { minDelay: 1, maxDelay: 15 };

/**
 * Starts a snapshot of the instance, from which it can be restored as it was before a migration. A slot has one snapshot,
 * so that a retry creates no second one.
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
        `RDS refuses another manual snapshot in this account: delete ${migrationSnapshotPrefix(database)}… snapshots of migrations that are no longer to be undone, or raise the quota`,
        { cause },
      );
    }
    if (!(cause instanceof DBSnapshotAlreadyExistsFault)) throw rdsFailed(`take a snapshot of ${instance}`, cause);
  }
  return identifier;
}

/**
 * Waits until a snapshot is complete, or the time is up.
 *
 * @param seconds to wait at most
 * @throws OperationError `snapshot_failed` when RDS failed to create it, `rds_unavailable` (retryable)
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
        `RDS failed to create snapshot ${identifier}: take another one before you migrate`,
        {
          cause,
        },
      );
    }
    throw rdsFailed(`report the state of snapshot ${identifier}`, cause);
  }
}
