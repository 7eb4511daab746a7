import { type ClientBase, DatabaseError, escapeIdentifier } from 'pg';
import { columnList, qualified } from '../../core/archive/copy-session';
import { OperationError } from '../../core/runtime/errors';
import { rowSha256, rowText } from './compare';
import type { TableMerge } from './contract';
import type { ReportedRow } from './report-format';
import { type LiveTable, nameOf } from './tables';

/**
 * The action for a chosen row: `insert` it, `update` the live row, `skip` it because it exists again, or `conflict`,
 * because the live row changed since the report.
 */
type Action = 'insert' | 'update' | 'skip' | 'conflict';

/** Creates the temporary table of the chosen rows of a table. Values are text until they are merged. */
export async function createChosen(client: ClientBase, table: LiveTable, index: number): Promise<void> {
  const columns = table.columns.map((_, column) => `, c${column} text`).join('');
  await client.query(
    `CREATE TEMPORARY TABLE chosen_${index} (id text, kind text, live_sha256 text${columns}) ON COMMIT DROP`,
  );
}

export async function addChosen(
  client: ClientBase,
  table: LiveTable,
  index: number,
  rows: readonly ReportedRow[],
): Promise<void> {
  const columns = table.columns.map((_, column) => `, c${column} text`).join('');
  const records = rows.map((row) => ({
    id: row.id,
    kind: row.kind,
    live_sha256: row.liveSha256,
    ...Object.fromEntries(table.columns.map((column, at) => [`c${at}`, row.archived[column.name] ?? null])),
  }));
  await client.query(
    `INSERT INTO pg_temp.chosen_${index}
     SELECT * FROM json_to_recordset($1) AS chosen (id text, kind text, live_sha256 text${columns})`,
    [JSON.stringify(records)],
  );
}

/** Drops the chosen rows of a table that do not meet a condition on its columns. */
export async function keepMatching(client: ClientBase, table: LiveTable, index: number, where: string): Promise<void> {
  const values = valuesOf(table).map((value, at) => `${value} AS ${escapeIdentifier(table.columns[at]?.name ?? '')}`);
  await client.query(
    `DELETE FROM pg_temp.chosen_${index} c WHERE NOT EXISTS (SELECT FROM (SELECT ${values.join(', ')}) AS archived WHERE ${where})`,
  );
}

/**
 * Plans the action for each chosen row, by the live rows.
 *
 * @param lock whether to lock the live rows against changes until the transaction ends
 * @returns ids of rows that have changed since the report, at most `limit`
 */
export async function planTable(
  client: ClientBase,
  table: LiveTable,
  index: number,
  { lock, limit }: { readonly lock: boolean; readonly limit: number },
): Promise<string[]> {
  const join = `ONLY ${qualified(table)} l ON ${sameKey(table)}`;
  if (lock) await client.query(`SELECT FROM pg_temp.chosen_${index} c JOIN ${join} FOR UPDATE OF l`);
  const present = `l.${keysOf(table)[0]} IS NOT NULL`;
  await client.query(
    `CREATE TEMPORARY TABLE planned_${index} ON COMMIT DROP AS
     SELECT c.id, CASE
       WHEN c.kind = 'deleted' AND NOT ${present} THEN 'insert'
       WHEN c.kind = 'deleted' THEN 'skip'
       WHEN ${present} AND ROW(${valuesOf(table).join(', ')})::text = ${rowText('l', table)} THEN 'skip'
       WHEN ${present} AND ${isNewer(table)} THEN 'conflict'
       WHEN ${present} AND c.live_sha256 = ${rowSha256('l', table)} THEN 'update'
       ELSE 'conflict' END AS action
     FROM pg_temp.chosen_${index} c LEFT JOIN ${join}`,
  );
  const conflicts = await client.query<{ id: string }>(
    `SELECT id FROM pg_temp.planned_${index} WHERE action = 'conflict' ORDER BY id LIMIT ${limit}`,
  );
  return conflicts.rows.map((row) => row.id);
}

/** Whether the live row is a newer state of its object: those of the platform carry the version that decides. */
function isNewer({ schema, columns }: LiveTable): string {
  const at = schema === 'billing' ? columns.findIndex(({ name }) => name === 'version') : -1;
  return at < 0 ? 'false' : `l.version COLLATE "C" > c.c${at} COLLATE "C"`;
}

