import { Client } from 'pg';
import { INSPECTIONS } from '../../lambdas/inspect/contract';
import { contract as backupContract } from '../../lambdas/backup/contract';
import { runOps, type Outcome } from './run-ops';
import { wordsOf } from './runbook-lines';
import { startedPlatform, type StartedPlatform } from './started-platform';

/** The workflows for large databases on the local platform: as it starts them, with the functions as bundled. */
jest.setTimeout(120_000);

const ROWS = 3_000;
let platform: StartedPlatform;
let main: Client | undefined;
let write: (sql: string) => Promise<unknown>;

beforeAll(async () => {
  platform = await startedPlatform();
  for (const database of ['billing', 'main']) await ops(`migrate apply ${database}`);
  const client = await connected('main');
  main = client;
  write = (sql) => client.query(sql);
  await write(`
    CREATE SCHEMA shop;
    CREATE TABLE shop.orders (id int PRIMARY KEY, total numeric NOT NULL);
    CREATE INDEX orders_by_total ON shop.orders (total);
    INSERT INTO shop.orders SELECT n, n * 1.5 FROM generate_series(1, ${ROWS}) n`);
});
afterAll(async () => {
  await main?.end();
  await platform.stop();
});

async function connected(database: string): Promise<Client> {
  const url = new URL(platform.mainUrl);
  url.pathname = `/${database}`;
  const client = new Client({ connectionString: url.href });
  await client.connect();
  return client;
}

const ops = (line: string): Promise<Outcome> =>
  runOps([...wordsOf(line), '--env', 'local'], { environment: { OPS_LOCAL_FOLDER: platform.folder } });

/** Follows what a command started, by the line that it printed. */
async function followed({ stdout, stderr }: Outcome): Promise<Outcome> {
  const [, line] = /follow +ops (runs --follow \S+)/.exec(stdout) ?? [];
  if (line === undefined) throw new Error(`It printed no way to follow it: ${stdout}${stderr}`);
  return ops(line);
}

test('a database is archived in parts from a copy, and restored and drilled in parts when the original has lost rows', async () => {
  const started = await ops('backup main --in-parts');
  expect([started.status, started.stderr]).toEqual([0, '']);
  const archived = await followed(started);
  // It is asked every two seconds, in which several states may come and go.
  expect(archived.stderr).toMatch(/running, at \w/);
  expect(archived).toMatchObject({ status: 0, stdout: expect.stringMatching(/: done, succeeded, at Archived\n$/) });
  await write('DELETE FROM shop.orders WHERE id > 10');

  const restored = await followed(await ops('restore main --into main_in_parts'));
  expect(restored).toMatchObject({ status: 0, stdout: expect.stringMatching(/: done, succeeded, at Restored\n$/) });
  const copy = await connected('main_in_parts');
  const { rows } = await copy.query('SELECT count(*)::int AS rows, sum(total)::float8 AS total FROM shop.orders');
  await copy.end();
  expect(rows).toEqual([{ rows: ROWS, total: (ROWS * (ROWS + 1) * 1.5) / 2 }]);

  expect(await followed(await ops('drill main'))).toMatchObject({ status: 0 });
  const { stdout } = await ops('drills list main --json');
  expect(INSPECTIONS.drills.report.parse(JSON.parse(stdout)).drills).toMatchObject([{ outcome: 'passed' }]);
});

test('an archive in parts that fails says why and what is safe, leaves nothing, and the next one succeeds', async () => {
  await write('REVOKE ALL ON shop.orders FROM CURRENT_USER');
  const failed = await followed(await ops('backup main --in-parts'));
  expect(failed.status).toBe(1);
  expect(failed.stdout).toMatch(
    /: failed, failed, at Explain the failure: State: \w.*permission denied for table orders/,
  );
  expect(failed.stdout).toContain('no incomplete archive was published');

  await write('GRANT ALL ON shop.orders TO CURRENT_USER');
  const { stdout } = await ops('backup main --in-parts --json');
  const { outcome, execution = '' } = backupContract.report.parse(JSON.parse(stdout));
  expect(outcome).toBe('started');
  expect(await ops(`runs --follow archive:main:${execution.split(':').at(-1)}`)).toMatchObject({ status: 0 });
});
