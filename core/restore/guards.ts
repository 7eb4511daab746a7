import { type ClientBase, DatabaseError, escapeIdentifier } from 'pg';
import { qualified } from '../archive/copy-session';
import { OperationError } from '../runtime/errors';

const FOREIGN_KEY_VIOLATION = '23503';

export interface ForeignKey {
  readonly schema: string;
  readonly table: string;
  readonly name: string;
  readonly definition: string;
  readonly validated: boolean;
  /** PostgreSQL adds a key to a partitioned table only together with its check. */
  readonly partitioned: boolean;
}

interface Trigger {
  readonly schema: string;
  readonly table: string;
  readonly name: string;
  /** `O` fires normally, `R` on replicas, `A` always. */
  readonly mode: 'O' | 'R' | 'A';
}

const ENABLE = { O: 'ENABLE', R: 'ENABLE REPLICA', A: 'ENABLE ALWAYS' } as const;

/** Foreign keys and triggers that are off while a database is loaded. */
export interface Guards {
  readonly foreignKeys: readonly ForeignKey[];
  readonly triggers: readonly Trigger[];
}

/**
 * Drops foreign keys and disables triggers, so that tables load in any order and in parallel, and so that triggers which
 * fired when the rows were first written do not fire again. For a new database, which no other session uses.
 */
export async function removeGuards(client: ClientBase): Promise<Guards> {
  const foreignKeys = await client.query<ForeignKey>(
    `SELECT n.nspname AS schema, c.relname AS table, k.conname AS name,
            pg_get_constraintdef(k.oid) AS definition, k.convalidated AS validated,
            c.relkind = 'p' AS partitioned
     FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE k.contype = 'f' AND k.conparentid = 0
     ORDER BY n.nspname, c.relname, k.conname`,
  );
  const triggers = await client.query<Trigger>(
    `SELECT n.nspname AS schema, c.relname AS table, t.tgname AS name, t.tgenabled AS mode
     FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' AND n.nspname !~ '^pg_'
     ORDER BY n.nspname, c.relname, t.tgname`,
  );
  for (const key of foreignKeys.rows) {
    await client.query(`ALTER TABLE ${tableOf(key)} DROP CONSTRAINT ${escapeIdentifier(key.name)}`);
  }
  for (const trigger of triggers.rows) {
    // ONLY: the triggers of each partition are listed themselves.
    await client.query(`ALTER TABLE ONLY ${tableOf(trigger)} DISABLE TRIGGER ${escapeIdentifier(trigger.name)}`);
  }
  return { foreignKeys: foreignKeys.rows, triggers: triggers.rows };
}

/**
 * Creates the foreign keys again, and enables the triggers.
 *
 * @returns the keys whose rows are still to be checked, by {@link validateKey}, and how many were checked here
 * @throws OperationError `archive_inconsistent` naming the key that the data violates
 */
export async function restoreGuards(
  client: ClientBase,
  guards: Guards,
): Promise<{ readonly unchecked: readonly ForeignKey[]; readonly checked: number }> {
  const validated = guards.foreignKeys.filter((key) => key.validated);
  const unchecked = validated.filter((key) => !key.partitioned);
  // All keys first, which is quick but locks two tables at a time; the checks of their rows may run concurrently.
  for (const key of guards.foreignKeys) {
    const later = unchecked.includes(key) ? ' NOT VALID' : '';
    const statement = `ALTER TABLE ${tableOf(key)} ADD CONSTRAINT ${escapeIdentifier(key.name)} ${key.definition}${later}`;
    await assertKeyHolds(key, client.query(statement));
  }
  for (const trigger of guards.triggers) {
    await client.query(
      `ALTER TABLE ONLY ${tableOf(trigger)} ${ENABLE[trigger.mode]} TRIGGER ${escapeIdentifier(trigger.name)}`,
    );
  }
  return { unchecked, checked: validated.length - unchecked.length };
}

/**
 * Checks every row against a key.
 *
 * @throws OperationError `archive_inconsistent` naming the key that the data violates
 */
export async function validateKey(client: ClientBase, key: ForeignKey): Promise<void> {
  const statement = `ALTER TABLE ${tableOf(key)} VALIDATE CONSTRAINT ${escapeIdentifier(key.name)}`;
  await assertKeyHolds(key, client.query(statement));
}

async function assertKeyHolds(key: ForeignKey, check: Promise<unknown>): Promise<void> {
  await check.catch((cause: unknown) => {
    if (!(cause instanceof DatabaseError) || cause.code !== FOREIGN_KEY_VIOLATION) throw cause;
    throw new OperationError(
      'archive_inconsistent',
      `Foreign key ${key.name} of ${key.schema}.${key.table} does not hold in the archive: ${cause.detail ?? cause.message}`,
      { cause },
    );
  });
}

function tableOf(item: { readonly schema: string; readonly table: string }): string {
  return qualified({ schema: item.schema, name: item.table });
}
