import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { DATABASE_NAMES, type DatabaseName } from '../../core/contract';
import { startCluster, type Cluster } from './cluster';
import type { Teardown } from '../runtime/teardown';
import { secretArnOf } from './secret-arn';

/** One of the two databases, on a cluster of its own. */
export interface LocalDatabaseServer {
  readonly name: DatabaseName;
  readonly cluster: Cluster;
  /** Role of the functions. Like RDS's master user it may create databases and is no superuser. */
  readonly credentials: { readonly username: string; readonly password: string };
  /** As an operator's configuration names it. */
  readonly secretArn: string;
  /** Connection URI for `psql` and other clients of libpq. */
  readonly url: string;
  /** A new connection as the functions' role; the caller ends it. */
  connect(): Promise<Client>;
}

const ROLE = 'operations';

async function prepare(cluster: Cluster, name: DatabaseName, password: string): Promise<void> {
  const { host, port, user, caFile } = cluster;
  const ssl = { ca: readFileSync(caFile ?? '', 'utf8') };
  const client = new Client({ host, port, user, password: cluster.password, database: 'postgres', ssl });
  await client.connect();
  try {
    await client.query(`CREATE ROLE ${ROLE} LOGIN CREATEDB CREATEROLE PASSWORD ${client.escapeLiteral(password)}`);
    // As RDS's administrator has it: who is connected and what runs is visible.
    await client.query(`GRANT pg_monitor TO ${ROLE}`);
    await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)} OWNER ${ROLE}`);
  } finally {
    await client.end();
  }
}

async function startServer(
  name: DatabaseName,
  directory: string,
  region: string,
  log: (message: string) => void,
): Promise<LocalDatabaseServer> {
  const cluster = await startCluster({ directory: join(directory, name), tls: true, durable: false, log });
  const { host, port, caFile } = cluster;
  if (caFile === undefined) throw new Error('The cluster has no certificate.');
  const password = randomBytes(18).toString('base64url');
  try {
    await prepare(cluster, name, password);
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  return {
    name,
    cluster,
    credentials: { username: ROLE, password },
    secretArn: secretArnOf(name, region),
    url: `postgresql://${ROLE}:${password}@${host}:${port}/${name}?sslmode=verify-full&sslrootcert=${encodeURIComponent(caFile).replaceAll("'", '%27')}`,
    async connect() {
      const ssl = { ca: readFileSync(caFile, 'utf8') };
      const client = new Client({ host, port, user: ROLE, password, database: name, ssl });
      // A server that goes away fails the next query; without a listener, the event would end this process.
      client.on('error', () => undefined);
      await client.connect();
      return client;
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

/** One file with the authorities of both databases, as the functions know only one. */
export function writeAuthorities(
  directory: string,
  databases: Readonly<Record<DatabaseName, LocalDatabaseServer>>,
): string {
  const path = join(directory, 'ca.pem');
  const certificates = Object.values(databases).map(({ cluster }) => readFileSync(cluster.caFile ?? '', 'utf8'));
  writeFileSync(path, certificates.join('\n'));
  return path;
}
