import { type ClientBase, escapeIdentifier } from 'pg';
import { listTables } from '../../core/archive/catalog';
import { qualified } from '../../core/archive/copy-session';
import type { WarmPosition } from './contract';

/** A table or index, and how to read it. */
export interface Relation {
  readonly kind: WarmPosition['kind'];
  readonly oid: number;
  /** `schema.name` */
  readonly name: string;
  readonly pages: number;
  /** Reads pages `from` up to, but without, `to`. */
  readonly read: (client: ClientBase, from: number, to: number) => Promise<unknown>;
}

export interface WarmableRelations {
  readonly relations: readonly Relation[];
  /** False when the server lacks `pg_prewarm`, without which an index cannot be read as a whole. */
  readonly includesIndexes: boolean;
}

/** The tables of the database, and their indexes where the server can read them. */
export async function listRelations(client: ClientBase): Promise<WarmableRelations> {
  const tables = await tableRelations(client);
  const prewarmSchema = await schemaOfPrewarm(client);
  if (prewarmSchema === undefined) return { relations: tables, includesIndexes: false };
  const indexes = await indexRelations(client, tables, prewarmSchema);
  return { relations: [...tables, ...indexes], includesIndexes: true };
}

async function tableRelations(client: ClientBase): Promise<Relation[]> {
  return (await listTables(client)).map((table) => ({
    kind: 'table' as const,
    oid: table.oid,
    name: `${table.schema}.${table.name}`,
    pages: table.pages,
    // As text, so that values stored beside their pages are read and decompressed too. The alias must not be the name of
    // a column, which would take precedence over the row.
    read: (reader, from, to) =>
      reader.query(
        `SELECT count(octet_length(whole_row::text)) FROM ONLY ${qualified(table)} AS whole_row
         WHERE ctid >= '(${from},0)' AND ctid < '(${to},0)'`,
      ),
  }));
}

async function schemaOfPrewarm(client: ClientBase): Promise<string | undefined> {
  const extension = await client.query<{ schema: string }>(
    `SELECT n.nspname AS schema FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
     WHERE e.extname = 'pg_prewarm'`,
  );
  return extension.rows[0]?.schema;
}

async function indexRelations(
  client: ClientBase,
  tables: readonly Relation[],
  prewarmSchema: string,
): Promise<Relation[]> {
  const indexes = await client.query<Pick<Relation, 'oid' | 'name' | 'pages'>>(
    `SELECT c.oid::int8::float8 AS oid, n.nspname || '.' || c.relname AS name,
            (pg_relation_size(c.oid) / current_setting('block_size')::int)::float8 AS pages
     FROM pg_index i
     JOIN pg_class c ON c.oid = i.indexrelid AND c.relkind = 'i'
     JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE i.indisvalid AND i.indrelid = ANY ($1::oid[])`,
    [tables.map(({ oid }) => oid)],
  );
  const prewarm = `${escapeIdentifier(prewarmSchema)}.pg_prewarm`;
  return indexes.rows.map((index) => ({
    ...index,
    kind: 'index' as const,
    read: (reader, from, to) =>
      reader.query(`SELECT ${prewarm}(${index.oid}::oid::regclass, 'buffer', 'main', ${from}, ${to - 1})`),
  }));
}
