import { type ClientBase, DatabaseError, escapeIdentifier } from 'pg';
import { describeBlockers, isLockTimeout } from '../database/lock-timeout';
import { retryingDeadlocks } from '../database/retry-deadlocks';
import { OperationError } from '../runtime/errors';
import { blankChoices } from './billing';
import { FORGET_CARD_ROWS } from './card-rows';
import { checkHooks } from './check-hooks';
import type { ErasureHook } from './contract';
import {
  type Columns,
  hookedTables,
  type HookedTable,
  inOrderOfDeletion,
  readColumns,
  relationOf,
} from './hooked-tables';
import type { ErasureKey } from './key';
import type { Erasures } from './ledger';
import { assignmentOf, isOfErasedUser, pseudonymOf, userParameters } from './treatment';

/** Shorter than a caller of the application waits for its rows. */
const TRIAL_LOCK_TIMEOUT_MS = 3_000;

/**
 * @throws OperationError `hooks_invalid`, naming every column that does not fit
 */
export function assertHooks(problems: readonly string[]): void {
  if (problems.length === 0) return;
  throw new OperationError(
    'hooks_invalid',
    `erasure.main: ${problems.join('; ')}. Nothing was changed: correct the settings, deploy, and ask again`,
  );
}

/**
 * Compares the hooks with the main database, and tries them on the rows of a person, in a transaction that is rolled back.
 *
 * @param users ids of the person
 * @param lockTimeoutMs how long a statement waits for a lock: meanwhile the rows before it are locked for the application
 * @returns what PostgreSQL would refuse, with the fix; empty when the erasure will not fail for it
 * @throws OperationError `database_busy` (retryable) naming the oldest transactions
 */
export async function tryHooks(
  client: ClientBase,
  key: ErasureKey,
  hooks: readonly ErasureHook[],
  users: readonly string[],
  lockTimeoutMs: number = TRIAL_LOCK_TIMEOUT_MS,
): Promise<string[]> {
  const problems = (await checkHooks(client, hooks)).map(({ text }) => text);
  if (problems.length > 0 || users.length === 0) return problems;
  const subjects = users.map((user) => key.subject('user', user));
  const ids = [...users, ...subjects.map(({ digest }) => pseudonymOf(digest))];
  const columns = await readColumns(client, hooks);
  return retryingDeadlocks(async () => {
    await client.query('BEGIN');
    try {
      await client.query(`SET LOCAL lock_timeout = ${lockTimeoutMs}`);
      for (const each of inOrderOfDeletion(hookedTables(hooks), columns)) {
        // By the ids, which an index may serve, before any digest is computed.
        const own = `AND stored.${escapeIdentifier(each.userColumn)}::text = ANY ($5::text[])`;
        try {
          await client.query(`${statementOf(each, columns)} ${own}`, [...userParameters(key, subjects), ids]);
          await client.query('SET CONSTRAINTS ALL IMMEDIATE');
        } catch (error) {
          const problem = refusalOf(each, error);
          if (problem !== undefined) return [problem];
          throw isLockTimeout(error) ? await whatLocks(client, each, error) : error;
        }
      }
      return [];
    } finally {
      await client.query('ROLLBACK').catch(() => undefined);
    }
  });
}

async function whatLocks(client: ClientBase, { name }: HookedTable, cause: unknown): Promise<OperationError> {
  // Nothing can be asked in a transaction that failed.
  await client.query('ROLLBACK');
  const blockers = await describeBlockers(client);
  return new OperationError(
    'database_busy',
    `erasure.main: another transaction keeps ${name}, or rows of the person in it, locked; ${blockers}. End it, or wait for its end, then ask again. Nothing was changed`,
    { cause },
  );
}

/** Whether a table of the hooks has rows of a user. */
export async function knowsUser(client: ClientBase, hooks: readonly ErasureHook[], user: string): Promise<boolean> {
  for (const { userColumn, ...table } of hookedTables(hooks)) {
    const found = await client.query(
      `SELECT FROM ${relationOf(table)} AS row
       WHERE row.${escapeIdentifier(userColumn)}::text = $1 LIMIT 1`,
      [user],
    );
    if ((found.rowCount ?? 0) > 0) return true;
  }
  return false;
}

