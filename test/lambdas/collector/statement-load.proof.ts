import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import type { DatabaseName } from '../../../core/contract';
import { statementLoad, type StatementSample } from '../../../lambdas/collector/statement-load';
import { type Cluster, startCluster } from '../../../local/postgres/cluster';
import { silentLog } from '../../support/log';

/** A server of its own, which counts statements. */
let cluster: Cluster;
let directory: string;
let client: Client;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'billing-operations-statements-'));
  await chmod(directory, 0o755);
  const settings = ['shared_preload_libraries=pg_stat_statements'];
  cluster = await startCluster({ directory, tls: true, durable: false, settings });
  const { host, port, user, password, caFile = '' } = cluster;
  const ssl = { ca: await readFile(caFile, 'utf8') };
  client = new Client({ host, port, user, password, database: 'postgres', ssl });
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await cluster.stop();
  await rm(directory, { recursive: true, force: true });
});

test('a slow statement and one that sets a password are measured, and named without what they say', async () => {
  const samples = new Map<DatabaseName, StatementSample>();
  const info = jest.fn();
  let at = 0;
  const collect = () =>
    statementLoad(client, 'billing', { samples, clock: () => new Date(at), log: { ...silentLog, info } });
  expect(await collect()).toEqual([]);
  expect(samples.size).toBe(0);

  await client.query('CREATE EXTENSION pg_stat_statements');
  expect(await collect()).toEqual([]);
  await client.query("SELECT pg_sleep(0.2), 'ann@example.com' AS email");
  await client.query("CREATE ROLE app PASSWORD 's3cret-1'");
  at = 100_000;
  const [load, slowest] = await collect();

  expect(load?.value).toBeGreaterThan(0.002);
  expect(load?.value).toBeLessThan(0.1);
  expect(slowest?.value).toBeGreaterThanOrEqual(0.2);
  const logged = info.mock.calls.map(([, details]) => details as { statement: string; meanPlace: number | null });
  expect(logged.find(({ meanPlace }) => meanPlace === 1)).toMatchObject({
    queryId: expect.stringMatching(/^-?\d+$/),
    calls: 1,
    statement: 'SELECT pg_sleep($1), $2 AS email',
  });
  const statements = logged.map(({ statement }) => statement);
  expect(statements).toContain('CREATE ROLE app PASSWORD ?');
  expect(JSON.stringify(logged)).not.toMatch(/s3cret|ann@example/);
});
