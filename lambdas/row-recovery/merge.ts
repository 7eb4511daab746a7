import type { Client } from 'pg';
import { applyCopySettings } from '../../core/archive/copy-session';
import type { ArchiveStore } from '../../core/archive/store';
import { type DatabaseConnector, withConnection } from '../../core/database/connector';
import { assertIdentity } from '../../core/database/identity';
import { everyPath } from '../../core/database/search-path';
import type { ErasureReplay } from '../../core/erasure/replay';
import type { EntitlementCache } from '../../core/entitlements/entitlement-cache';
import type { EntitlementChange } from '../../core/entitlements/recompute';
import { InvalidRequestError, OperationError } from '../../core/runtime/errors';
import type { Log } from '../../core/runtime/telemetry';
import type { RowRecoveryMergeReport, RowRecoveryMergeRequest, TableMerge } from './contract';
import { assertConditions, whereOf } from './conditions';
import { addChosen, countPlan, createChosen, keepMatching, mergeTable, planTable, refused } from './merge-table';
import { recomputeMerged } from './merged-entitlements';
import { readRows, readSummary } from './read-report';
import type { ReportedRow, ReportSummary } from './report-format';
import { assertSameColumns, describeTables, type LiveTable, nameOf, referInCircle } from './tables';

/** Rows sent to the server at once, at most, and their bytes in the report, from which on no further row is added. */
const BATCH = 200;
const BATCH_BYTES = 16 * 1024 * 1024;
/** Rows of a report that one transaction merges, at most, and their bytes. More may not come to an end within a call. */
const TRANSACTION_ROWS = 200_000;
const TRANSACTION_BYTES = 512 * 1024 * 1024;
/** Conflicts in the answer, at most. */
const MAX_CONFLICTS = 20;
/** With more, a merge would queue behind a migration, and every other session behind the merge. */
const LOCK_TIMEOUT = '10s';

export interface MergeDependencies {
  readonly connector: DatabaseConnector;
  readonly store: ArchiveStore;
  readonly log: Log;
  /** Who was erased. */
  readonly erasures: Pick<ErasureReplay, 'ledger'>;
  /** Where entitlements that a merge changed are invalidated, once it is committed. */
  readonly cache: Pick<EntitlementCache, 'invalidate'>;
  /** Bytes of rows that are sent to the server at once, unless a single row has more. @default 16 MiB */
  readonly batchBytes?: number;
  /** Rows that one call merges, where it may leave others to the next. @default 200,000 */
  readonly transactionRows?: number;
}

/**
 * Merges chosen rows of a report back into the live tables: deleted rows are inserted with their former values, changed
 * rows, which must be named, are set back unless their object has a newer state by now. A call is one transaction; parents
 * come before children, and keys, constraints and triggers are respected. Rows that exist again are skipped, so that a second
 * merge changes nothing. Entitlements follow from the rows, so they are computed again in the same transaction.
 *
 * Of a report with more deleted rows than a transaction takes, another call merges those after {@link TRANSACTION_ROWS}, where the
 * request has an offset, and unless rows may refer to later ones of their own table, or in a circle. Rows that are named are never divided: a single conflict refuses
 * them all.
 *
 * Without `confirm` the answer is the plan. It is carried out and rolled back, so that what refuses the rows refuses the plan.
 * Only rows that another call continues with are just planned, because their parents may be among those before.
 *
 * @throws InvalidRequestError for a wrong confirmation, or ids that the report does not have
 * @throws OperationError `report_not_found`, `report_damaged`, `schema_differs`, `changed_since_report` naming the rows,
 * `merge_refused` naming the rule, `wrong_database`; and, retryable, `erased_meanwhile`, `store_unavailable`,
 * `database_unavailable`
 */
