import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Pool, type ClientConfig } from 'pg';
import type { DatabaseName } from '../../core/contract';
import { createConnector, type DatabaseConnector, type DatabaseTarget } from '../../core/database/connector';
import type { Secrets } from '../../core/runtime/secrets';
import { testServices } from './services';

/** Name of the migrated database that each kind is cloned from. */
export function templateName(kind: DatabaseName): string {
  return `template_${kind}`;
}

export interface TestDatabase {
  readonly name: string;
  readonly connector: DatabaseConnector;
  /** A connection that is closed with the database. */
  client(): Promise<Client>;
  drop(): Promise<void>;
}

/** Secrets Manager holding one secret: the credentials of the test cluster. */
export function clusterSecrets(): Secrets {
  const { user, password } = testServices().cluster;
  return { read: async (_arn, schema) => schema.parse({ username: user, password }) };
}

export function clusterTarget(database: string, name: DatabaseName = 'billing'): DatabaseTarget {
  const { host, port } = testServices().cluster;
  return { name, host, port, database, secretArn: 'cluster' };
}

function administratorOf(database: string): ClientConfig {
  const { host, port, user, password, caFile } = testServices().cluster;
  return { host, port, user, password, database, ssl: { ca: readFileSync(caFile, 'utf8') } };
}

export async function asAdministrator<T>(work: (client: Client) => Promise<T>, database = 'postgres'): Promise<T> {
  const client = new Client(administratorOf(database));
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

let pool: Pool | undefined;

/** Creates and drops databases over connections that stay, because connecting costs as much as that. */
async function manage(statement: string): Promise<number> {
  pool ??= new Pool({ ...administratorOf('postgres'), max: 2, idleTimeoutMillis: 1_000, allowExitOnIdle: true })
    // An idle connection that is lost, with its server at the latest, is replaced by the next statement.
    .on('error', () => undefined);
  const { rowCount } = await pool.query(statement);
  return rowCount ?? 0;
}

/** PostgreSQL looks for sessions that keep it from dropping a database ten times a second, and most are gone much sooner. */
const LOOKS = 50;

/** Ends the sessions of a database, and waits until they are gone. */
async function endSessions(database: string): Promise<void> {
  const end = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${database}'`;
  for (let look = 0; look < LOOKS && (await manage(end)) > 0; look += 1) await sleep(2);
}

/** A database of its own on the real cluster: migrated, or `empty`. */
export async function createTestDatabase(kind: DatabaseName | 'empty'): Promise<TestDatabase> {
  const name = `test_${kind}_${randomBytes(6).toString('hex')}`;
  const template = kind === 'empty' ? 'template0' : templateName(kind);
  await manage(`CREATE DATABASE ${name} TEMPLATE ${template} STRATEGY FILE_COPY`);
  const target = clusterTarget(name, kind === 'empty' ? 'billing' : kind);
  const connector = createConnector(target, clusterSecrets(), 'test');
  const clients: Client[] = [];
  return {
    name,
    connector,
    async client() {
      const client = await connector.connect();
      clients.push(client);
      return client;
    },
    async drop() {
      await Promise.all(clients.map((client) => client.end().catch(() => undefined)));
      await endSessions(name);
      await manage(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}
