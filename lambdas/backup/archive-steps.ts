import type { Client, ClientBase } from 'pg';
import * as z from 'zod';
import { applyCopySettings } from '../../core/archive/copy-session';
import { partListKey, partRecordKey } from '../../core/archive/keys';
import type { ArchivedPart } from '../../core/archive/manifest';
import { readSignedDocument, writeSignedDocument } from '../../core/archive/signed-document';
import type { SignedStore } from '../../core/archive/signed-manifest';
import { lookUpObject } from '../../core/archive/store';
import { withConnection } from '../../core/database/connector';
import { assertIdentity } from '../../core/database/identity';
import { InvalidRequestError } from '../../core/runtime/errors';
import { type BeginDependencies, beginArchive, newAttempt } from './archive-content';
import { readPlan, writePlan } from './archive-plan';
import type { PartReport, PartRequest, PlanReport, PlanRequest } from './contract';
import { endSnapshot, explainReadFailure, lockForReading, prepareLocks, openSnapshot } from './snapshot';
import { observeStillness } from './stillness';
import { uploadPart } from './upload-part';

/**
 * Bytes of table of one part. At 125 MB/s, which one connection copies of a warm disk, it takes 9 s; it fits into one call
 * down to 1.2 MB/s, so that neither a disk that still loads from S3 nor rows of uneven size make it too long. Less makes more
 * objects and calls; more repeats more after a failure.
 */
const PART_BYTES = 1024 ** 3;
/** Plain SHA-256 of equal rows is equal only in equal order: a scan must not begin where another one happens to be. */
const READING_ALIKE = `SET synchronize_seqscans = off; SET default_transaction_read_only = on`;
const LOCK_TIMEOUT_MS = 3_000;

export interface StepDependencies extends BeginDependencies {
  /** Days for which the archive is locked against deletion. */
  readonly retentionDays: number;
  readonly clock: () => Date;
  /** Aborted when the call runs out of time. */
  readonly stop: AbortSignal;
  /** Bytes of table of one part. @default 1 GiB */
  readonly partBytes?: number;
}

/**
 * Begins the archive of a database that stands still, such as one restored from a recovery point: captures its schema, lists
 * the parts to copy, and notes what shows later whether anything was written.
 *
 * @throws OperationError `database_in_use`, `wrong_database`, `unmigrated_database`, `unsupported_content`,
 * `privilege_missing`, `server_unsupported`, `schema_dump_failed`; and, retryable, `database_unavailable`,
 * `store_unavailable`, `signing_key_unavailable`, `schema_changing`
 */
export async function planArchive(dependencies: StepDependencies, request: PlanRequest): Promise<PlanReport> {
  const { connector, store, retentionDays, log, clock, stop: signal, partBytes = PART_BYTES } = dependencies;
  const { database, slot, recoveryPoint } = request;
  const startedAt = clock();
  const attempt = newAttempt(database, slot, startedAt, retentionDays);
  return withReadFailures(
    withConnection(connector, async (leader) => {
      await assertIdentity(leader, database);
      const fingerprint = await observeStillness(leader);
      const snapshot = await openSnapshot(leader);
      const begun = await beginArchive(dependencies, leader, snapshot, attempt, { partBytes, signal });
      const { description, tables, largeObjects, planned } = begun;
      const { facts } = description.schema;
      const omissions = [...facts.omissions, ...(await unloggedTables(leader))];
      await endSnapshot(leader);
      await writePlan(store, attempt, {
        startedAt: startedAt.toISOString(),
        retainUntil: attempt.retainUntil.toISOString(),
        fingerprint,
        partBytes,
        tables,
        largeObjects,
        description: {
          ...description,
          schema: { ...description.schema, facts: { ...facts, omissions } },
          recoveryPoint,
        },
      });
      const bytes = tables.reduce((sum, table) => sum + table.bytes, 0);
      log.info('Archive planned', { ...request, attempt: attempt.attempt, parts: planned.length, bytes });
      return {
        step: 'plan',
        attempt: attempt.attempt,
        parts: planned.length,
        bytes,
        bucket: store.bucket,
        partsKey: partListKey(database, slot, attempt.attempt),
      };
    }),
  );
}

/** A restored instance is one after a crash: PostgreSQL has emptied the tables that it keeps no log of. */
async function unloggedTables(client: ClientBase) {
  const { rows } = await client.query<{ object: string }>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS object FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND c.relpersistence = 'u' ORDER BY 1`,
  );
  const reason = 'the table is unlogged, and a restored instance has none of its rows';
  return rows.map(({ object }) => ({ kind: 'unlogged-rows', object, reason }) as const);
}

const partRecordSchema = z.strictObject({
  key: z.string(),
  rows: z.int(),
  bytes: z.int(),
  compressedBytes: z.int(),
  sha256: z.string(),
  /** In records of before December 2026. @default none */
  plainSha256: z.string().optional(),
  /** Which of all objects that were ever under the key it is. */
  etag: z.string(),
  copiedAt: z.iso.datetime(),
});
/** What was copied, as the call that copied it measured it. */
export type PartRecord = ArchivedPart & z.infer<typeof partRecordSchema>;

/**
 * The record of a part; `undefined` when it was not copied to its end.
 *
 * @throws OperationError as {@link readSignedDocument} does
 */
export function readPartRecord(store: SignedStore, key: string): Promise<PartRecord | undefined> {
  return readSignedDocument(store, partRecordKey(key), partRecordSchema);
}

/**
 * Copies one part of a planned archive. A part that is there already is kept, so that a call may be repeated at any time.
 *
 * @throws OperationError `wrong_database`, `archive_not_found`, `archive_unauthenticated`; and, retryable, `copy_failed`,
 * `database_unavailable`, `store_unavailable`, `signing_key_unavailable`
 */
export async function copyPart(dependencies: StepDependencies, request: PartRequest): Promise<PartReport> {
  const { connector, store, clock, stop } = dependencies;
  const plan = await readPlan(store, request);
  const planned = plan.planned.find(({ key }) => key === request.part);
  if (!planned) {
    throw new InvalidRequestError(`part: ${request.part} is none of the ${plan.planned.length} parts of its plan`);
  }
  const { retainUntil } = plan.attempt;
  const known = await readPartRecord(store, planned.key);
  if (known && (await lookUpObject(store, planned.key))?.etag === known.etag) return describePart('kept', known);
  const uploaded = await withReadFailures(
    withConnection(connector, async (reader: Client) => {
      await assertIdentity(reader, request.database);
      await applyCopySettings(reader, LOCK_TIMEOUT_MS);
      await reader.query(READING_ALIKE);
      await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
      await prepareLocks(reader);
      await lockForReading(reader, planned.table);
      return uploadPart(store, reader, planned, retainUntil, stop);
    }),
  );
  const etag = uploaded.etag ?? (await lookUpObject(store, planned.key))?.etag ?? '';
  const record: PartRecord = { ...uploaded.part, etag, copiedAt: clock().toISOString() };
  await writeSignedDocument(store, partRecordKey(planned.key), record, retainUntil);
  return describePart('copied', record);
}

function describePart(outcome: PartReport['outcome'], { key, rows, bytes, compressedBytes }: PartRecord): PartReport {
  return { step: 'part', part: key, outcome, rows, bytes, compressedBytes };
}

/** Work whose errors of reading the database say what they mean. */
export function withReadFailures<T>(work: Promise<T>): Promise<T> {
  return work.catch((cause: unknown) => {
    throw explainReadFailure(cause);
  });
}
