import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import * as z from 'zod';
import { DATABASE_NAMES, type DatabaseName } from '../../core/contract';
import { startCluster, type Cluster } from './cluster';
import type { Teardown } from '../runtime/teardown';
import { secretArnOf } from './secret-arn';

const credentialsForm = z.object({ username: z.string(), password: z.string() });
type Credentials = Readonly<z.infer<typeof credentialsForm>>;

/** One of the two databases, on a cluster of its own. */
export interface LocalDatabaseServer {
  readonly name: DatabaseName;
  readonly cluster: Cluster;
  /** Role of the functions, with its password as it is now. Like RDS's master user it may create databases and is no superuser. */
  readonly credentials: Credentials;
  /** As an operator's configuration names it. */
  readonly secretArn: string;
  /** Connection URI for `psql` and other clients of libpq, until the password rotates. */
  readonly url: string;
  /**
   * A new connection as the functions' role; the caller ends it.
   *
   * @param database another one of the server. @default - the one of this name
   */
  connect(database?: string): Promise<Client>;
  /** Has `credentials`, `url` and `connect` follow the secret from now on, whose password rotates. */
  followSecret(read: () => unknown): void;
}

const ROLE = 'operations';

/** Counts statements, as in RDS, for `ops queries`. */
const STATEMENTS = 'pg_stat_statements';
/** Folder and secret of the server that billing may be moved to. */
const SECOND_BILLING = 'second-billing';

/** Connects to a database as the superuser for the length of some work. */
export async function asSuperuser<T>(
  cluster: Cluster,
  database: string,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const { host, port, user, password, caFile } = cluster;
  const client = new Client({ host, port, user, password, database, ssl: { ca: readFileSync(caFile ?? '', 'utf8') } });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function prepare(cluster: Cluster, name: DatabaseName, password: string): Promise<void> {
  await asSuperuser(cluster, 'postgres', async (client) => {
    await client.query(
      `CREATE ROLE ${ROLE} LOGIN CREATEDB CREATEROLE REPLICATION PASSWORD ${client.escapeLiteral(password)}`,
    );
    // As RDS's administrator has it: who is connected and what runs is visible, sessions may be ended, and rows replicated.
    await client.query(`GRANT pg_monitor TO ${ROLE} WITH ADMIN OPTION`);
    await client.query(`GRANT pg_signal_backend, pg_create_subscription TO ${ROLE}`);
    await client.query('ALTER DATABASE template0 ALLOW_CONNECTIONS true');
  });
  // RDS's administrator may create it in any database, a restored one included. Here that takes a superuser, so each database
  // has it from the start: restores use this template.
  await asSuperuser(cluster, 'template0', (client) => client.query(`CREATE EXTENSION ${STATEMENTS}`));
  await asSuperuser(cluster, 'postgres', async (client) => {
    await client.query('ALTER DATABASE template0 ALLOW_CONNECTIONS false');
    await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)} OWNER ${ROLE} TEMPLATE template0`);
  });
}

async function startServer(
  name: DatabaseName,
  directory: string,
  region: string,
  log: (message: string) => void,
  label: string = name,
): Promise<LocalDatabaseServer> {
  const settings = [`shared_preload_libraries=${STATEMENTS}`, 'wal_level=logical'];
  const cluster = await startCluster({ directory: join(directory, label), tls: true, durable: false, settings, log });
  const { host, port, caFile } = cluster;
  if (caFile === undefined) throw new Error('The cluster has no certificate.');
  const password = randomBytes(18).toString('base64url');
  try {
    await prepare(cluster, name, password);
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  let credentials = (): Credentials => ({ username: ROLE, password });
  return {
    name,
    cluster,
    get credentials() {
      return credentials();
    },
    secretArn: secretArnOf(label, region),
    get url() {
      const authority = encodeURIComponent(caFile).replaceAll("'", '%27');
      const { username, password: current } = credentials();
      return `postgresql://${username}:${current}@${host}:${port}/${name}?sslmode=verify-full&sslrootcert=${authority}`;
    },
    async connect(database = name) {
      const ssl = { ca: readFileSync(caFile, 'utf8') };
      const { username: user, password: current } = credentials();
      const client = new Client({ host, port, user, password: current, database, ssl });
      // A server that goes away fails the next query; without a listener, the event would end this process.
      client.on('error', () => undefined);
      await client.connect();
      return client;
    },
    followSecret(read) {
      credentials = () => credentialsForm.parse(read());
    },
  };
}

/** Starts both databases, each on a cluster of its own, as they are in AWS. */
export async function startDatabases(
  directory: string,
  region: string,
  teardown: Teardown,
  log: (message: string) => void,
): Promise<Record<DatabaseName, LocalDatabaseServer>> {
  const results = await Promise.allSettled(
    DATABASE_NAMES.map(async (name) => {
      const server = await startServer(name, directory, region, log);
      teardown.add(() => server.cluster.stop());
      return [name, server] as const;
    }),
  );
  const failure = results.find((result) => result.status === 'rejected');
  if (failure !== undefined) throw failure.reason;
  const servers = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  return Object.fromEntries(servers) as Record<DatabaseName, LocalDatabaseServer>;
}

/** Starts the server that billing may be moved to, with an empty database. */
export async function startSecondBilling(
  directory: string,
  region: string,
  teardown: Teardown,
  log: (message: string) => void,
): Promise<LocalDatabaseServer> {
  const server = await startServer('billing', directory, region, log, SECOND_BILLING);
  teardown.add(() => server.cluster.stop());
  return server;
}

/** One file with the authorities of all servers, as the functions know only one. */
export function writeAuthorities(directory: string, databases: readonly LocalDatabaseServer[]): string {
  const path = join(directory, 'ca.pem');
  const certificates = databases.map(({ cluster }) => readFileSync(cluster.caFile ?? '', 'utf8'));
  writeFileSync(path, certificates.join('\n'));
  return path;
}
