import { PutObjectCommand, S3ServiceException } from '@aws-sdk/client-s3';
import type { ClientBase } from 'pg';
import { normaliseSlot, slotToKey } from '../../core/archive/slot';
import { type ArchiveStore, jsonDocument, jsonText, unavailable } from '../../core/archive/store';
import type { DatabaseName } from '../../core/contract';
import { DRILL_PREFIX, type DrillRecord } from './contract';

const PRECONDITION_FAILED = 412;

/** Key of a drill's record, which auditors find there even after the database was lost. */
export function drillKey(database: DatabaseName, startedAt: string): string {
  return `${DRILL_PREFIX}${database}/${slotToKey(normaliseSlot(startedAt))}.json`;
}

/**
 * Records a drill, first in the bucket, then in the database. An existing record is never replaced.
 *
 * @param live a connection to the live database
 * @throws OperationError `store_unavailable` (retryable), or what PostgreSQL threw
 */
export async function saveRecord(store: ArchiveStore, live: ClientBase, record: DrillRecord): Promise<void> {
  const key = drillKey(record.database, record.startedAt);
  try {
    await store.s3.send(new PutObjectCommand({ ...jsonDocument(store, key, jsonText(record)), IfNoneMatch: '*' }));
  } catch (cause) {
    const exists = cause instanceof S3ServiceException && cause.$metadata.httpStatusCode === PRECONDITION_FAILED;
    if (!exists) throw unavailable(`write ${key}`, cause);
  }
  await live.query(
    `INSERT INTO operations.drills (started_at, outcome, archive_slot, row_count, duration_ms, restored_bytes,
       live_bytes, projected_ms, target_ms, error)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
     ON CONFLICT (started_at) DO NOTHING`,
    [
      record.startedAt,
      record.outcome,
      record.slot,
      record.rows,
      record.durationMs,
      record.restoredBytes,
      record.liveBytes,
      record.projectedMs,
      record.targetMs,
      record.error,
    ],
  );
}
