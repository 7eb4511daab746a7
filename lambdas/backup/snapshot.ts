import type { Client, ClientBase } from 'pg';
import { applyCopySettings, qualified } from '../../core/archive/copy-session';
import type { DatabaseConnector } from '../../core/database/connector';
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
 * Opens a snapshot on a connection, and keeps every table from being dropped, truncated or rewritten for as long as
 * the transaction lasts. Readers and writers are not held up.
 *
 * The locks come first: a statement that takes the snapshot before them would leave a gap in which a TRUNCATE, which
 * snapshots do not see, could empty a table.
 *
 * @throws OperationError `schema_changing` (retryable) when a table came or went meanwhile
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
      throw changing(cause);
    });
  }
  const exported = await leader.query<{ id: string }>('SELECT pg_export_snapshot() AS id');
  const tables = await listTables(leader);
  if (!sameTables(before, tables)) throw changing();
  return { id: exported.rows[0]?.id ?? '', tables };
}

function sameTables(before: readonly SourceTable[], after: readonly SourceTable[]): boolean {
  return before.length === after.length && before.every((table, index) => table.oid === after[index]?.oid);
}

function changing(cause?: unknown): OperationError {
  return new OperationError(
    'schema_changing',
    'The tables are being changed, by a migration perhaps: try again after it',
    { cause },
  );
}

/** A further connection that sees the same moment. The caller ends it. */
export async function joinSnapshot(connector: DatabaseConnector, snapshot: Snapshot): Promise<Client> {
  const client = await connector.connect();
  try {
    await applyCopySettings(client);
    await client.query(BEGIN);
    await client.query(`SET TRANSACTION SNAPSHOT '${snapshot.id}'`);
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
}