/**
 * Treats what the hooks name of every user who was erased. Users are found by their digests, so no id is needed, and it may be
 * repeated. A hook whose column the database lacks is left out: an archive may be older than the column.
 *
 * @returns rows that were changed, by table
 * @throws OperationError `hooks_invalid` when PostgreSQL refuses a treatment: the person would stay
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
  const problems = await checkHooks(client, hooks);
  const missing = new Set(problems.filter(({ isMissing }) => isMissing).map(({ hook }) => hook));
  const [refused] = problems.filter(({ isMissing }) => !isMissing);
  if (refused) throw cannotErase(refused.text);
  const fitting = hooks.filter((hook) => !missing.has(hook));
  const columns = await readColumns(client, fitting);
  const values = [...userParameters(key, users)];
  for (const each of inOrderOfDeletion(hookedTables(fitting), columns)) {
    const statement = statementOf(each, columns);
    const { rowCount } = await retryingDeadlocks(() => client.query(statement, values)).catch((error: unknown) => {
      const problem = refusalOf(each, error);
      throw problem === undefined ? error : cannotErase(problem);
    });
    const rows = rowCount ?? 0;
    if (rows > 0) changed[each.name] = (changed[each.name] ?? 0) + rows;
  }
  return changed;
}

function cannotErase(problem: string): OperationError {
  return new OperationError(
    'hooks_invalid',
    `erasure.main: ${problem}. People who were erased would stay in the main database: correct the setting, deploy, and ask again`,
  );
}

/** Of those that may name people. An instance that was recovered to a moment may be older than a table, or than its name. */
async function tablesOfRecords(client: ClientBase): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class
     WHERE relnamespace = to_regnamespace('operations') AND relkind = 'r' AND relname IN ('row_recovery_merges', 'row_merges', 'maintenance_runs')`,
  );
  return rows.map(({ name }) => name);
}

function statementOf({ schema, table, userColumn, hooks }: HookedTable, columns: Columns): string {
  const name = relationOf({ schema, table });
  const where = `WHERE ${isOfErasedUser('stored', userColumn)}`;
  if (hooks.some((hook) => hook.treatment === 'delete-row')) return `DELETE FROM ${name} AS stored ${where}`;
  const values = hooks.flatMap((hook) => {
    const facts = columns.get(`${schema}.${table}.${hook.column}`);
    return facts === undefined ? [] : [assignmentOf(hook, facts)];
  });
  const assignments = values.map(({ column, value }) => `${column} = ${value}`).join(', ');
  return `UPDATE ${name} AS stored SET ${assignments} ${where} AND (${values.map(({ differs }) => differs).join(' OR ')})`;
}

/** Classes of SQLSTATE by which PostgreSQL, or a trigger of the company, refuses a statement for what it does. */
const REFUSALS = ['22', '23', '42', '44', 'P0'];
const FIXES: Readonly<Record<string, string>> = {
  '22001': 'make the column longer, drop it, or use delete-row',
  '23502': 'blank the column instead of dropping it',
  '23503': 'leave out the column that the foreign key is about, or use delete-row for both tables',
  '23505':
    'drop the column, or use delete-row; of a user who came back under the same id, the former rows have the pseudonym already',
  '23514': 'choose another treatment, or let the CHECK admit it',
  '42501': "grant the platform's login UPDATE and DELETE on the table",
};

/** What PostgreSQL says of a statement, without its details, which quote the row. */
function refusalOf({ name, hooks }: HookedTable, error: unknown): string | undefined {
  if (!(error instanceof DatabaseError) || !REFUSALS.includes((error.code ?? '').slice(0, 2))) return undefined;
  const what = hooks.map(({ column, treatment }) => `${column} (${treatment})`).join(', ');
  const by = error.constraint === undefined ? `error ${error.code}` : `${error.constraint} (${error.code})`;
  const fix = FIXES[error.code ?? ''] ?? 'choose another treatment';
  return `${name}: ${what} is refused by ${by}: ${fix}`;
}
