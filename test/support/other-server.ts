import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { Client } from 'pg';
import { createConnector, type DatabaseConnector, type DatabaseTarget } from '../../core/database/connector';
import { startCluster } from '../../local/postgres/cluster';
import { secretsOf } from './roles';

/** A server of its own beside that of the tests, of another version or build. */
export interface OtherServer {
  query(database: string, sql: string): Promise<Record<string, unknown>[]>;
  connector(target: Pick<DatabaseTarget, 'name' | 'database' | 'managed'>): DatabaseConnector;
  stop(): Promise<void>;
}

/** @param packageFolder with the server's programs, in the layout of npm's package */
export async function startOtherServer(packageFolder: string): Promise<OtherServer> {
  const directory = mkdtempSync(path.join(tmpdir(), 'billing-operations-other-'));
  await chmod(directory, 0o711);
  const cluster = await startCluster({
    directory: path.join(directory, 'cluster'),
    durable: false,
    tls: true,
    packageFolder,
  });
  const { host, port, user, password } = cluster;
  const ca = readFileSync(cluster.caFile ?? '', 'utf8');
  setDefaultCACertificates([...getCACertificates('default'), ca]);
  return {
    async query(database, sql) {
      const client = new Client({ host, port, user, password, database, ssl: { ca } });
      await client.connect();
      try {
        return (await client.query<Record<string, unknown>>(sql)).rows;
      } finally {
        await client.end();
      }
    },
    connector: (target) =>
      createConnector({ ...target, host, port, secretArn: 'other' }, secretsOf(user, password), 'test'),
    async stop() {
      await cluster.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
