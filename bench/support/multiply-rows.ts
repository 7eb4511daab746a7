import { createHash } from 'node:crypto';
import type { Client } from 'pg';

/** Placeholders that a template may hold, each standing for an id of its own. */
const PLACEHOLDERS = 24;

/** Stands in a template for the id that {@link idOf} gives the same `kind` in the copy `index`. */
export function placeholder(kind: number): string {
  return `Qid${kind}Q`;
}

/** The 24 characters that replace a placeholder in a copy; as random, and as hard to compress, as Stripe's own. */
export function idOf(kind: number, index: number): string {
  return createHash('md5').update(`${index}-${kind}`).digest('hex').slice(0, 24);
}

/**
 * Fills a database by copying the rows that hold a placeholder, in every table, with an id in the placeholder's stead.
 * What is copied was written by the contender's own code, so each is filled in its own way, and in seconds.
 *
 * Foreign keys and triggers are off meanwhile: consistent rows have consistent copies.
 */
export async function multiplyRows(client: Client, fromIndex: number, toIndex: number): Promise<void> {
  const tables = await client.query<{ name: string; columns: string[] }>(`
    SELECT format('%I.%I', n.nspname, c.relname) AS name,
           array_agg(quote_ident(a.attname) ORDER BY a.attnum) AS columns
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
      AND a.attgenerated = '' AND a.attidentity = ''
      AND coalesce(pg_get_expr(d.adbin, d.adrelid), '') NOT LIKE 'nextval(%'
    GROUP BY 1`);
  await client.query('SET session_replication_role = replica');
  for (const { name, columns } of tables.rows) {
    const copies = Array.from({ length: PLACEHOLDERS }, (_, kind) => kind).reduce(
      (text, kind) => `replace(${text}, '${placeholder(kind)}', substr(md5(copy::text || '-${kind}'), 1, 24))`,
      'template.content',
    );
    await client.query(
      `INSERT INTO ${name} (${columns.join(', ')})
       SELECT ${columns.map((column) => `filled.${column}`).join(', ')}
       FROM (SELECT to_jsonb(original)::text AS content FROM ${name} AS original
             WHERE to_jsonb(original)::text ~ 'Qid[0-9]+Q') AS template,
         generate_series($1::integer, $2::integer) AS copy,
         jsonb_populate_record(NULL::${name}, (${copies})::jsonb) AS filled`,
      [fromIndex, toIndex],
    );
  }
  await client.query('RESET session_replication_role');
}
