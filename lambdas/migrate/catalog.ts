import type { ClientBase } from 'pg';

/** A table as the catalogs describe it, by what a statement may change. */
export interface TableState {
  readonly name: string;
  /** Another one after the table was rewritten. */
  readonly file: string;
  readonly columns: Readonly<
    Record<string, { readonly name: string; readonly type: string; readonly notNull: boolean }>
  >;
  readonly indexes: readonly string[];
  /** Foreign keys and checks that hold for every row. */
  readonly validated: readonly string[];
}

const TABLES = `
  SELECT c.oid::text AS oid, n.nspname || '.' || c.relname AS name, c.relfilenode::text AS file,
    (SELECT coalesce(jsonb_object_agg(a.attnum, jsonb_build_object(
        'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'notNull', a.attnotnull)), '{}')
     FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
    ARRAY(SELECT x.indexrelid::text FROM pg_index x WHERE x.indrelid = c.oid) AS indexes,
    ARRAY(SELECT k.conname::text FROM pg_constraint k
          WHERE k.conrelid = c.oid AND k.contype IN ('c', 'f') AND k.convalidated) AS validated
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`;

/** The tables of the database, by their object id. */
export async function readTables(client: ClientBase): Promise<ReadonlyMap<string, TableState>> {
  const { rows } = await client.query<TableState & { readonly oid: string }>(TABLES);
  return new Map(rows.map(({ oid, ...table }) => [oid, table]));
}

/** Locks of this session on tables and other relations, the strongest one of each, by the table's object id. */
export async function readLocks(client: ClientBase): Promise<ReadonlyMap<string, string>> {
  const { rows } = await client.query<{ oid: string; modes: string[] }>(
    // Without pg_class, which no longer has what was dropped.
    `SELECT relation::text AS oid, array_agg(mode) AS modes FROM pg_locks
     WHERE pid = pg_backend_pid() AND locktype = 'relation' GROUP BY 1`,
  );
  return new Map(rows.map(({ oid, modes }) => [oid, modes.reduce((a, b) => (strength(b) > strength(a) ? b : a))]));
}

/** From weak to strong. */
const MODES = [
  'AccessShareLock',
  'RowShareLock',
  'RowExclusiveLock',
  'ShareUpdateExclusiveLock',
  'ShareLock',
  'ShareRowExclusiveLock',
  'ExclusiveLock',
  'AccessExclusiveLock',
];
const FROM_SHARE = MODES.indexOf('ShareLock');

/** Orders the modes of locks; a stronger one has the higher number. */
export function strength(mode: string | undefined): number {
  return mode === undefined ? -1 : MODES.indexOf(mode);
}

/** What of other sessions waits for a lock. `ExclusiveLock` lets plain reads through. */
export function stoppedBy(mode: string): 'reads and writes' | 'writes' | 'nothing' {
  if (mode === 'AccessExclusiveLock') return 'reads and writes';
  return strength(mode) >= FROM_SHARE ? 'writes' : 'nothing';
}

/** Size of a table in use. */
export interface TableSize {
  readonly bytes: number;
  readonly rows: number;
}

/** Sizes of the tables in use, by `schema.table`, without indexes. */
export async function readSizes(client: ClientBase): Promise<ReadonlyMap<string, TableSize>> {
  const { rows } = await client.query<TableSize & { readonly name: string }>(
    `SELECT n.nspname || '.' || c.relname AS name, pg_table_size(c.oid)::float8 AS bytes,
       greatest(coalesce(s.n_live_tup, 0), c.reltuples, 0)::float8 AS rows
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid
     WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`,
  );
  return new Map(rows.map(({ name, ...size }) => [name, size]));
}
