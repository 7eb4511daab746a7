import { PutObjectCommand } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Client } from 'pg';
import { applyCopySettings } from '../../core/archive/copy-session';
import { type Measurement, Meter } from '../../core/archive/meter';
import { type ArchiveStore, jsonDocument, jsonText, unavailable } from '../../core/archive/store';
import { withConnection } from '../../core/database/connector';
import { assertIdentity } from '../../core/database/identity';
import type { Erasures } from '../../core/erasure/ledger';
import { OperationError } from '../../core/runtime/errors';
import { clearCopies, copyRows, createCopies, differences, MAX_ROW_BYTES } from './compare';
import { assertConditions, whereOf } from './conditions';
import { leaveOutErased, leftOutErasures } from './leave-out-erased';
import { readContinued } from './continued';
import type { RowCondition, RowDifference, RowRecoveryReport, RowRecoveryReportRequest } from './contract';
import { findFormerRows, type FormerRows, type FormerRowsDependencies, type FormerSchema } from './former-rows';
import { rowsOf } from './read-report';
import {
  type ComparisonPlace,
  type ReportedRow,
  type ReportSummary,
  reportIdOf,
  rowsKey,
  summaryKey,
} from './report-format';
import { assertSameColumns, describeTables, type LiveTable, nameOf, readTables, relatedTables } from './tables';

/** Ids in the answer: enough to recognise the rows, few enough for any caller. */
const FIRST_IDS = 20;

export interface ReportDependencies extends FormerRowsDependencies {
  /** Bytes that a row may have as text. @default 16 MiB, see {@link MAX_ROW_BYTES} */
  readonly maxRowBytes?: number;
  /** Aborted when no further part of an instance, or of an archive's large table, is to be begun. @default never */
  readonly pause?: AbortSignal;
}

/**
 * Finds the rows that were deleted from the live tables, or changed in them, since an archive, or since the moment that an
 * instance was restored to, and stores them as a report for review. The live tables are only read. An archive is loaded into
 * a scratch database that is dropped afterwards; an instance is read where it is.
 *
 * Of large tables, only as many parts are compared as the time is enough for: another call continues the report, by one
 * that has the rows of both. Each compares with the live rows of its own moment.
 *
 * @throws InvalidRequestError naming the malformed table, column or value
 * @throws OperationError `wrong_database`, `no_primary_key`, `schema_differs`, `row_too_large`, `comparison_too_long`,
 * `schema_newer_than_code`, `archive_not_found`, `archive_damaged` and others of a restore; and, retryable,
 * `erased_meanwhile`, `store_unavailable`, `database_unavailable`
 */
export async function reportRows(
  dependencies: ReportDependencies,
  request: Omit<RowRecoveryReportRequest, 'action' | 'database'>,
): Promise<RowRecoveryReport> {
  const { connector, clock } = dependencies;
  const { where = [] } = request;
  return withConnection(connector, async (live) => {
    await applyCopySettings(live);
    await assertIdentity(live, connector.target.name);
    const tables = await describeTables(live, request.tables);
    await assertConditions(live, tables, where);
    const ledger = await dependencies.erasures.ledger.read();
    const former = await findFormerRows(dependencies, live, request, tables.map(nameOf));
    return former.open(async (source, schema) => {
      await assertTables(source, tables, schema ?? former);
      const createdAt = clock();
      const erased = ledger.entries.length;
      const about = { database: connector.target.name, former, tables, where, erased };
      const continued =
        request.continues === undefined ? undefined : await readContinued(dependencies.store, request.continues, about);
      return storeReport({ ...dependencies, ...about, schema, ledger, source, live, continued }, createdAt);
    });
  });
}

interface Comparison extends Pick<
  ReportDependencies,
  'connector' | 'store' | 'erasures' | 'maxRowBytes' | 'pause' | 'stop'
> {
  readonly ledger: Erasures;
  readonly former: FormerRows;
  /** Of the former rows, where it is one of before a migration. */
  readonly schema: FormerSchema | undefined;
  readonly source: Client;
  readonly live: Client;
  readonly tables: readonly LiveTable[];
  readonly where: readonly RowCondition[];
  /** The report that this one continues. */
  readonly continued: ReportSummary | undefined;
}

