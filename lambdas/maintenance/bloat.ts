import type { ClientBase } from 'pg';
import { MAX_LISTED, type ResultOf } from './contract';

/** Below this, nothing is gained by a rebuild. */
const MINIMUM_BYTES = 1024 ** 2;
/** PostgreSQL itself leaves a fifth of a table that is written to free. */
const MINIMUM_PERCENT = 30;

export type Bloat = ResultOf<'vacuum'>['bloat'][number];

/**
 * Pages that the rows of each table would need: their number times their mean width, as ANALYZE found them, in pages filled as
 * the table asks for. Values stored apart count by their pointers. A table with a column that the role may not read, or that
 * was never analyzed, has no estimate.
 */
const TABLES = `
SELECT format('%I.%I', n.nspname, c.relname) AS relation, 'table' AS kind, pg_relation_size(c.oid)::float8 AS bytes,
  ceil(c.reltuples * (4 + 8 * ceil((23 + ceil(w.columns / 8.0) * w.nullable) / 8.0) + 8 * ceil(w.width / 8.0))
    / ((b.size - 24) * coalesce(f.fill, 100) / 100.0)) * b.size AS needed
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN (SELECT current_setting('block_size')::numeric AS size) b
CROSS JOIN LATERAL (
  SELECT sum((1 - s.null_frac) * s.avg_width)::numeric AS width, count(s.*) AS known, count(*) AS columns,
    max((s.null_frac > 0)::int) AS nullable
  FROM pg_attribute a LEFT JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname
    AND s.attname = a.attname AND NOT s.inherited
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) w
LEFT JOIN LATERAL (
  SELECT substring(option FROM 'fillfactor=(\\d+)')::numeric AS fill FROM unnest(c.reloptions) AS option
  WHERE option LIKE 'fillfactor=%') f ON true
WHERE c.relkind IN ('r', 'm') AND c.relpersistence = 'p' AND c.reltuples >= 0 AND w.known = w.columns`;

/**
 * The same of each B-tree index, by the widths of its columns. PostgreSQL stores equal entries once, which this does not know:
 * it calls an index smaller than it need be, never larger.
 */
const INDEXES = `
SELECT format('%I.%I', n.nspname, c.relname) AS relation, 'index' AS kind, pg_relation_size(c.oid)::float8 AS bytes,
  (1 + ceil(c.reltuples * (4 + 8 + 8 * ceil(w.width / 8.0)) / ((b.size - 40) * coalesce(f.fill, 90) / 100.0))) * b.size AS needed
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am am ON am.oid = c.relam AND am.amname = 'btree'
JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN (SELECT current_setting('block_size')::numeric AS size) b
CROSS JOIN LATERAL (
  SELECT sum(s.avg_width)::numeric AS width, count(s.*) AS known, count(*) AS columns
  FROM pg_attribute a LEFT JOIN pg_attribute source ON source.attrelid = t.oid
    AND source.attnum = (i.indkey::int2[])[a.attnum - 1] AND source.attnum > 0
  LEFT JOIN pg_stats s ON s.schemaname = n.nspname AND NOT s.inherited
    AND (s.tablename, s.attname) = (CASE WHEN source.attname IS NULL THEN c.relname ELSE t.relname END,
                                    coalesce(source.attname, a.attname))
  WHERE a.attrelid = c.oid AND a.attnum > 0) w
LEFT JOIN LATERAL (
  SELECT substring(option FROM 'fillfactor=(\\d+)')::numeric AS fill FROM unnest(c.reloptions) AS option
  WHERE option LIKE 'fillfactor=%') f ON true
WHERE c.relpersistence = 'p' AND c.reltuples >= 0 AND i.indisvalid AND w.known = w.columns`;

/** The most bloated tables and indexes outside of the system's schemas, by the statistics of the last ANALYZE. */
export async function estimateBloat(client: ClientBase): Promise<Bloat[]> {
  const { rows } = await client.query<Omit<Bloat, 'bloatBytes' | 'bloatPercent'> & { readonly needed: number }>(
    `SELECT relation, kind, bytes, needed::float8 AS needed FROM (${TABLES} UNION ALL ${INDEXES}) AS estimate
     WHERE relation !~ '^(pg_catalog|pg_toast|information_schema)\\.' AND bytes - needed >= $1
       AND 100 * (bytes - needed) >= $2 * bytes
     ORDER BY bytes - needed DESC, relation LIMIT $3`,
    [MINIMUM_BYTES, MINIMUM_PERCENT, MAX_LISTED],
  );
  return rows.map(({ needed, ...row }) => ({
    ...row,
    bloatBytes: row.bytes - needed,
    bloatPercent: Math.round((100 * (row.bytes - needed)) / row.bytes),
  }));
}
