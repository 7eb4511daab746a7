import { createHash } from 'node:crypto';
import type { Client } from 'pg';

/** What stands for an id in a template; the number tells ids of different kinds apart. */
const PLACEHOLDER = /Qid([0-9]+)Q/g;

/** Stands in a template for the id that {@link idOf} gives the same `kind` in the copy `index`. */
export function placeholder(kind: number): string {
  return `Qid${kind}Q`;
}

/** The 24 characters that replace a placeholder in a copy; as random, and as hard to compress, as Stripe's own. */
export function idOf(kind: number, index: number): string {
  return createHash('md5').update(`${index}-${kind}`).digest('hex').slice(0, 24);
}

/** Rows of one table that are to be copied. */
export interface Template {
  /** Escaped, with its schema. */
  readonly table: string;
  /** Escaped; those that PostgreSQL numbers or computes are left to it. */
  readonly columns: readonly string[];
  /** Each row as JSON, with its placeholders. */
  readonly rows: readonly string[];
}

/**
 * Finds the rows that hold a placeholder, in every table. They were written by the contender's own code, so that each
 * database is filled in its contender's own way. To be called once, while there is little else in the database.
 */
export async function readTemplates(client: Client): Promise<Template[]> {
  const tables = await client.query<{ table: string; columns: string[] }>(`
    SELECT format('%I.%I', n.nspname, c.relname) AS table,
           array_agg(quote_ident(a.attname) ORDER BY a.attnum) AS columns
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
      AND a.attgenerated = '' AND a.attidentity = ''
      AND coalesce(pg_get_expr(d.adbin, d.adrelid), '') NOT LIKE 'nextval(%'
    GROUP BY 1`);
  const templates: Template[] = [];
  for (const { table, columns } of tables.rows) {
    const found = await client.query<{ row: string }>(
      `SELECT to_jsonb(original)::text AS row FROM ${table} AS original WHERE to_jsonb(original)::text ~ $1`,
      [PLACEHOLDER.source],
    );
    if (found.rows.length > 0) templates.push({ table, columns, rows: found.rows.map(({ row }) => row) });
  }
  return templates;
}

/**
 * Copies the templates, with ids in the placeholders' stead, in seconds where a contender's own code takes minutes.
 * Foreign keys and triggers are off meanwhile: consistent rows have consistent copies.
 */
export async function multiplyRows(
  client: Client,
  templates: readonly Template[],
  fromIndex: number,
  toIndex: number,
): Promise<void> {
  await client.query('SET session_replication_role = replica');
  for (const { table, columns, rows } of templates) {
    const kinds = new Set(rows.flatMap((row) => [...row.matchAll(PLACEHOLDER)].map(([, kind]) => kind)));
    const filled = [...kinds].reduce(
      (text, kind) => `replace(${text}, 'Qid${kind}Q', substr(md5(copy::text || '-${kind}'), 1, 24))`,
      'template.content',
    );
    await client.query(
      `INSERT INTO ${table} (${columns.join(', ')})
       SELECT ${columns.map((column) => `filled.${column}`).join(', ')}
       FROM unnest($1::text[]) AS template (content), generate_series($2::integer, $3::integer) AS copy,
         jsonb_populate_record(NULL::${table}, (${filled})::jsonb) AS filled`,
      [rows, fromIndex, toIndex],
    );
  }
  await client.query('RESET session_replication_role');
}