async function storeReport(comparison: Comparison, createdAt: Date): Promise<RowRecoveryReport> {
  const { connector, store, source, live, tables, where, former, continued, ledger } = comparison;
  const database = connector.target.name;
  const reportId = reportIdOf(createdAt, randomBytes(4).toString('hex'));
  const tally = new Tally(tables, continued);
  // One snapshot for all tables: a child is never compared later than its parent. Of the live tables nothing is written.
  if (!former.isLoadedInParts) await source.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  await live.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
  const erasures = await leftOutErasures(live, database, ledger);
  const stored = await storeRows(store, rowsKey(database, reportId), differingRows(comparison, tally));
  const related = await relatedTables(live, tables);
  const counted = tables.map((table) => ({
    schema: table.schema,
    name: table.name,
    columns: table.columns.map((column) => column.name),
    ...tally.of(table),
  }));
  const summary: ReportSummary = {
    format: 'billing-operations-row-report',
    version: 1,
    reportId,
    database,
    slot: former.slot,
    instance: former.instance,
    createdAt: createdAt.toISOString(),
    erasures,
    where: where.map((condition) => ({ ...condition })),
    tables: counted,
    deleted: counted.reduce((sum, table) => sum + table.deleted, 0),
    changed: counted.reduce((sum, table) => sum + table.changed, 0),
    related,
    next: tally.next,
    // The rows of a report before may be of an older schema than those of this call.
    migrationFailed: comparison.schema?.reason ?? continued?.migrationFailed ?? null,
    rowsSha256: stored.sha256,
    rowsBytes: stored.bytes,
  };
  await storeSummary(store, summary);
  // After the report: an erasure of billing that began since waits for this transaction, and then deletes what was stored.
  await live.query('COMMIT');
  return answerOf(summary, tally);
}

/** The report in short, for the caller. */
function answerOf(summary: ReportSummary, { firstIds }: Tally): RowRecoveryReport {
  const { reportId, database, slot, instance, createdAt, deleted, changed, related, next, migrationFailed } = summary;
  const tables = summary.tables.map((table) => ({
    table: nameOf(table),
    compared: table.compared,
    deleted: table.deleted,
    changed: table.changed,
  }));
  return {
    reportId,
    database,
    slot,
    instance,
    createdAt,
    tables,
    deleted,
    changed,
    related,
    rowsKey: rowsKey(database, reportId),
    complete: next === null,
    firstIds: [...firstIds],
    ...(migrationFailed === null ? {} : { migrationFailed }),
  };
}

/** @throws OperationError `schema_differs` naming a table */
async function assertTables(
  source: Client,
  tables: readonly LiveTable[],
  { origin, remedy }: Pick<FormerRows, 'origin' | 'remedy'>,
): Promise<void> {
  const former = await readTables(source, tables.map(nameOf));
  for (const table of tables) {
    const columns = former.find((candidate) => nameOf(candidate) === nameOf(table))?.columns ?? [];
    assertSameColumns(table, columns, origin, remedy);
  }
}

/** All differing rows, table by table, counted while they are read, as far as the time goes; first those of the report before. */
async function* differingRows(comparison: Comparison, tally: Tally): AsyncGenerator<ReportedRow> {
  yield* carriedOver(comparison, tally);
  yield* comparedRows(comparison, tally);
  // Before the stream ends, so that its object is never completed.
  const { entries } = await comparison.erasures.ledger.read();
  if (entries.length !== comparison.ledger.entries.length) {
    const message = 'A person was erased while the rows were compared, so nothing was stored: make the report again';
    throw new OperationError('erased_meanwhile', message);
  }
}

/** The rows of the report that is continued. */
async function* carriedOver({ store, continued, stop }: Comparison, tally: Tally): AsyncGenerator<ReportedRow> {
  if (!continued) return;
  for await (const { row } of rowsOf(store, continued)) {
    if (stop?.aborted) {
      throw new OperationError(
        'comparison_too_long',
        `Report ${continued.reportId} has too many rows to be continued: merge what it has, then make a report of fewer rows by a condition`,
      );
    }
    tally.recall(row);
    yield row;
  }
}

