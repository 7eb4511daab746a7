import { readFileSync, rmSync } from 'node:fs';
import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { Client } from 'pg';
import { DATABASE_NAMES, type DatabaseName } from '../../core/contract';
import { createConnector, type DatabaseConnector, type DatabaseTarget } from '../../core/database/connector';
import { applyMigrations } from '../../core/migrations/runner';
import type { Secrets } from '../../core/runtime/secrets';
import { type Cluster, startCluster } from '../../local/postgres/cluster';
import { secretsOf } from './roles';

/** A server with both databases, whose owner is no superuser: RDS's master user, as far as PostgreSQL itself has one. */
export interface MasterServer {
  readonly cluster: Cluster;
  readonly target: (name: DatabaseName) => DatabaseTarget;
  /** Connects as the master. */
  readonly master: (name: DatabaseName) => DatabaseConnector;
  readonly as: (name: DatabaseName, user: string, password: string) => DatabaseConnector;
  /** Works as the superuser, for what RDS does itself. */
  asSuperuser(sql: string, database?: string): Promise<void>;
  stop(): Promise<void>;
}

export const MASTER = { username: 'billing_admin', password: 'master' } as const;

/** Starts the server, on which roles are no other test's, and migrates both databases. */
export async function startMasterServer(): Promise<MasterServer> {
  const directory = await mkdtemp(path.join(tmpdir(), 'billing-operations-master-'));
  await chmod(directory, 0o711);
  const cluster = await startCluster({ directory: path.join(directory, 'cluster'), durable: false, tls: true });
  const ca = readFileSync(cluster.caFile ?? '', 'utf8');
  setDefaultCACertificates([...getCACertificates('default'), ca]);
  const { host, port, user, password } = cluster;
  async function asSuperuser(sql: string, database = 'postgres'): Promise<void> {
    const client = new Client({ host, port, user, password, database, ssl: { ca } });
    await client.connect();
    try {
      await client.query(sql);
    } finally {
      await client.end();
    }
  }
  const target = (name: DatabaseName): DatabaseTarget => ({
    name,
    host,
    port,
    database: name,
    secretArn: `${name}-secret`,
  });
  const connect = (name: DatabaseName, secrets: Secrets) => createConnector(target(name), secrets, 'test');
  const as = (name: DatabaseName, username: string, word: string) => connect(name, secretsOf(username, word));
  const master = (name: DatabaseName) => as(name, MASTER.username, MASTER.password);
  await asSuperuser(
    `CREATE ROLE ${MASTER.username} LOGIN CREATEDB CREATEROLE PASSWORD '${MASTER.password}';
     GRANT pg_monitor TO ${MASTER.username} WITH ADMIN OPTION; CREATE ROLE rds_iam; GRANT rds_iam TO ${MASTER.username} WITH ADMIN OPTION`,
  );
  for (const name of DATABASE_NAMES) {
    await asSuperuser(`CREATE DATABASE ${name} OWNER ${MASTER.username}`);
    const client = await master(name).connect();
    await applyMigrations(client, name, path.resolve(__dirname, '../../migrations', name));
    await client.end();
  }
  return {
    cluster,
    target,
    master,
    as,
    asSuperuser,
    async stop() {
      await cluster.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
