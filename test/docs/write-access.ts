import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import { applyAccess } from '../../core/access/apply';
import { planAccess } from '../../core/access/plan';
import { ACCESS_POLICIES } from '../../core/access/policy';
import { DATABASE_NAMES, type DatabaseName } from '../../core/contract';
import { applyMigrations } from '../../core/migrations/runner';
import { startCluster } from '../../local/postgres/cluster';
import { accessMatrix, accessPage } from './access-page';
import { writeFormatted } from '../support/write-formatted';

// Writes docs/access.md, from the policy and two databases on a PostgreSQL of its own.
const file = path.resolve(__dirname, '../../docs/access.md');

async function write(): Promise<void> {
  const directory = mkdtempSync(path.join(tmpdir(), 'billing-operations-access-'));
  chmodSync(directory, 0o711);
  const cluster = await startCluster({ directory: path.join(directory, 'cluster'), durable: false });
  const { host, port, user, password } = cluster;
  const connect = async (database: string): Promise<Client> => {
    const client = new Client({ host, port, user, password, database });
    await client.connect();
    return client;
  };
  const connections = {} as Record<DatabaseName, Client>;
  try {
    const administrator = await connect('postgres');
    for (const name of DATABASE_NAMES) {
      await administrator.query(`CREATE DATABASE ${name}`);
      const client = await connect(name);
      connections[name] = client;
      await applyMigrations(client, name, path.resolve(__dirname, '../../migrations', name));
      const wishes = { name, logins: [], people: [], keep: [], whole: true };
      await applyAccess(client, (await planAccess(client, ACCESS_POLICIES[name], wishes)).changes);
    }
    const page = accessPage(readFileSync(file, 'utf8'), await accessMatrix(connections));
    await writeFormatted(file, page);
    await administrator.end();
  } finally {
    await Promise.all(Object.values(connections).map((client) => client.end()));
    await cluster.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

void write();
