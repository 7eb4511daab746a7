import { PutObjectCommand } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Client } from 'pg';
import type { RestoreDependencies } from '../../core/restore/restore-archive';
import { applyCopySettings } from '../../core/archive/copy-session';
import { type Measurement, Meter } from '../../core/archive/meter';
import { type ArchiveStore, jsonDocument, unavailable } from '../../core/archive/store';
import { withConnection } from '../../core/database/connector';
import { assertIdentity } from '../../core/database/identity';
import { copyArchived, differences, MAX_ROW_BYTES } from './compare';
import { assertConditions, whereOf } from './conditions';
import type { RowCondition, RowDifference, RowRecoveryReport, RowRecoveryReportRequest } from './contract';
import { findTables, withArchivedTables } from './archived-tables';
import { type ReportedRow, type ReportSummary, reportIdOf, rowsKey, summaryKey } from './report-format';
import { assertSameColumns, describeTables, type LiveTable, nameOf, readTables, relatedTables } from './tables';

/** Ids in the answer: enough to recognise the rows, few enough for any caller. */
const FIRST_IDS = 20;

export interface ReportDependencies extends RestoreDependencies {
  /** Bytes that a row may have as text. @default 16 MiB, see {@link MAX_ROW_BYTES} */
  readonly maxRowBytes?: number;
}

/**
 * Finds the rows that were deleted from the live tables, or changed in them, since an archive, and stores them as a report
 * for review. The live tables are only read; the archive is loaded into a scratch database that is dropped afterwards.
 *
 * @throws InvalidRequestError naming the malformed table, column or value
 * @throws OperationError `wrong_database`, `no_primary_key`, `schema_differs`, `row_too_large`, `schema_newer_than_code`,
 * `archive_not_found`, `archive_damaged` and others of a restore; and, retryable, `store_unavailable`,
 * `database_unavailable`
 */
export async function reportRows(
  dependencies: ReportDependencies,
  request: Omit<RowRecoveryReportRequest, 'action' | 'database'>,
): Promise<RowRecoveryReport> {
  const { connector, store, clock, maxRowBytes = MAX_ROW_BYTES } = dependencies;
  const { where = [] } = request;
  const database = connector.target.name;
  return withConnection(connector, async (live) => {
    await applyCopySettings(live);
    await assertIdentity(live, database);
    const tables = await describeTables(live, request.tables);
    await assertConditions(live, tables, where);
    const archive = await findTables(dependencies, request, tables.map(nameOf));
    const compared = await withArchivedTables(dependencies, archive, (scratch) =>
      copyTables(scratch, live, tables, where),
    );
    const createdAt = clock();
    const reportId = reportIdOf(createdAt, randomBytes(4).toString('hex'));
    const tally = new Tally(tables);
    // One snapshot for all tables: a child is never compared later than its parent.
    await live.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const stored = await storeRows(store, rowsKey(database, reportId), tally.count(live, maxRowBytes));
    const related = await relatedTables(live, tables);
    await live.query('COMMIT');
    const counted = tables.map((table, index) => ({
      schema: table.schema,
      name: table.name,
      columns: table.columns.map((column) => column.name),
      compared: compared[index] ?? 0,
      ...tally.of(table),
    }));
    const summary: ReportSummary = {
      format: 'billing-operations-row-report',
      version: 1,
      reportId,
      database,
      slot: archive.manifest.slot,
      createdAt: createdAt.toISOString(),
      where: where.map((condition) => ({ ...condition })),
      tables: counted,
      deleted: counted.reduce((sum, table) => sum + table.deleted, 0),
      changed: counted.reduce((sum, table) => sum + table.changed, 0),
      related,
      rowsSha256: stored.sha256,
      rowsBytes: stored.bytes,
    };
    await storeSummary(store, summary);
    return answerOf(summary, tally.firstIds);
  });
}

/** The report in short, for the caller. */
function answerOf(summary: ReportSummary, firstIds: readonly string[]): RowRecoveryReport {
  const { reportId, database, slot, createdAt, deleted, changed, related } = summary;
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
    createdAt,
    tables,
    deleted,
    changed,
    related,
    rowsKey: rowsKey(database, reportId),
    firstIds: [...firstIds],
  };
}

/** Copies the archived rows into the live session; returns how many there are of each table. */
async function copyTables(
  scratch: Client,
  live: Client,
  tables: readonly LiveTable[],
  where: readonly RowCondition[],
): Promise<number[]> {
  await applyCopySettings(scratch);
  const archived = await readTables(scratch, tables.map(nameOf));
  const copied: number[] = [];
  for (const [index, table] of tables.entries()) {
    const columns = archived.find((candidate) => nameOf(candidate) === nameOf(table))?.columns ?? [];
    assertSameColumns(table, columns, 'the archive, migrated to the present schema');
    copied.push(await copyArchived(scratch, live, table, index, whereOf(table, where)));
  }
  return copied;
}

/** Counts the rows of a report while they are written. */
class Tally {
  readonly firstIds: string[] = [];
  private readonly counts: ReadonlyMap<LiveTable, Record<RowDifference, number>>;

  constructor(private readonly tables: readonly LiveTable[]) {
    this.counts = new Map(tables.map((table) => [table, { deleted: 0, changed: 0 }]));
  }

  of(table: LiveTable): Record<RowDifference, number> {
    return this.counts.get(table) ?? { deleted: 0, changed: 0 };
  }

  /** All differing rows, table by table. */
  async *count(live: Client, maxRowBytes: number): AsyncGenerator<ReportedRow> {
    for (const [index, table] of this.tables.entries()) {
      for await (const row of differences(live, table, index, maxRowBytes)) {
        this.of(table)[row.kind] += 1;
        if (this.firstIds.length < FIRST_IDS) this.firstIds.push(row.id);
        yield row;
      }
    }
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
  await store.s3.send(new PutObjectCommand(jsonDocument(store, key, summary))).catch((cause: unknown) => {
    throw unavailable(`write ${key}`, cause);
  });
}
