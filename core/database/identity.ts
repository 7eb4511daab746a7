import type { ClientBase } from 'pg';
import type { DatabaseName } from '../contract';
import { OperationError } from '../runtime/errors';

/** The database's own name from its identity table, or `undefined` when no migration was ever applied to it. */
export async function readIdentity(client: ClientBase): Promise<string | undefined> {
  const table = await client.query<{ present: boolean }>(
    `SELECT to_regclass('operations.database_identity') IS NOT NULL AS present`,
  );
  if (!table.rows[0]?.present) return undefined;
  const identity = await client.query<{ name: string }>('SELECT name FROM operations.database_identity');
  return identity.rows[0]?.name;
}

/**
 * Rejects any database but the expected one: no statement of billing ever runs in the main database, or the reverse.
 *
 * @throws OperationError `wrong_database`; nothing was changed
 */
export async function assertIdentity(client: ClientBase, expected: DatabaseName): Promise<void> {
  const actual = await readIdentity(client);
  if (actual === expected) return;
  throw new OperationError(
    'wrong_database',
    actual === undefined
      ? `Expected the ${expected} database, but this one carries no identity: apply the ${expected} migrations first`
      : `Expected the ${expected} database, but this one says it is ${actual}: check host and secret of the ${expected} database`,
  );
}

/** What a database says that it is, and when that was written: a restored one has both of the database that was archived. */
export interface IdentityRecord {
  readonly name: string;
  readonly stampedAt: string;
}

/** The identity record of a database; `undefined` when no migration was ever applied to it. */
export async function readIdentityRecord(client: ClientBase): Promise<IdentityRecord | undefined> {
  if ((await readIdentity(client)) === undefined) return undefined;
  const { rows } = await client.query<IdentityRecord>(
    `SELECT name, extract(epoch FROM stamped_at)::text AS "stampedAt" FROM operations.database_identity`,
  );
  return rows[0];
}
