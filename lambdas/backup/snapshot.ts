import { setTimeout as sleep } from 'node:timers/promises';
import { type ClientBase, DatabaseError } from 'pg';
import { listTables, type SourceTable } from '../../core/archive/catalog';
import { applyCopySettings, qualified } from '../../core/archive/copy-session';
import { isLockTimeout } from '../../core/database/lock-timeout';
import { messageOf, OperationError } from '../../core/runtime/errors';

/**
 * How long a statement of a backup waits for a lock. Longer, and the queries of the application wait behind it; much
 * shorter, and a backup fails that a moment's patience would have let through.
 */
const LOCK_TIMEOUT_MS = 3_000;
/** Between two attempts to lock all tables. In between, nothing is held. */
const LOCK_PAUSE_MS = 200;
const BEGIN = 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY';

const UNDEFINED_TABLE = '42P01';
const INSUFFICIENT_PRIVILEGE = '42501';
const OUT_OF_MEMORY = '53200';
/** Classes of SQLSTATE of a connection that was lost, or of a server that is shut down or out of resources. */
const UNAVAILABLE = /^(?:08|53|57)/;

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
 * snapshots do not see, could empty a table. They are never waited for while others are held: a migration that waits for
 * those, and the application behind it, would wait for as long.
 *
 * @throws OperationError `schema_changing` (retryable) when a table is created, dropped or locked meanwhile;
 * `privilege_missing` naming the table
 */
export async function openSnapshot(leader: ClientBase): Promise<Snapshot> {
  await applyCopySettings(leader, LOCK_TIMEOUT_MS);
  const untilMs = performance.now() + LOCK_TIMEOUT_MS;
  for (;;) {
    try {
      return await lockAndExport(leader);
    } catch (cause) {
      const error = explainReadFailure(cause);
      const isPassing = error instanceof OperationError && error.code === 'schema_changing';
      if (!isPassing || performance.now() > untilMs) throw error;
      await leader.query('ROLLBACK');
      await sleep(LOCK_PAUSE_MS);
    }
  }
}

async function lockAndExport(leader: ClientBase): Promise<Snapshot> {
  const before = await listTables(leader);
  await leader.query(BEGIN);
  if (before.length > 0) {
    // ONLY: each partition and child is listed itself.
    const names = before.map((table) => `ONLY ${qualified(table)}`);
    await leader.query(`LOCK TABLE ${names.join(', ')} IN ACCESS SHARE MODE NOWAIT`);
  }
  const exported = await leader.query<{ id: string }>('SELECT pg_export_snapshot() AS id');
  const tables = await listTables(leader);
  if (!sameTables(before, tables)) {
    throw new OperationError(
      'schema_changing',
      'Tables were created or dropped while the backup began, perhaps by a migration: try again after it',
    );
  }
  return { id: exported.rows[0]?.id ?? '', tables };
}

function sameTables(before: readonly SourceTable[], after: readonly SourceTable[]): boolean {
  return before.length === after.length && before.every((table, index) => table.oid === after[index]?.oid);
}

/** Prepares a further connection that sees the same moment, for as long as the leader's transaction lasts. */
export async function joinSnapshot(reader: ClientBase, snapshot: Snapshot): Promise<void> {
  await applyCopySettings(reader, LOCK_TIMEOUT_MS);
  await reader.query(BEGIN);
  await reader.query(`SET TRANSACTION SNAPSHOT '${snapshot.id}'`).catch((cause: unknown) => {
    throw snapshotLost(cause);
  });
  await prepareLocks(reader);
}

/** Lets {@link lockForReading} give locks back; to be called once in a transaction. */
export async function prepareLocks(reader: ClientBase): Promise<void> {
  await reader.query('SAVEPOINT next_table');
}

/**
 * {@link lockForReading} on a connection that joined a snapshot. What it locked before is given back: thousands of tables,
 * locked by each reader as well, would not fit into the server's memory for locks.
 */
export async function lockNextForReading(reader: ClientBase, table: SourceTable): Promise<void> {
  if (table.query !== undefined) return;
  await reader.query('ROLLBACK TO SAVEPOINT next_table').catch((cause: unknown) => {
    throw copyFailed(table, cause);
  });
  await lockForReading(reader, table);
}

/**
 * Locks a table for reading, without waiting: a leader may have that lock, so that whoever stands in the way waits for the
 * leader, and the reader would wait for both.
 */
export async function lockForReading(reader: ClientBase, table: SourceTable): Promise<void> {
  if (table.query !== undefined) return;
  const lock = `LOCK TABLE ONLY ${qualified(table)} IN ACCESS SHARE MODE NOWAIT`;
  await reader.query(lock).catch((cause: unknown) => {
    throw copyFailed(table, cause);
  });
}

/** The error of a table that could not be read to its end. */
export function copyFailed(table: SourceTable, cause: unknown): OperationError {
  const error = explainReadFailure(cause);
  if (error instanceof OperationError && error.code !== 'database_unavailable') return error;
  return new OperationError('copy_failed', `Table ${table.schema}.${table.name} was not copied: ${messageOf(error)}`, {
    cause,
  });
}

/**
 * Ends the snapshot, and proves that it lasted until now: a connection that was lost gave up its locks, and a table may
 * have been emptied or rewritten since.
 *
 * @throws OperationError `snapshot_lost` (retryable)
 */
export async function endSnapshot(leader: ClientBase): Promise<void> {
  const ended = await leader.query('COMMIT').catch((cause: unknown) => {
    throw snapshotLost(cause);
  });
  // The command of a transaction that had failed before.
  if (ended.command === 'ROLLBACK') throw snapshotLost(new Error('its transaction had failed'));
}

export function snapshotLost(cause: unknown): OperationError {
  return new OperationError(
    'snapshot_lost',
    `The connection that kept the moment of the backup open was lost, so nothing was published: ${messageOf(cause)}`,
    { cause },
  );
}

/** What an error of reading the database means to the caller; others are returned as they are. */
export function explainReadFailure(failure: unknown): unknown {
  // A lock is explained for any work with a connection before; of a backup, more is known.
  const isLock = failure instanceof OperationError && failure.code === 'database_busy' && isLockTimeout(failure.cause);
  const cause = isLock ? failure.cause : failure;
  if (!(cause instanceof DatabaseError)) return failure;
  const { code = '' } = cause;
  const explained = (name: 'schema_changing' | 'privilege_missing' | 'database_unavailable', sentence: string) =>
    new OperationError(name, `${sentence}: ${cause.message}`, { cause });
  if (isLockTimeout(cause)) {
    return explained('schema_changing', 'A table is being changed, by a migration perhaps; try again after it');
  }
  if (code === UNDEFINED_TABLE) return explained('schema_changing', 'A table was dropped during the backup; try again');
  if (code === INSUFFICIENT_PRIVILEGE) {
    return explained('privilege_missing', 'The role of the backup may not read all of the database; grant it SELECT');
  }
  if (code === OUT_OF_MEMORY) {
    return explained(
      'database_unavailable',
      'The server has no memory for the locks of all tables, perhaps; raise max_locks_per_transaction',
    );
  }
  return UNAVAILABLE.test(code) ? explained('database_unavailable', 'The server ended the backup') : cause;
}