async function* comparedRows(comparison: Comparison, tally: Tally): AsyncGenerator<ReportedRow> {
  const { source, live, tables, where, former, continued, pause, stop } = comparison;
  const from = continued?.next;
  const first = tables.findIndex((table) => nameOf(table) === from?.table);
  for (const [index, table] of tables.entries()) {
    if (index < first) continue;
    await createCopies(live, table, index);
    const begin = index === first && from ? from : undefined;
    for await (const part of former.parts(source, live, table, whereOf(table, where), begin)) {
      if (stop?.aborted) throw tooLong(table, tally.of(table).compared);
      const { condition, rows, differs, next } = part;
      tally.compared(table, differs ? await copyRows(source, live, table, index, condition) : (rows ?? 0));
      if (differs) yield* differingRowsOf(comparison, tally, table, index);
      if (next === undefined || !pause?.aborted) continue;
      const following = next === null ? tables[index + 1] : table;
      if (following === undefined) continue;
      tally.next = { table: nameOf(following), ...next };
      return;
    }
  }
}

async function* differingRowsOf(
  { live, ledger, erasures, maxRowBytes = MAX_ROW_BYTES }: Comparison,
  tally: Tally,
  table: LiveTable,
  index: number,
): AsyncGenerator<ReportedRow> {
  await leaveOutErased(live, table, index, ledger, erasures.hooks);
  for await (const row of differences(live, table, index, maxRowBytes)) {
    tally.add(table, row);
    yield row;
  }
  await clearCopies(live, index);
}

function tooLong(table: LiveTable, compared: number): OperationError {
  return new OperationError(
    'comparison_too_long',
    `The time ended at ${nameOf(table)}, of which ${compared} rows were compared: make a report of fewer tables, or of fewer rows by a condition that an index serves, such as where its key or its date begins`,
  );
}

/** Counts the rows of a report while they are written. */
class Tally {
  readonly firstIds: string[] = [];
  /** Where another call continues. */
  next: ComparisonPlace | null = null;
  private readonly counts: ReadonlyMap<LiveTable, Record<RowDifference | 'compared', number>>;

  /** @param continued report of the same tables, whose rows are part of this one */
  constructor(tables: readonly LiveTable[], continued?: ReportSummary) {
    this.counts = new Map(
      tables.map((table, index) => {
        const { compared = 0, deleted = 0, changed = 0 } = continued?.tables[index] ?? {};
        return [table, { compared, deleted, changed }];
      }),
    );
  }

  of(table: LiveTable): Record<RowDifference | 'compared', number> {
    return this.counts.get(table) ?? { compared: 0, deleted: 0, changed: 0 };
  }

  compared(table: LiveTable, rows: number): void {
    this.of(table).compared += rows;
  }

  add(table: LiveTable, row: ReportedRow): void {
    this.of(table)[row.kind] += 1;
    this.recall(row);
  }

  /** A row that is counted already. */
  recall({ id }: ReportedRow): void {
    if (this.firstIds.length < FIRST_IDS) this.firstIds.push(id);
  }
}

/** Streams rows into one object, one JSON object per line, with a few chunks in memory however many there are. */
async function storeRows(
  { s3, bucket }: ArchiveStore,
  key: string,
  rows: AsyncIterable<ReportedRow>,
): Promise<Measurement> {
  const meter = new Meter();
  const upload = new Upload({
    client: s3,
    params: { Bucket: bucket, Key: key, Body: meter, ContentType: 'application/x-ndjson', ChecksumAlgorithm: 'SHA256' },
  });
  const lines = Readable.from(asLines(rows), { objectMode: false });
  const [uploading, streaming] = await Promise.allSettled([upload.done(), pipeline(lines, meter)]);
  // The error of the stream is the cause of that of the upload.
  if (streaming.status === 'rejected') throw streaming.reason;
  if (uploading.status === 'rejected') throw unavailable(`write ${key}`, uploading.reason);
  return meter.measurement;
}

async function* asLines(rows: AsyncIterable<ReportedRow>): AsyncGenerator<Buffer> {
  for await (const row of rows) yield Buffer.from(`${JSON.stringify(row)}\n`);
}

async function storeSummary(store: ArchiveStore, summary: ReportSummary): Promise<void> {
  const key = summaryKey(summary.database, summary.reportId);
  await store.s3.send(new PutObjectCommand(jsonDocument(store, key, jsonText(summary)))).catch((cause: unknown) => {
    throw unavailable(`write ${key}`, cause);
  });
}
