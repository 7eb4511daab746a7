import { type ClientBase, escapeLiteral } from 'pg';
import type { ArchivedSequence, Manifest } from './manifest';
import { qualified } from './copy-session';
import { OperationError } from '../runtime/errors';

/** A table that stores rows: an ordinary table, or a leaf of a partitioned one. */
export interface SourceTable {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  /** Without generated columns. */
  readonly columns: string[];
  /** Pages of the table's file; bounds the ctids of its rows. */
  readonly pages: number;
  /** Bytes of the table with its large values, which are stored beside its pages; without indexes. */
  readonly bytes: number;
}

/** Relations in schemas of users, without those of extensions, whose installation scripts create them. */
const OURS = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relpersistence <> 't'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')`;

/** Tables in the order of their names. */
export async function listTables(client: ClientBase): Promise<SourceTable[]> {
  const tables = await client.query<SourceTable>(
    `SELECT c.oid::int8::float8 AS oid, n.nspname AS schema, c.relname AS name,
            (pg_relation_size(c.oid) / current_setting('block_size')::int)::float8 AS pages,
            pg_table_size(c.oid)::float8 AS bytes,
            ARRAY(SELECT a.attname::text FROM pg_attribute a
                  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
                  ORDER BY a.attnum) AS columns
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND ${OURS}
     ORDER BY n.nspname, c.relname`,
  );
  return tables.rows;
}

export interface RootTable extends Pick<SourceTable, 'schema' | 'name' | 'columns'> {
  readonly isRefined: boolean;
}

/**
 * Tables that are not part of another, with partitioned tables and materialised views, the largest first.
 *
 * @returns `isRefined`: whether autovacuum replaces coarse statistics of all columns by fine ones. It does not for
 * partitioned tables, nor for expressions of indexes, which ANALYZE covers only when no columns are named
 */
export async function listRoots(client: ClientBase): Promise<RootTable[]> {
  const roots = await client.query<RootTable>(
    `SELECT n.nspname AS schema, c.relname AS name,
            ARRAY(SELECT a.attname::text FROM pg_attribute a
                  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum) AS columns,
            c.relkind <> 'p' AND NOT EXISTS (SELECT FROM pg_index x WHERE x.indrelid = c.oid AND x.indexprs IS NOT NULL) AS "isRefined"
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition AND ${OURS}
     ORDER BY c.relkind = 'p' DESC, pg_table_size(c.oid) DESC`,
  );
  return roots.rows;
}

/**
 * The state of each sequence. Sequences are outside of transactions: read after the snapshot was taken, they are at least
 * as far as its rows, so that a restored database never issues a number twice.
 */
export async function readSequences(client: ClientBase): Promise<ArchivedSequence[]> {
  const sequences = await client.query<{ schema: string; name: string }>(
    `SELECT n.nspname AS schema, c.relname AS name
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'S' AND ${OURS}
     ORDER BY n.nspname, c.relname`,
  );
  if (sequences.rows.length === 0) return [];
  const values = await client.query<ArchivedSequence>(
    sequences.rows
      .map(
        (sequence) =>
          `SELECT ${escapeLiteral(sequence.schema)} AS schema, ${escapeLiteral(sequence.name)} AS name,
             last_value::text AS "lastValue", is_called AS "isCalled" FROM ${qualified(sequence)}`,
      )
      .join(' UNION ALL '),
  );
  return values.rows;
}

/** The settings by which another server sorts and compares text as this one does. */
export async function describeServer(client: ClientBase): Promise<Manifest['server']> {
  const server = await client.query<Manifest['server']>(
    `SELECT current_setting('server_version') AS version, pg_encoding_to_char(encoding) AS encoding,
            CASE datlocprovider WHEN 'c' THEN 'libc' WHEN 'i' THEN 'icu' ELSE 'builtin' END AS "localeProvider",
            datcollate AS collate, datctype AS ctype, datlocale AS locale
     FROM pg_database WHERE datname = current_database()`,
  );
  const [row] = server.rows;
  if (!row) throw new OperationError('database_unavailable', 'The server does not describe the database');
  return row;
}

/**
 * Refuses a database whose content an archive cannot carry.
 *
 * @throws OperationError `unsupported_content`
 */
export async function assertArchivable(client: ClientBase): Promise<void> {
  const objects = await client.query<{ present: boolean }>(
    'SELECT EXISTS (SELECT FROM pg_largeobject_metadata) AS present',
  );
  if (!objects.rows[0]?.present) return;
  throw new OperationError(
    'unsupported_content',
    'The database holds large objects, which archives do not carry: move them to bytea columns, or to S3',
  );
}
