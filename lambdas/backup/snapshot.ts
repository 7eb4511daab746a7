import type { ClientBase } from 'pg';
import { applyCopySettings, qualified } from '../../core/archive/copy-session';
import { OperationError } from '../../core/runtime/errors';
import { listTables, type SourceTable } from '../../core/archive/catalog';

/** Longer makes a backup wait for a migration to finish; shorter makes it fail, and be retried. */
const LOCK_TIMEOUT = '60s';
const BEGIN = 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY';

/** One moment of the database, which several connections see. */
export interface Snapshot {
  readonly id: string;
  readonly tables: SourceTable[];
}

/**
 * Opens a snapshot on a connection, and protects every table from being dropped, truncated or rewritten for as long as
 * the transaction lasts. Readers and writers are not blocked.
 *
 * The locks come first: a statement that takes the snapshot before them would leave a gap in which a TRUNCATE, which
 * snapshots do not see, could empty a table.
 *
 * @throws OperationError `schema_changing` (retryable) when a table was created or dropped meanwhile, or is locked
 */
export async function openSnapshot(leader: ClientBase): Promise<Snapshot> {
  await applyCopySettings(leader);
  const before = await listTables(leader);
  await leader.query(BEGIN);
  await leader.query(`SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'`);
  if (before.length > 0) {
    // ONLY: each partition and child is listed itself.
    const names = before.map((table) => `ONLY ${qualified(table)}`);
    await leader.query(`LOCK TABLE ${names.join(', ')} IN ACCESS SHARE MODE`).catch((cause: unknown) => {
      throw schemaChanging(cause);
    });
  }
  const exported = await leader.query<{ id: string }>('SELECT pg_export_snapshot() AS id');
  const tables = await listTables(leader);
  if (!sameTables(before, tables)) throw schemaChanging();
  return { id: exported.rows[0]?.id ?? '', tables };
}

function sameTables(before: readonly SourceTable[], after: readonly SourceTable[]): boolean {
  return before.length === after.length && before.every((table, index) => table.oid === after[index]?.oid);
}

function schemaChanging(cause?: unknown): OperationError {
  return new OperationError(
    'schema_changing',
    'Tables were created, dropped or locked while the backup began, perhaps by a migration: try again after it',
    { cause },
  );
}

/** Prepares a further connection that sees the same moment, for as long as the leader's transaction lasts. */
export async function joinSnapshot(reader: ClientBase, snapshot: Snapshot): Promise<void> {
  await applyCopySettings(reader);
  await reader.query(BEGIN);
  await reader.query(`SET TRANSACTION SNAPSHOT '${snapshot.id}'`);
}
