import type { ClientBase } from 'pg';
import { OperationError } from '../runtime/errors';
import type { MigrationRecord } from './files';

/** Where node-pg-migrate records applied migrations. */
export const JOURNAL_SCHEMA = 'operations';
export const JOURNAL_TABLE = 'migrations';
/** Beside it, the SHA-256 of each applied file, which node-pg-migrate does not keep. */
export const CHECKSUM_TABLE = 'migration_checksums';

/** Creates the table of checksums; node-pg-migrate creates its own. */
export async function createJournal(client: ClientBase): Promise<void> {
  await client.query(`CREATE SCHEMA IF NOT EXISTS ${JOURNAL_SCHEMA}`);
  await client.query(
    `CREATE TABLE IF NOT EXISTS ${JOURNAL_SCHEMA}.${CHECKSUM_TABLE} (name text PRIMARY KEY, sha256 text NOT NULL)`,
  );
}

/**
 * The migrations that were applied to the database, in the order of application; empty before the first. A migration
 * without a checksum was not applied by this platform: its `sha256` is empty and matches no file.
 */
export async function readJournal(client: ClientBase): Promise<MigrationRecord[]> {
  const tables = await client.query<{ present: boolean }>(
    `SELECT to_regclass($1) IS NOT NULL AND to_regclass($2) IS NOT NULL AS present`,
    [`${JOURNAL_SCHEMA}.${JOURNAL_TABLE}`, `${JOURNAL_SCHEMA}.${CHECKSUM_TABLE}`],
  );
  if (!tables.rows[0]?.present) return [];
  const applied = await client.query<MigrationRecord>(
    `SELECT name, coalesce(sha256, '') AS sha256
     FROM ${JOURNAL_SCHEMA}.${JOURNAL_TABLE} LEFT JOIN ${JOURNAL_SCHEMA}.${CHECKSUM_TABLE} USING (name)
     ORDER BY run_on, id`,
  );
  return applied.rows;
}

/** When a migration was applied; undefined when it is not on record. */
export async function appliedAt(client: ClientBase, name: string): Promise<Date | undefined> {
  const { rows } = await client.query<{ run_on: Date }>(
    // The runner's column has no zone; the session's zone was the one that wrote it.
    `SELECT run_on::timestamptz AS run_on FROM ${JOURNAL_SCHEMA}.${JOURNAL_TABLE} WHERE name = $1`,
    [name],
  );
  return rows[0]?.run_on;
}

/**
 * Refuses a history that the code cannot explain: the applied migrations must be the first files, unedited.
 *
 * @param subject what has the history, for the message: `Database billing`, `The archive of …`
 * @throws OperationError `schema_newer_than_code`, `migration_gap` or `migration_edited`, naming the migration
 */
export function assertHistory(
  applied: readonly MigrationRecord[],
  files: readonly MigrationRecord[],
  subject: string,
): void {
  const known = new Set(files.map((file) => file.name));
  const unknown = applied.find((record) => !known.has(record.name));
  if (unknown) {
    throw new OperationError(
      'schema_newer_than_code',
      `${subject} has migration ${unknown.name}, which this code lacks: deploy the version that has it`,
    );
  }
  applied.forEach((record, index) => {
    const file = files[index];
    if (file?.name !== record.name) {
      throw new OperationError(
        'migration_gap',
        `${subject} has migration ${record.name} applied but not ${file?.name} before it: renumber the newer file after ${record.name}`,
      );
    }
    if (file.sha256 !== record.sha256) {
      throw new OperationError(
        'migration_edited',
        `${subject} has another version of migration ${record.name}, which was edited since: restore the file and put the change into a new migration`,
      );
    }
  });
}
