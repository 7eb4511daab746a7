import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import { observeStillness } from '../../../lambdas/backup/stillness';
import { waitUntil } from '../../../local/pass/check';
import { type Cluster, startCluster } from '../../../local/postgres/cluster';

/** A server of its own: it crashes, and its settings change. */
let cluster: Cluster;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'billing-operations-stillness-'));
  await chmod(directory, 0o755);
  cluster = await startCluster({ directory, tls: true, durable: false });
  await query('CREATE TABLE public.kept (id int)', 'CREATE ROLE reader');
});
afterAll(async () => {
  await cluster.stop();
  await rm(directory, { recursive: true, force: true });
});

/** Runs `work` with a session that has ended for the server as well before the next one begins. */
async function withClient<T>(work: (client: Client) => Promise<T>): Promise<T> {
  const { host, port, user, password, caFile = '' } = cluster;
  const client = new Client({
    host,
    port,
    user,
    password,
    database: 'postgres',
    ssl: { ca: await readFile(caFile, 'utf8') },
    application_name: 'backup',
  });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

const query = (...statements: string[]) =>
  withClient(async (client) => {
    for (const statement of statements) await client.query(statement);
  });

/** By a role that sees nothing of the server's own processes, as that of the function. */
const observe = () =>
  withClient(async (client) => {
    await client.query('SET ROLE reader');
    return observeStillness(client);
  });

const serverStart = () =>
  withClient(async (client) => (await client.query('SELECT pg_postmaster_start_time()::text AS at')).rows[0] as object);

/** What is missing until the server has noticed the crash, and answers again. */
async function recovered(): Promise<string | undefined> {
  const log = await readFile(cluster.logFile, 'utf8');
  if (!log.includes('reinitializing')) return 'the server has not noticed the crash';
  return serverStart().then(
    () => undefined,
    (error: Error) => error.message,
  );
}

test('a crash of one session, after which the server counts from nothing, is a change', async () => {
  // Nothing was written yet, so the counters of after the crash are those of before.
  const [before, started] = [await observe(), await serverStart()];
  expect(await observe()).toBe(before);
  await withClient(async (client) => {
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    await client.query('INSERT INTO public.kept VALUES (2)');
    process.kill(rows[0]?.pid ?? 0, 'SIGKILL');
    await client.query('SELECT 1').catch(() => undefined);
  });
  await waitUntil(recovered, 30_000);
  expect(await serverStart()).toEqual(started);
  expect(await observe()).not.toBe(before);
});

test.each([
  ['the server', 'ALTER SYSTEM SET track_counts = off', 'ALTER SYSTEM RESET track_counts'],
  ['the database', 'ALTER DATABASE postgres SET track_counts = no', 'ALTER DATABASE postgres RESET track_counts'],
  ['a role', 'ALTER ROLE reader SET track_counts = 0', 'ALTER ROLE reader RESET track_counts'],
])('a database in which %s counts no writes is refused, naming the setting', async (_, off, on) => {
  const reload = 'SELECT pg_reload_conf(), pg_sleep(0.5)';
  await query(off, reload);
  const message = expect.stringContaining('track_counts is off') as string;
  await expect(observe()).rejects.toMatchObject({ code: 'server_unsupported', message });
  await query(on, reload);
  await expect(observe()).resolves.toHaveLength(32);
});
