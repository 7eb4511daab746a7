import * as limits from '../../lambdas/inspect/contract';
import { judgeStatus } from '../../ops/doctor/platform-checks';
import { runAnswered } from './run-answered';

const RECENT = new Date().toISOString();
const drill = { startedAt: RECENT, outcome: 'passed', findings: null };

const databaseOf = (database: string, known: object) => ({
  database,
  sizeBytes: null,
  connectionsPercent: null,
  schemaVersion: null,
  newestArchive: RECENT,
  archiveLimitSeconds: 3_600,
  lastDrill: null,
  madeAt: null,
  maintenance: [],
  ...known,
});

/** While billing refuses connections, the archives of main are denied, and a secret is not described. */
const partial = {
  action: 'status',
  at: RECENT,
  databases: [databaseOf('billing', {}), databaseOf('main', { sizeBytes: 1, lastDrill: drill, newestArchive: null })],
  events: null,
  queues: { waiting: 12, parked: 3 },
  reconciliation: null,
  money: null,
  secrets: [{ secret: 'stripe-api', changedAt: null }],
  problems: [
    'billing: too many connections',
    'archives of main: Access Denied',
    'ledger: too many connections',
    'secret stripe-api: Access Denied',
  ],
};

const ops = (line: string, answer: object = partial) => runAnswered([...line.split(' '), '--env', 'dev'], answer);

test('the status shows what it could not look up as unknown, and the queues without the ledger', async () => {
  const { status, stdout } = await ops('status');
  expect(status).toBe(1);
  expect(stdout).not.toContain('none yet');
  expect(stdout).toMatch(/^billing .+ ago\) +–$/m);
  expect(stdout).toMatch(/^failed +– in the ledger, 3 parked$/m);
  expect(stdout).toMatch(/^waiting +– in the ledger, 12 in the queue$/m);
  expect(stdout).toMatch(/^reconciliation +–$/m);
  expect(stdout).not.toContain('overdue');
});

test('the status says that there was no drill and no reconciliation where it could look', async () => {
  const { stdout } = await ops('status', { ...partial, problems: [] });
  expect(stdout).toMatch(/^billing .+ none yet$/m);
  expect(stdout).toMatch(/^reconciliation +none yet$/m);
  expect(stdout).toContain('The archive of main is overdue');
});

test('the doctor skips what could not be looked up, and does not advise to make it', () => {
  const checks = judgeStatus(limits.INSPECTIONS.status.report.parse(partial), limits, new Date());
  const unknown = { state: 'skipped', detail: 'could not be looked up', fix: null };
  expect(checks).toEqual(
    expect.arrayContaining([
      { check: 'drill of billing', ...unknown },
      { check: 'archive of main', ...unknown },
      { check: 'reconciliation', ...unknown },
      { check: 'secret stripe-api', ...unknown },
      expect.objectContaining({ check: 'status', detail: 'billing: too many connections', state: 'wrong' }),
      expect.objectContaining({ check: 'archive of billing', state: 'good' }),
      expect.objectContaining({ check: 'drill of main', state: 'good' }),
      expect.objectContaining({ check: 'parked events', state: 'wrong' }),
    ]),
  );
});

test('the webhooks are counted in the queue while the ledger is down, which is a finding', async () => {
  const { status, stdout } = await ops('webhooks status');
  expect(status).toBe(1);
  expect(stdout).toMatch(/^in the queue +12$/m);
  expect(stdout).toMatch(/^parked +3$/m);
  expect(stdout).toMatch(/^failed +–$/m);
  expect(stdout).toMatch(/^ledger: too many connections$/m);
  expect(stdout).not.toContain('Access Denied');
  const calm = await ops('webhooks status', { ...partial, queues: { waiting: 0, parked: 0 } });
  expect(calm.status).toBe(1);
});

test('webhooks of which nothing could be looked up are an error', async () => {
  const problems = ['ledger: too many connections', 'queues: Access Denied'];
  const { status, stderr } = await ops('webhooks status', { ...partial, queues: null, problems });
  expect(status).toBe(4);
  expect(stderr).toContain('ledger: too many connections; queues: Access Denied');
});
