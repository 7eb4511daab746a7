import { type ClientBase, escapeLiteral } from 'pg';
import { OperationError } from '../runtime/errors';
import { qualified } from './copy-session';
import { LARGE_OBJECT_PIECES, LARGE_OBJECTS } from './keys';
import type { ArchivedSequence, Manifest } from './manifest';

/** A name of a table, as the catalogs have it. */
export interface RelationName {
  readonly schema: string;
  readonly name: string;
}

/** A table that stores rows: an ordinary table, or a leaf of a partitioned one. */
export interface SourceTable extends RelationName {
  readonly oid: number;
  /** Without generated columns. */
  readonly columns: string[];
  /** Pages of the table's file; bounds the ctids of its rows. */
  readonly pages: number;
  /** Bytes of the table with its large values, which are stored beside its pages; without indexes. */
  readonly bytes: number;
  /** Partitioned table to load the rows into. @default the table itself */
  readonly loadThrough?: RelationName | null;
  /** Extension that makes the table; its rows are data of the database all the same. @default none */
  readonly extension?: string | null;
  /** `WHERE …` for the rows that are data. @default all of them */
  readonly condition?: string;
  /** Query that returns the rows, where they are not those of a table. @default the table's rows */
  readonly query?: string;
  /** Conditions that split the rows of `query` into parts. @default one part */
  readonly ranges?: readonly string[];
}

/** Schemas of users. */
const USERS_SCHEMA = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relpersistence <> 't'`;
/** Relations in schemas of users, without those of extensions, whose installation scripts create them. */
const OURS = `${USERS_SCHEMA}
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')`;

/** Classes of operators that hash a value by an id of its server, or may: a value with parts hashes these. */
const HASHED_BY_ID = ['enum_ops', 'oid_ops', 'array_ops', 'record_ops', 'range_ops', 'multirange_ops']
  .map((name) => escapeLiteral(name))
  .join(', ');

/**
 * The root of a partition whose rows may belong to another partition in another database: values of an enum are hashed by
 * ids that the server gives them, as are names of tables. pg_dump loads tables through their root for enums alone.
 */
const ROOT_OF_UNSAFE_PARTITION = `
  SELECT jsonb_build_object('schema', rn.nspname, 'name', r.relname) AS root
  FROM pg_class r JOIN pg_namespace rn ON rn.oid = r.relnamespace
  WHERE c.relispartition AND r.oid = pg_partition_root(c.oid) AND EXISTS (
    SELECT FROM pg_partition_tree(r.oid) tree
      JOIN pg_partitioned_table p ON p.partrelid = tree.relid AND p.partstrat = 'h'
      JOIN pg_opclass o ON o.oid = ANY (p.partclass) AND o.opcname IN (${HASHED_BY_ID}))`;

/**
 * Tables in the order of their names, those of extensions first, in the order in which they were made. Of these, there are
 * the ones that the extension marks as holding data, as far as the role may read them.
 */
export async function listTables(client: ClientBase): Promise<SourceTable[]> {
  const tables = await client.query<SourceTable>(
    `SELECT c.oid::int8::float8 AS oid, n.nspname AS schema, c.relname AS name,
            (pg_relation_size(c.oid) / current_setting('block_size')::int)::float8 AS pages,
            pg_table_size(c.oid)::float8 AS bytes,
            ARRAY(SELECT a.attname::text FROM pg_attribute a
                  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
                  ORDER BY a.attnum) AS columns,
            (${ROOT_OF_UNSAFE_PARTITION}) AS "loadThrough", e.extname AS extension, coalesce(config.condition, '') AS condition
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
       LEFT JOIN pg_extension e ON e.oid = d.refobjid
       LEFT JOIN LATERAL unnest(e.extconfig, e.extcondition) AS config (oid, condition) ON config.oid = c.oid
     WHERE c.relkind = 'r' AND ${USERS_SCHEMA}
       AND (e.oid IS NULL OR config.oid IS NOT NULL
            AND has_table_privilege(c.oid, 'SELECT') AND NOT row_security_active(c.oid))
     ORDER BY e.oid IS NULL, CASE WHEN e.oid IS NOT NULL THEN c.oid END, n.nspname, c.relname`,
  );
  return tables.rows;
}

/** Bytes of a large object in one row: small enough for any function, large enough to be quick. */
const PIECE_BYTES = 256 * 1024;

/**
 * Lists large objects as tables: who owns each and who may use it, and its bytes, in parts of about `partBytes`. Empty
 * when there are none.
 */
