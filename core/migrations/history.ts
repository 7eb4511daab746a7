import type { ClientBase } from 'pg';
import type { DatabaseName } from '../contract';
import { messageOf, OperationError } from '../runtime/errors';
import { readMigrationFiles } from './files';
import { CHECKSUM_TABLE, JOURNAL_SCHEMA, JOURNAL_TABLE } from './journal';
import { partsOf } from './parts';
import { DEFAULT_LOCKS, type LockPolicy, type MigrationStatus, retryingLocks, withMigrations } from './runner';
import { runUntransacted } from './untransacted';

/** What to do where another migration than the named one is next, or last. */
export const LOOK_AT_STATUS = 'ops migrate status lists what is applied and what is pending';

/**
 * Takes the last applied migration back by its down part, in one transaction with its record.
 *
 * @param name that migration: asking twice does not take back two
 * @throws OperationError `migration_not_last`, `migration_irreversible`, `migration_failed` (nothing was changed),
 * `database_busy` (retryable), or what {@link migrationStatus} refuses
 */
export async function rollBackLast(
  client: ClientBase,
  database: DatabaseName,
  directory: string,
  name: string,
  locks: LockPolicy = DEFAULT_LOCKS,
): Promise<MigrationStatus> {
  const files = await readMigrationFiles(directory);
  return withMigrations(client, database, files, undefined, async (applied) => {
    assertIsLast(name, applied.at(-1)?.name);
    const file = files.find((candidate) => candidate.name === name);
    const down = file && partsOf(file).down;
    if (down === undefined) {
      throw new OperationError(
        'migration_irreversible',
        `Migration ${name} has no down part: restore what was before it, see docs/runbook.md#migration-failed`,
      );
    }
    await client.query(`SET lock_timeout = ${locks.timeoutMs}`);
    await retryingLocks(client, locks, applied.length, async () => {
      try {
        if (!down.inTransaction) await runUntransacted(client, name, down);
        await client.query('BEGIN');
        if (down.inTransaction && down.statements.length > 0) await client.query(down.text);
        await forget(client, name);
        await client.query('COMMIT');
      } catch (cause) {
        await client.query('ROLLBACK').catch(() => undefined);
        throw cause instanceof OperationError
          ? cause
          : new OperationError(
              'migration_failed',
              `The down part of ${name} failed, and nothing was changed: ${messageOf(cause)}`,
              { cause },
            );
      }
    });
  });
}

/**
 * Records that the next migration is applied, without running it: its statements were run by hand.
 *
 * @param assertMatches throws unless the schema is the one that the migration makes
 * @throws OperationError `migration_not_last`, or what `assertMatches` throws
 */
export async function recordApplied(
  client: ClientBase,
  database: DatabaseName,
  directory: string,
  name: string,
  assertMatches: () => Promise<void>,
): Promise<MigrationStatus> {
  const files = await readMigrationFiles(directory);
  return withMigrations(client, database, files, undefined, async (applied) => {
    const next = files[applied.length];
    if (next?.name !== name) {
      throw new OperationError(
        'migration_not_last',
        `${name} is not the next migration: ${next === undefined ? 'none is pending' : `${next.name} is`}. ${LOOK_AT_STATUS}`,
      );
    }
    await assertMatches();
    await inTransaction(client, async () => {
      await client.query(`INSERT INTO ${JOURNAL_SCHEMA}.${JOURNAL_TABLE} (name, run_on) VALUES ($1, now())`, [name]);
      await client.query(`INSERT INTO ${JOURNAL_SCHEMA}.${CHECKSUM_TABLE} (name, sha256) VALUES ($1, $2)`, [
        name,
        next.sha256,
      ]);
    });
  });
}

/**
 * Removes the record of the last applied migration, without running its down part: it was undone by hand.
 *
 * @param assertUndone throws while the schema still has something that the migration makes
 * @throws OperationError `migration_not_last`, or what `assertUndone` throws
 */
export async function recordRolledBack(
  client: ClientBase,
  database: DatabaseName,
  directory: string,
  name: string,
  assertUndone: (before: string | null) => Promise<void>,
): Promise<MigrationStatus> {
  const files = await readMigrationFiles(directory);
  return withMigrations(client, database, files, undefined, async (applied) => {
    assertIsLast(name, applied.at(-1)?.name);
    await assertUndone(applied.at(-2)?.name ?? null);
    await inTransaction(client, () => forget(client, name));
  });
}

function assertIsLast(name: string, last: string | undefined): void {
  if (last === name) return;
  throw new OperationError(
    'migration_not_last',
    `${name} is not the last applied migration: ${last === undefined ? 'none is applied' : `${last} is`}. ${LOOK_AT_STATUS}`,
  );
}

async function forget(client: ClientBase, name: string): Promise<void> {
  await client.query(`DELETE FROM ${JOURNAL_SCHEMA}.${CHECKSUM_TABLE} WHERE name = $1`, [name]);
  await client.query(`DELETE FROM ${JOURNAL_SCHEMA}.${JOURNAL_TABLE} WHERE name = $1`, [name]);
}

async function inTransaction(client: ClientBase, work: () => Promise<void>): Promise<void> {
  await client.query('BEGIN');
  try {
    await work();
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