/** Counts the actions that {@link planTable} planned. */
export async function countPlan(client: ClientBase, table: LiveTable, index: number): Promise<TableMerge> {
  const counted = await client.query<{ action: Action; rows: number }>(
    `SELECT action, count(*)::float8 AS rows FROM pg_temp.planned_${index} GROUP BY action`,
  );
  const rowsOf = (action: Action) => counted.rows.find((row) => row.action === action)?.rows ?? 0;
  return { table: nameOf(table), inserted: rowsOf('insert'), updated: rowsOf('update'), skipped: rowsOf('skip') };
}

/**
 * Carries out the plan, with one statement for the insertions, so that rows may refer to each other, and one for the
 * updates. Triggers fire as usual, and may refuse.
 *
 * @throws OperationError `merge_refused` with the rule that refuses, or with how many rows are not stored
 */
export async function mergeTable(
  client: ClientBase,
  table: LiveTable,
  index: number,
  outcome: MergeOutcome,
): Promise<void> {
  const planned = (action: Action) =>
    `pg_temp.chosen_${index} c JOIN pg_temp.planned_${index} p ON p.id = c.id AND p.action = '${action}'`;
  const store = async (sql: string, action: Action): Promise<void> => {
    const { rowCount } = await client.query(sql);
    // A rule may have as many rows stored elsewhere.
    const { rows } = await client.query<{ n: number; present: number }>(
      `SELECT count(*)::float8 AS n, count(l.${keysOf(table)[0]})::float8 AS present
       FROM ${planned(action)} LEFT JOIN ONLY ${qualified(table)} l ON ${sameKey(table)}`,
    );
    const { n, present } = rows[0] ?? { n: 0, present: 0 };
    const stored = Math.min(rowCount ?? 0, present);
    if (stored === n) return;
    throw new OperationError(
      'merge_refused',
      `${nameOf(table)} stored ${stored} of ${n} rows: a trigger or rule of the table keeps out the others, or puts them elsewhere. ${outcome}: choose other rows, or disable it for the merge`,
    );
  };
  const names = columnList(table.columns.map((column) => column.name));
  const settable = table.columns
    .map((column, at) => ({ ...column, value: valuesOf(table)[at] }))
    .filter((column) => !column.inKey && !column.identityAlways);
  try {
    await store(
      `INSERT INTO ${qualified(table)} (${names}) OVERRIDING SYSTEM VALUE
       SELECT ${valuesOf(table).join(', ')} FROM ${planned('insert')}`,
      'insert',
    );
    if (settable.length === 0) return;
    const assignments = settable.map((column) => `${escapeIdentifier(column.name)} = ${column.value}`);
    await store(
      `UPDATE ONLY ${qualified(table)} l SET ${assignments.join(', ')} FROM ${planned('update')} WHERE ${sameKey(table)}`,
      'update',
    );
  } catch (cause) {
    throw refused(nameOf(table), cause, outcome);
  }
}

/** What is said of a merge that is refused: of one that calls before have begun, their rows stay. */
export type MergeOutcome = 'Nothing was merged' | 'What earlier calls merged stays, and nothing else was merged';

/** Where PL/pgSQL raises what a function says with RAISE. */
const RAISED = 'exec_stmt_raise';

/** An error for the refusal of a key, a constraint or a trigger; any other error is returned unchanged. */
export function refused(what: string, cause: unknown, outcome: MergeOutcome): unknown {
  if (!(cause instanceof DatabaseError)) return cause;
  // A function may raise an error of any class.
  const rule = ['23', 'P0'].includes((cause.code ?? '').slice(0, 2)) || cause.routine === RAISED;
  if (!rule) return cause;
  const detail = cause.detail === undefined ? '' : ` (${cause.detail})`;
  return new OperationError(
    'merge_refused',
    `${what} refuses the rows: ${cause.message}${detail}. ${outcome}: choose other rows, or include the table that it names in a report`,
    { cause },
  );
}

/** Archived values, as the column's type again. */
function valuesOf(table: LiveTable): string[] {
  return table.columns.map((column, at) => `c.c${at}::${column.type}`);
}

function keysOf(table: LiveTable): string[] {
  return table.columns.filter((column) => column.inKey).map((column) => escapeIdentifier(column.name));
}

function sameKey(table: LiveTable): string {
  const values = valuesOf(table);
  return table.columns
    .flatMap((column, at) =>
      column.inKey ? [`l.${escapeIdentifier(column.name)} ${column.equals} ${values[at]}`] : [],
    )
    .join(' AND ');
}
