import type { ClientBase } from 'pg';
import type { DatabaseName } from '../../core/contract';
import { MAX_LISTED, type ResultOf } from './contract';
import { explainHotStatements } from './hot-statements';

type IndexesResult = ResultOf<'indexes'>;

/** An index that a monthly job alone uses shows its use in four weeks. */
const COUNTED_DAYS = 28;
const DAY_MS = 86_400_000;
/** A smaller index costs too little, and a smaller table is read too fast, to be asked about every month. */
const MINIMUM_BYTES = 1024 ** 2;

/** Which indexes are of no use, and which are missing. Changes nothing. */
export async function checkIndexes(client: ClientBase, database: DatabaseName, now: Date): Promise<IndexesResult> {
  const counted = await countedSince(client);
  const isCounted = counted !== null && now.getTime() - counted.getTime() >= COUNTED_DAYS * DAY_MS;
  return {
    ...(await explainHotStatements(client, database)),
    countedSince: counted?.toISOString() ?? null,
    unused: isCounted ? await unusedIndexes(client) : [],
    duplicate: await duplicateIndexes(client),
    missing: await missingIndexes(client),
    invalid: await invalidIndexes(client),
  };
}

/** The later of the last reset of the counters and the start of the server, which loses them when it crashed. */
async function countedSince(client: ClientBase): Promise<Date | null> {
  const { rows } = await client.query<{ since: Date | null }>(
    `SELECT greatest(stats_reset, pg_postmaster_start_time()) AS since FROM pg_stat_database WHERE datname = current_database()`,
  );
  return rows[0]?.since ?? null;
}

/** Without those that enforce a key or a constraint, which need no reader. */
async function unusedIndexes(client: ClientBase): Promise<IndexesResult['unused']> {
  const { rows } = await client.query<IndexesResult['unused'][number]>(
    `SELECT format('%I.%I', s.schemaname, s.indexrelname) AS index, format('%I.%I', s.schemaname, s.relname) AS table,
       pg_relation_size(s.indexrelid)::float8 AS bytes
     FROM pg_stat_user_indexes s JOIN pg_index i ON i.indexrelid = s.indexrelid
     WHERE s.idx_scan = 0 AND i.indisvalid AND NOT i.indisunique AND NOT i.indisexclusion
       AND pg_relation_size(s.indexrelid) >= $2
     ORDER BY bytes DESC, 1 LIMIT $1`,
    [MAX_LISTED, MINIMUM_BYTES],
  );
  return rows;
}

/**
 * An index is covered by another of the same table, kind and condition that begins with the same columns, sorted and compared in
 * the same way. Of two equal ones, the one that enforces nothing is named, or the later one.
 */
async function duplicateIndexes(client: ClientBase): Promise<IndexesResult['duplicate']> {
  const { rows } = await client.query<IndexesResult['duplicate'][number]>(
    `WITH known AS (
       SELECT i.indexrelid, i.indrelid, i.indisunique OR i.indisexclusion AS enforces, c.relam, i.indnkeyatts,
         i.indkey::text || ' ' AS columns, i.indclass::text || ' ' AS classes, i.indcollation::text || ' ' AS collations,
         i.indoption::text || ' ' AS options, coalesce(pg_get_expr(i.indexprs, i.indrelid), '') AS expressions,
         coalesce(pg_get_expr(i.indpred, i.indrelid), '') AS condition
       FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am am ON am.oid = c.relam AND am.amname = 'btree'
       JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE i.indisvalid AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
     )
     SELECT DISTINCT ON (a.indexrelid) a.indexrelid::regclass::text AS index, a.indrelid::regclass::text AS table,
       b.indexrelid::regclass::text AS "coveredBy", pg_relation_size(a.indexrelid)::float8 AS bytes
     FROM known a JOIN known b ON b.indrelid = a.indrelid AND b.indexrelid <> a.indexrelid
       AND b.condition = a.condition AND b.expressions = a.expressions
       AND starts_with(b.columns, a.columns) AND starts_with(b.classes, a.classes)
       AND starts_with(b.collations, a.collations) AND starts_with(b.options, a.options)
     WHERE NOT a.enforces AND (a.columns <> b.columns OR b.enforces OR b.indexrelid < a.indexrelid)
     ORDER BY a.indexrelid, b.indexrelid LIMIT $1`,
    [MAX_LISTED],
  );
  return rows;
}

/** An index serves a foreign key when its first columns are those of the key, in any order, for every row that has them. */
async function missingIndexes(client: ClientBase): Promise<IndexesResult['missing']> {
  const { rows } = await client.query<IndexesResult['missing'][number]>(
    `SELECT format('%I.%I', n.nspname, t.relname) AS table, names.columns, k.confrelid::regclass::text AS references,
       pg_relation_size(t.oid)::float8 AS bytes
     FROM pg_constraint k JOIN pg_class t ON t.oid = k.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace
     CROSS JOIN LATERAL (
       SELECT array_agg(a.attname::text ORDER BY o.position) AS columns, string_agg(a.attname || ' IS NOT NULL', ' AND ') AS given
       FROM unnest(k.conkey) WITH ORDINALITY AS o (attnum, position)
       JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = o.attnum) AS names
     WHERE k.contype = 'f' AND k.conparentid = 0 AND pg_relation_size(t.oid) >= $2 AND NOT EXISTS (
       SELECT FROM pg_index i
       WHERE i.indrelid = k.conrelid AND i.indisvalid
         AND (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey
         AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) = '(' || names.given || ')'))
     ORDER BY bytes DESC, 1, k.conname LIMIT $1`,
    [MAX_LISTED, MINIMUM_BYTES],
  );
  return rows;
}

async function invalidIndexes(client: ClientBase): Promise<string[]> {
  const { rows } = await client.query<{ index: string }>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS index FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
     JOIN pg_namespace n ON n.oid = c.relnamespace WHERE NOT i.indisvalid ORDER BY 1 LIMIT $1`,
    [MAX_LISTED],
  );
  return rows.map(({ index }) => index);
}
