import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import { DATABASE_NAMES, type DatabaseName } from '../../core/contract';
import { type LocalDatabaseServer, startDatabases } from '../../local/postgres/databases';
import { Teardown } from '../../local/runtime/teardown';

const directory = mkdtempSync(path.join(tmpdir(), 'database-access-'));
const teardown = new Teardown();
let servers: Record<DatabaseName, LocalDatabaseServer>;

beforeAll(async () => {
  // As root, PostgreSQL runs as somebody else, who has to pass through.
  await chmod(directory, 0o711);
  servers = await startDatabases(directory, 'eu-central-1', teardown, () => undefined);
});
afterAll(async () => {
  await teardown.run();
  rmSync(directory, { recursive: true, force: true });
});

const other = (name: DatabaseName): DatabaseName => (name === 'main' ? 'billing' : 'main');

/** Connects to the database of one server with the credentials of one. */
async function connect(to: DatabaseName, as: DatabaseName, tls = true): Promise<string> {
  const { host, port, caFile } = servers[to].cluster;
  const { username, password } = servers[as].credentials;
  const ssl = tls ? { ca: readFileSync(caFile ?? '', 'utf8') } : false;
  const client = new Client({ host, port, user: username, password, database: to, ssl });
  await client.connect();
  try {
    const found = await client.query<{ name: string }>('SELECT current_database() AS name');
    return found.rows[0]?.name ?? '';
  } finally {
    await client.end();
  }
}

test.each(DATABASE_NAMES)('the credentials of the other instance cannot connect to %s, its own can', async (name) => {
  await expect(connect(name, other(name))).rejects.toMatchObject({ code: '28P01' });
  await expect(connect(name, name)).resolves.toBe(name);
});

test.each(DATABASE_NAMES)('a plain connection to %s is refused', async (name) => {
  await expect(connect(name, name, false)).rejects.toMatchObject({ code: '28000' });
});
