import { type ClientBase, escapeIdentifier } from 'pg';
import { retryingDeadlocks } from '../database/retry-deadlocks';
import { OperationError } from '../runtime/errors';
import { blankChoices } from './billing';
import { FORGET_CARD_ROWS } from './card-rows';
import type { ErasureHook } from './contract';
import type { Erasures } from './ledger';

/** What the hooks say of one table, by the column that names the user. */
interface HookedTable {
  readonly name: string;
  readonly schema: string;
  readonly table: string;
  readonly userColumn: string;
  readonly hooks: readonly ErasureHook[];
}

function hookedTables(hooks: readonly ErasureHook[]): HookedTable[] {
  const groups = Map.groupBy(hooks, ({ schema, table, userColumn }) => JSON.stringify([schema, table, userColumn]));
  return [...groups.values()].flatMap((ofTable) => {
    const [first] = ofTable;
    if (first === undefined) return [];
    const { schema, table, userColumn } = first;
    return [{ name: `${schema}.${table}`, schema, table, userColumn, hooks: ofTable }];
  });
}

/**
 * Compares the hooks with the main database.
 *
 * @returns what is wrong with them, such as a column that the database does not have
 */
export async function checkHooks(client: ClientBase, hooks: readonly ErasureHook[]): Promise<string[]> {
  const { rows } = await client.query<{ column: string; required: boolean; type: string }>(
    `SELECT table_schema || '.' || table_name || '.' || column_name AS column, is_nullable = 'NO' AS required,
            data_type AS type
     FROM information_schema.columns
     WHERE table_schema || '.' || table_name = ANY ($1::text[])`,
    [hookedTables(hooks).map(({ name }) => name)],
  );
  const columns = new Map(rows.map((row) => [row.column, row]));
  return hooks.flatMap(({ schema, table, column, treatment, userColumn }) => {
    const place = `${schema}.${table}.${column}`;
    const found = columns.get(place);
    if (!columns.has(`${schema}.${table}.${userColumn}`)) return [`${schema}.${table}.${userColumn} does not exist`];
    if (found === undefined) return [`${place} does not exist`];
    if (treatment === 'drop' && found.required) return [`${place} cannot be dropped, because it is NOT NULL: blank it`];
    const isText = ['text', 'character varying'].includes(found.type);
    if (['blank', 'pseudonymise'].includes(treatment) && !isText) {
      return [`${place} is ${found.type}, and only text can be made ${treatment}: drop it`];
    }
    return [];
  });
}

/**
 * @throws OperationError `hooks_invalid`, naming every column that does not fit
 */
export async function assertHooks(client: ClientBase, hooks: readonly ErasureHook[]): Promise<void> {
  const problems = await checkHooks(client, hooks);
  if (problems.length === 0) return;
  throw new OperationError('hooks_invalid', `erasure.main: ${problems.join('; ')}. Nothing was changed`);
}

/** Whether a table of the hooks has rows of a user. */
export async function knowsUser(client: ClientBase, hooks: readonly ErasureHook[], user: string): Promise<boolean> {
  for (const { schema, table, userColumn } of hookedTables(hooks)) {
    const found = await client.query(
      `SELECT FROM ${escapeIdentifier(schema)}.${escapeIdentifier(table)} AS row
       WHERE row.${escapeIdentifier(userColumn)}::text = $1 LIMIT 1`,
      [user],
    );
    if ((found.rowCount ?? 0) > 0) return true;
  }
  return false;
}

/** SQL of the digest of a user, as `ErasureKey.subject` makes it. $1 and $2 are the pads. */
export const digestOfUser = (column: string): string =>
  `sha256($2::bytea || sha256($1::bytea || convert_to('user:' || ${column}::text, 'UTF8')))`;

/**
 * Treats what the hooks name of every user who was erased. Users are found by their digests, so no id is needed, and it may be
 * repeated. A hook whose column the database lacks is left out: an archive may be older than the column.
 *
 * @returns rows that were changed, by table
 */
export async function sweepMain(
  client: ClientBase,
  { key, entries }: Erasures,
  hooks: readonly ErasureHook[],
): Promise<Record<string, number>> {
  const users = entries.flatMap(({ subjects }) => subjects.filter(({ kind }) => kind === 'user'));
  const changed: Record<string, number> = {};
  for (const table of await tablesOfRecords(client)) {
    await client.query(table === 'maintenance_runs' ? FORGET_CARD_ROWS : blankChoices(table));
  }
  if (users.length === 0) return changed;
  const { inner, outer } = key.pads;
  const values = [inner, outer, users.map(({ digest }) => Buffer.from(digest, 'hex'))];
  for (const each of hookedTables(hooks)) {
    const fitting: ErasureHook[] = [];
    for (const hook of each.hooks) if ((await checkHooks(client, [hook])).length === 0) fitting.push(hook);
    if (fitting.length === 0) continue;
    const statement = statementOf({ ...each, hooks: fitting });
    const rows = (await retryingDeadlocks(() => client.query(statement, values))).rowCount ?? 0;
    if (rows > 0) changed[each.name] = (changed[each.name] ?? 0) + rows;
  }
  return changed;
}

/** Of those that may name people. An instance that was recovered to a moment may be older than a table, or than its name. */
async function tablesOfRecords(client: ClientBase): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class
     WHERE relnamespace = to_regnamespace('operations') AND relkind = 'r' AND relname IN ('row_recovery_merges', 'row_merges', 'maintenance_runs')`,
  );
  return rows.map(({ name }) => name);
}

function statementOf({ schema, table, userColumn, hooks }: HookedTable): string {
  const name = `${escapeIdentifier(schema)}.${escapeIdentifier(table)}`;
  const digest = digestOfUser(`stored.${escapeIdentifier(userColumn)}`);
  const where = `WHERE ${digest} = ANY ($3::bytea[])`;
  if (hooks.some((hook) => hook.treatment === 'delete-row')) return `DELETE FROM ${name} AS stored ${where}`;
  const values = hooks.map((hook) => {
    const column = escapeIdentifier(hook.column);
    const value = {
      drop: 'NULL',
      blank: "'erased'",
      pseudonymise: `'erased-' || left(encode(${digest}, 'hex'), 20)`,
      'delete-row': '',
    }[hook.treatment];
    return { column, value };
  });
  const assignments = values.map(({ column, value }) => `${column} = ${value}`).join(', ');
  const differs = values.map(({ column, value }) => `stored.${column} IS DISTINCT FROM ${value}`).join(' OR ');
  return `UPDATE ${name} AS stored SET ${assignments} ${where} AND (${differs})`;
}
