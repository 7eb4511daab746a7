import { readFileSync } from 'node:fs';
import path from 'node:path';
import { escapeIdentifier, type Client } from 'pg';
import { asAdministrator } from '../../support/database';

/** SQL of one of the files beside this one, as `psql -v DBNAME=…` would run it. */
export function schemaFile(name: 'odd-roles' | 'odd' | 'odd-data' | 'many' | 'gap-orders', database = ''): string {
  return readFileSync(path.join(__dirname, `${name}.sql`), 'utf8')
    .replaceAll(/^\\set .*$/gm, '')
    .replaceAll(':DBNAME', escapeIdentifier(database));
}

/**
 * Fills an empty database with every kind of object that PostgreSQL 17 has, under hostile names, and with rows. Roles
 * belong to the cluster: they are made once and stay.
 */
export async function createOddSchema(database: string): Promise<void> {
  await asAdministrator(async (client) => {
    // Tests of several files may make the roles at the same moment.
    await client.query('SELECT pg_advisory_lock(20261128)');
    await client.query(schemaFile('odd-roles'));
  });
  await asAdministrator(async (client) => {
    await client.query(schemaFile('odd', database));
    await client.query(schemaFile('odd-data'));
  }, database);
}

/** Makes `count` tables with keys, indexes, checks, triggers and views, as an application of that size has them. */
export async function createManyTables(client: Client, count: number): Promise<void> {
  await client.query(schemaFile('many'));
  await client.query(`CALL make(${count})`);
}

/** Frees a database of the one object that keeps it from being dropped. */
export async function dropOddSchema(database: string): Promise<void> {
  await asAdministrator((client) => client.query('DROP SUBSCRIPTION IF EXISTS sub'), database);
}
