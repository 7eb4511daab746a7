import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { listenersOf } from '../../local/runtime/listeners';
import { recoverOrphan, startCluster, type Cluster } from '../../local/postgres/cluster';
import { cacheFolder } from '../../local/runtime/folder-cache';
import { identify } from '../../local/runtime/processes';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cluster-test-'));
  chmodSync(directory, 0o755);
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

async function query<Row extends object>(cluster: Cluster, sql: string, ssl: boolean): Promise<Row[]> {
  const { host, port, user, password, caFile } = cluster;
  const tls = ssl ? { ca: readFileSync(caFile ?? '', 'utf8') } : false;
  const client = new Client({ host, port, user, password, database: 'postgres', ssl: tls });
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** Starts a cluster from a process of its own, which then stays up. */
async function startElsewhere(path: string): Promise<{ owner: ChildProcess; pid: number }> {
  const owner = fork(join(__dirname, 'start-cluster.ts'), [path], { execArgv: ['--import', 'tsx'] });
  const [pid] = (await once(owner, 'message')) as [number];
  return { owner, pid };
}

test('with TLS, the server is PostgreSQL 17, encrypts, and refuses a plain connection', async () => {
  const cluster = await startCluster({ directory: join(directory, 'c'), durable: false, tls: true });
  try {
    const [row] = await query<{ version: string; ssl: boolean }>(
      cluster,
      `SELECT current_setting('server_version') AS version, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()`,
      true,
    );
    expect(row).toMatchObject({ version: expect.stringMatching(/^17\./), ssl: true });
    await expect(query(cluster, 'SELECT 1', false)).rejects.toThrow(/no encryption/);
    // Undefined where the operating system does not report them.
    const listeners = listenersOf([cluster.pid]) ?? [{ port: cluster.port, loopback: true }];
    expect(listeners).toMatchObject([{ port: cluster.port, loopback: true }]);
  } finally {
    await cluster.stop();
  }
  expect(identify(cluster.pid)).toBeUndefined();
});

test('clusters are copies of one that is kept, and its password opens none of them', async () => {
  const clusters = await Promise.all(
    ['a', 'b'].map((name) => startCluster({ directory: join(directory, name), durable: false })),
  );
  try {
    const kept = readdirSync(cacheFolder('local-cluster')).map((key) =>
      readFileSync(join(cacheFolder('local-cluster'), key, 'password'), 'utf8'),
    );
    expect(kept.length).toBeGreaterThan(0);
    for (const cluster of clusters) {
      expect(await query(cluster, 'SELECT 1 AS answers', false)).toEqual([{ answers: 1 }]);
      for (const password of [...kept, ...clusters.filter((each) => each !== cluster).map((each) => each.password)]) {
        await expect(query({ ...cluster, password }, 'SELECT 1', false)).rejects.toThrow(
          'password authentication failed',
        );
      }
    }
  } finally {
    await Promise.all(clusters.map((cluster) => cluster.stop()));
  }
});

test('a folder that root alone may enter is served all the same, and a new cluster discards the former', async () => {
  const secluded = join(directory, 'secluded');
  mkdirSync(secluded, { mode: 0o700 });
  const options = { directory: join(secluded, 'c'), durable: false };

  const first = await startCluster(options);
  await query(first, 'CREATE TABLE left_behind ()', false);
  await first.stop();
  const second = await startCluster(options);

  try {
    expect(await query(second, `SELECT to_regclass('left_behind') AS found`, false)).toEqual([{ found: null }]);
  } finally {
    await second.stop();
  }
  expect(readdirSync(secluded)).toEqual(['c']);
});

test('a folder with other content is not touched', async () => {
  writeFileSync(join(directory, 'thesis.txt'), 'years of work');

  await expect(startCluster({ directory })).rejects.toThrow(/not touched/);

  expect(readFileSync(join(directory, 'thesis.txt'), 'utf8')).toBe('years of work');
});

test('a port that is taken is an error with the words of the server', async () => {
  const first = await startCluster({ directory: join(directory, 'a'), durable: false });
  try {
    const second = startCluster({ directory: join(directory, 'b'), durable: false, port: first.port });
    await expect(second).rejects.toThrow(/Address already in use/);
  } finally {
    await first.stop();
  }
});

test('the server of a crashed run is stopped, that of a living run is not', async () => {
  const path = join(directory, 'c');
  const { owner, pid } = await startElsewhere(path);

  await expect(recoverOrphan(path)).rejects.toThrow(/in use/);
  expect(identify(pid)).toBeDefined();

  owner.kill('SIGKILL');
  await once(owner, 'exit');
  expect(identify(pid)).toBeDefined();
  expect(await recoverOrphan(path)).toBe(pid);
  expect(identify(pid)).toBeUndefined();
});

test('a recorded number that another program uses now is left alone', async () => {
  const stranger = fork('-e', [], { execArgv: ['-e', 'setInterval(() => {}, 1000)'] });
  try {
    const server = identify(stranger.pid ?? 0);
    const owner = { pid: stranger.pid, startedAt: 'long ago' };
    writeFileSync(join(directory, 'cluster.json'), JSON.stringify({ owner, home: directory, server }));

    expect(await recoverOrphan(directory)).toBeUndefined();
    expect(stranger.exitCode).toBeNull();
    expect(stranger.signalCode).toBeNull();
  } finally {
    stranger.kill('SIGKILL');
    await once(stranger, 'exit');
  }
});
