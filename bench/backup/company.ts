import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from 'pg';
import type { BenchDatabase } from '../support/server';
import { databaseBytes } from './fill';

/** Tables with keys, indexes, checks, triggers, comments and views, as a company's application has them. */
const MANY_TABLES = join(__dirname, '../../test/factories/odd-schema/many.sql');
/** Of each table. */
const ROWS = 1_000;

/** Fills a migrated main database with so many tables of a company, each with a thousand rows; returns its bytes. */
export async function fillWithTables(database: BenchDatabase, tables: number): Promise<number> {
  const client = await database.connect();
  try {
    await client.query(readFileSync(MANY_TABLES, 'utf8'));
    await client.query(`CALL make(${tables})`);
    for (let table = 1; table <= tables; table += 1) await fillTable(client, table);
    await client.query('VACUUM (ANALYZE)');
    await client.query('CHECKPOINT');
    return await databaseBytes(client);
  } finally {
    await client.end();
  }
}

/** Names and ids are as random, and as hard to compress, as those of an application. */
async function fillTable(client: Client, table: number): Promise<void> {
  await client.query(
    `INSERT INTO public.t_${table} (ref, name, amount, data, updated_at)
     SELECT ${table > 1 ? 'n' : 'NULL'}, md5(n || '-name-${table}'), n % 977 / 100.0,
       jsonb_build_object('id', md5(n || '-id-${table}'), 'status', (ARRAY['open', 'paid', 'void'])[1 + n % 3], 'note', repeat('lorem ipsum ', n % 20)),
       now() - n * interval '1 minute'
     FROM generate_series(1, ${ROWS}) n`,
  );
}