export async function listLargeObjects(client: ClientBase, partBytes: number): Promise<SourceTable[]> {
  // The sizes of single objects are for superusers only; that of all of them is for everybody.
  const { rows } = await client.query<{ first: string }>(
    `SELECT min(oid)::text AS first
     FROM (SELECT oid, ntile(greatest(1, ceil(pg_table_size('pg_largeobject') / $1::float8)::int)) OVER (ORDER BY oid) AS part
           FROM pg_largeobject_metadata) AS objects
     GROUP BY part ORDER BY part`,
    [partBytes],
  );
  if (rows.length === 0) return [];
  const ranges = rows.map(({ first }, index) => {
    const next = rows[index + 1]?.first;
    return `m.oid >= ${first}${next === undefined ? '' : ` AND m.oid < ${next}`}`;
  });
  return largeObjectTables(ranges);
}

function largeObjectTables(ranges: readonly string[]): [objects: SourceTable, pieces: SourceTable] {
  const measured = { oid: 0, pages: 0, bytes: 0 };
  const grants = `SELECT jsonb_agg(jsonb_build_object('grantee', r.rolname, 'privilege', a.privilege_type, 'grantable', a.is_grantable))
    FROM aclexplode(m.lomacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee`;
  return [
    {
      ...LARGE_OBJECTS,
      ...measured,
      columns: ['id', 'owner', 'grants', 'comment'],
      query: `SELECT m.oid AS id, pg_get_userbyid(m.lomowner) AS owner,
        CASE WHEN m.lomacl IS NOT NULL THEN coalesce((${grants}), '[]') END AS grants,
        obj_description(m.oid, 'pg_largeobject') AS comment FROM pg_largeobject_metadata m ORDER BY m.oid`,
    },
    {
      ...LARGE_OBJECT_PIECES,
      ...measured,
      columns: ['id', 'offset', 'data'],
      ranges,
      // 262144 is INV_READ. OFFSET 0 keeps each call from being repeated.
      query: `SELECT m.oid AS id, piece * ${PIECE_BYTES} AS "offset", lo_get(m.oid, piece * ${PIECE_BYTES}, ${PIECE_BYTES}) AS data
        FROM pg_largeobject_metadata m
          CROSS JOIN LATERAL (SELECT lo_lseek64(fd, 0, 2) AS bytes, lo_close(fd)
                              FROM (SELECT lo_open(m.oid, 262144) AS fd OFFSET 0) opened OFFSET 0) measured
          CROSS JOIN LATERAL generate_series(0, (measured.bytes - 1) / ${PIECE_BYTES}) AS piece`,
    },
  ];
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

/** Sequences read by one statement; a few thousand would exceed the depth to which the server nests a statement. */
const SEQUENCES_AT_ONCE = 500;

/**
 * The state of each sequence. Sequences are outside of transactions: read after the snapshot was taken, they are at least
 * as far as its rows, so that a restored database never issues a number twice.
 *
 * @param ofExtensions sequences that extensions mark as holding data
 */
export async function readSequences(
  client: ClientBase,
  ofExtensions: readonly RelationName[] = [],
): Promise<ArchivedSequence[]> {
  const own = await client.query<RelationName>(
    `SELECT n.nspname AS schema, c.relname AS name
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'S' AND ${OURS}
     ORDER BY n.nspname, c.relname`,
  );
  const names = [...own.rows, ...ofExtensions];
  const states: ArchivedSequence[] = [];
  for (let from = 0; from < names.length; from += SEQUENCES_AT_ONCE) {
    const selects = names.slice(from, from + SEQUENCES_AT_ONCE).map(
      (sequence) =>
        `SELECT ${escapeLiteral(sequence.schema)} AS schema, ${escapeLiteral(sequence.name)} AS name,
           last_value::text AS "lastValue", is_called AS "isCalled" FROM ${qualified(sequence)}`,
    );
    states.push(...(await client.query<ArchivedSequence>(selects.join(' UNION ALL '))).rows);
  }
  return states;
}

/**
 * The settings by which another server sorts and compares text as this one does. Before PostgreSQL 17, the catalog knew a
 * locale of ICU alone, by another name; before 16, it had no rules of it.
 */
export async function describeServer(client: ClientBase): Promise<Manifest['server']> {
  const server = await client.query<Manifest['server'] & { readonly icuRules: string | null }>(
    `SELECT current_setting('server_version') AS version, pg_encoding_to_char(d.encoding) AS encoding,
            CASE d.datlocprovider WHEN 'c' THEN 'libc' WHEN 'i' THEN 'icu' ELSE 'builtin' END AS "localeProvider",
            d.datcollate AS collate, d.datctype AS ctype,
            coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') AS locale,
            to_jsonb(d) ->> 'daticurules' AS "icuRules"
     FROM pg_database d WHERE d.datname = current_database()`,
  );
  const [row] = server.rows;
  if (!row) throw new OperationError('database_unavailable', 'The server does not describe the database');
  const { icuRules, ...described } = row;
  return icuRules === null ? described : { ...described, icuRules };
}