export async function mergeRows(
  dependencies: MergeDependencies,
  request: Omit<RowRecoveryMergeRequest, 'action' | 'database'>,
): Promise<RowRecoveryMergeReport> {
  const { connector, store, log, cache, batchBytes = BATCH_BYTES, transactionRows = TRANSACTION_ROWS } = dependencies;
  const database = connector.target.name;
  const { reportId, confirm, offset = 0 } = request;
  if (confirm !== undefined && confirm !== database) {
    throw new InvalidRequestError(
      `confirm: type the name of the database, ${database}, or leave it out to see the plan`,
    );
  }
  if (request.where !== undefined && request.choose !== 'deleted') {
    throw new InvalidRequestError('where: only together with `choose: "deleted"`; ids name their rows themselves');
  }
  if (offset > 0 && request.choose !== 'deleted') {
    throw new InvalidRequestError('offset: only together with `choose: "deleted"`; named rows are merged by one call');
  }
  const dryRun = confirm === undefined;
  const summary = await readSummary(store, database, reportId);
  return withConnection(connector, async (client) => {
    await applyCopySettings(client);
    await assertIdentity(client, database);
    const tables = await describeReported(client, summary);
    await assertConditions(client, tables, request.where ?? []);
    await client.query('BEGIN');
    try {
      await client.query(`SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'`);
      // Who gives no offset may not know of a next call, and would take a part for the whole.
      const isDivisible =
        request.choose === 'deleted' && request.offset !== undefined && !(await referInCircle(client, tables));
      const part = isDivisible
        ? { rows: transactionRows, bytes: TRANSACTION_BYTES }
        : { rows: Infinity, bytes: Infinity };
      const next = await loadChosen(client, store, summary, tables, { ...request, offset, batchBytes, part });
      const isOnlyPlanned = dryRun && offset > 0;
      const conflicts: string[] = [];
      const merges: TableMerge[] = [];
      for (const [index, table] of tables.entries()) {
        conflicts.push(...(await planTable(client, table, index, { lock: !isOnlyPlanned, limit: MAX_CONFLICTS })));
        merges.push(await countPlan(client, table, index));
      }
      const plan = describe(summary, merges, conflicts.slice(0, MAX_CONFLICTS), { dryRun, next });
      if (isOnlyPlanned || (dryRun && conflicts.length > 0)) {
        await client.query('ROLLBACK');
        return plan;
      }
      const changes = await carryOut(client, tables, plan, { ...request, offset }, () =>
        assertLeftOut(dependencies, summary),
      );
      if (dryRun) return plan;
      const report = { ...plan, entitlementsChanged: changes.length };
      log.info('Rows merged back', { ...report });
      await cache.invalidate(changes);
      return report;
    } catch (error) {
      await client.query('ROLLBACK').catch(() => undefined);
      throw error;
    }
  });
}

/** The live tables in the order of the report, after it was checked that its values still fit them. */
async function describeReported(client: Client, summary: ReportSummary): Promise<LiveTable[]> {
  const described = await describeTables(client, summary.tables.map(nameOf));
  return summary.tables.flatMap((reported) => {
    const table = described.find((candidate) => nameOf(candidate) === nameOf(reported));
    if (table === undefined) return [];
    assertSameColumns(
      table,
      reported.columns.map((name) => ({ name })),
      'when the report was made',
    );
    return [table];
  });
}

type Choice = Pick<RowRecoveryMergeRequest, 'choose' | 'where'> & { readonly offset: number };

interface Limits {
  readonly batchBytes: number;
  /** What is merged at most. */
  readonly part: { readonly rows: number; readonly bytes: number };
}

/** @returns number of the row with which another call continues; null when none is left */
async function loadChosen(
  client: Client,
  store: ArchiveStore,
  summary: ReportSummary,
  tables: readonly LiveTable[],
  { choose, where = [], offset, batchBytes, part }: Choice & Limits,
): Promise<number | null> {
  for (const [index, table] of tables.entries()) await createChosen(client, table, index);
  const missing = choose === 'deleted' ? undefined : new Set(choose);
  const taken = { rows: 0, bytes: 0 };
  let next: number | null = null;
  let batch: ReportedRow[] = [];
  let bytesOfBatch = 0;
  const flush = async () => {
    const index = tables.findIndex((table) => nameOf(table) === batch[0]?.table);
    const table = tables[index];
    if (table) await addChosen(client, table, index, batch);
    batch = [];
    bytesOfBatch = 0;
  };
  const isOfThisCall = (number: number) => {
    if (number < offset || next !== null) return false;
    if (taken.rows < part.rows && taken.bytes < part.bytes) return true;
    next = number;
    return false;
  };
  const take = async (row: ReportedRow, bytes: number) => {
    if (missing ? !missing.delete(row.id) : row.kind !== 'deleted') return;
    // Those of an instance may be merged: what is wanted may be what a migration has overwritten.
    if (row.kind === 'changed' && summary.migrationFailed !== null && summary.instance === null) {
      throw new OperationError(
        'schema_differs',
        `${row.id} has the values of before a migration that failed on the archive (${summary.migrationFailed}): correct that migration and deploy it, then make a new report. Deleted rows can be merged`,
      );
    }
    // A batch holds rows of one table; a report lists the tables one after the other.
    const full = batch.length === BATCH || bytesOfBatch + bytes > batchBytes;
    if (batch[0] && (full || batch[0].table !== row.table)) await flush();
    batch.push(row);
    bytesOfBatch += bytes;
    taken.rows += 1;
    taken.bytes += bytes;
  };
  await readRows(store, summary, take, isOfThisCall);
  await flush();
  if (where.length > 0) {
    for (const [index, table] of tables.entries()) await keepMatching(client, table, index, whereOf(table, where));
  }
  if (!missing || missing.size === 0) return next;
  const examples = [...missing].slice(0, 3).join(', ');
  throw new InvalidRequestError(`choose: report ${summary.reportId} has no ${examples}`);
}

