import { PutObjectCommand, S3ServiceException } from '@aws-sdk/client-s3';
import type { ClientBase } from 'pg';
import { normaliseSlot, slotToKey } from '../../core/archive/slot';
import { type ArchiveStore, jsonDocument, jsonText, readText, unavailable } from '../../core/archive/store';
import type { DatabaseName } from '../../core/contract';
import { DRILL_PREFIX, type DrillRecord, drillRecord, findingsOf } from './contract';

const PRECONDITION_FAILED = 412;

/** Key of a drill's record, which auditors find there even after the database was lost. */
export function drillKey(database: DatabaseName, startedAt: string): string {
  return `${DRILL_PREFIX}${database}/${slotToKey(normaliseSlot(startedAt))}.json`;
}

/**
 * The record of the drill of a database that began at a moment; `undefined` when there is none.
 *
 * @throws OperationError `store_unavailable` (retryable)
 */
export async function readRecord(
  store: ArchiveStore,
  database: DatabaseName,
  startedAt: string,
): Promise<DrillRecord | undefined> {
  const text = await readText(store, drillKey(database, startedAt));
  return text === undefined ? undefined : drillRecord.parse(JSON.parse(text));
}

/**
 * Records a drill, first in the bucket, then in the database. An existing record is never replaced: the database gets it as
 * well, where a call before this one was killed in between.
 *
 * @param live a connection to the live database
 * @returns what is on record
 * @throws OperationError `store_unavailable` (retryable), or what PostgreSQL threw
 */
export async function saveRecord(store: ArchiveStore, live: ClientBase, given: DrillRecord): Promise<DrillRecord> {
  const key = drillKey(given.database, given.startedAt);
  let record = given;
  try {
    await store.s3.send(new PutObjectCommand({ ...jsonDocument(store, key, jsonText(given)), IfNoneMatch: '*' }));
  } catch (cause) {
    const exists = cause instanceof S3ServiceException && cause.$metadata.httpStatusCode === PRECONDITION_FAILED;
    if (!exists) throw unavailable(`write ${key}`, cause);
    record = (await readRecord(store, given.database, given.startedAt)) ?? given;
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
      // The table has no column for findings, and a drill that has them has no error.
      record.error ?? findingsOf(record),
    ],
  );
  return record;
}