/**
 * Refuses rows of people who were erased since the report of the main database, which an erasure does not find there until they are
 * committed. In billing, triggers reduce them as they are stored.
 */
async function assertLeftOut(
  { erasures }: MergeDependencies,
  { database, erasures: leftOut }: ReportSummary,
): Promise<void> {
  if (database === 'billing' || (await erasures.ledger.read()).entries.length === leftOut) return;
  const message = 'A person was erased since the report was made, so nothing more was merged: make a new report';
  throw new OperationError('erased_meanwhile', message);
}

/** Carries out the plan, with its record and the entitlements that follow, and ends the transaction: a dry run rolls it back. */
async function carryOut(
  client: Client,
  tables: readonly LiveTable[],
  report: RowRecoveryMergeReport,
  { choose, where, offset }: Choice,
  assertCommittable: () => Promise<void>,
): Promise<EntitlementChange[]> {
  const outcome = offset === 0 ? 'Nothing was merged' : 'What earlier calls merged stays, and nothing else was merged';
  if (report.conflicts.length > 0) {
    throw new OperationError(
      'changed_since_report',
      `Changed or deleted since the report, or newer than the archive: ${report.conflicts.join(', ')}. Nothing was merged: make a new report, or choose other rows`,
    );
  }
  // Triggers resolve names as in sessions of the application.
  await client.query(everyPath(tables.map(({ oid }) => oid)));
  await client.query('SET CONSTRAINTS ALL DEFERRED');
  for (const [index, table] of tables.entries()) await mergeTable(client, table, index, outcome);
  const changes = report.database === 'billing' ? await recomputeMerged(client, tables) : [];
  await client.query(
    `INSERT INTO operations.row_recovery_merges (report_id, chosen, inserted, updated, skipped) VALUES ($1, $2, $3, $4, $5)`,
    [
      report.reportId,
      choose === 'deleted' && where === undefined
        ? choose
        : JSON.stringify(where === undefined ? choose : { choose, where }),
      report.inserted,
      report.updated,
      report.skipped,
    ],
  );
  await assertCommittable();
  // What is deferred refuses a dry run, too.
  const end = report.dryRun ? 'SET CONSTRAINTS ALL IMMEDIATE; ROLLBACK' : 'COMMIT';
  await client.query(end).catch((cause: unknown) => {
    throw refused(`The ${report.database} database`, cause, outcome);
  });
  return changes;
}

function describe(
  { reportId, database, migrationFailed }: ReportSummary,
  tables: readonly TableMerge[],
  conflicts: readonly string[],
  { dryRun, next }: Pick<RowRecoveryMergeReport, 'dryRun' | 'next'>,
): RowRecoveryMergeReport {
  const sum = (field: 'inserted' | 'updated' | 'skipped') => tables.reduce((total, table) => total + table[field], 0);
  return {
    reportId,
    database,
    dryRun,
    tables,
    inserted: sum('inserted'),
    updated: sum('updated'),
    skipped: sum('skipped'),
    conflicts,
    ...(migrationFailed === null ? {} : { migrationFailed }),
    next,
    entitlementsChanged: 0,
  };
}
