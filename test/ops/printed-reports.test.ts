import { InvokeCommand } from '@aws-sdk/client-lambda';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { askedLambda, runAnswered } from './run-answered';
import type { Outcome, RunOptions } from './run-ops';
import { writePlatformFile } from './write-platform-file';

/** What people read of a report, where a figure alone would mislead them. */
async function ops(line: string, answer: object, options: RunOptions = {}): Promise<Outcome> {
  const environment = options.environment === undefined ? ['--env', 'dev'] : ['--env', 'local'];
  const audit = ['status', 'queries billing'].includes(line) ? [] : ['--without-audit'];
  return runAnswered([...line.split(' '), ...environment, ...audit], answer, options);
}

const RUN = {
  runId: '7',
  status: 'complete',
  dryRun: false,
  comparedUntil: '2026-11-21T05:45:00.000Z',
  uncomparedSeconds: 900,
  eventsChecked: 0,
  eventsMissed: 0,
  subscriptions_checked: 0,
  purchases_checked: 0,
  chargesChecked: 0,
  kinds: {},
  drift_detected: 0,
  corrected: 0,
  errors: 0,
  durationMs: 1,
};

test('a reconciliation that found nothing says up to when it compared, and how to compare what is younger', async () => {
  const settled = await ops('reconcile', RUN);
  expect(settled.status).toBe(0);
  expect(settled.stdout).toMatch(/^up to +2026-11-21 05:45:00Z \(.+ ago\)$/m);
  expect(settled.stdout).toMatch(/^not compared +the last 15 min, .+: ops reconcile --settle-seconds 0$/m);

  const whole = await ops('reconcile --settle-seconds 0', { ...RUN, uncomparedSeconds: 0 });
  expect(whole.stdout).toMatch(/^up to /m);
  expect(whole.stdout).not.toContain('not compared');
});

test('a reconciliation names the command that lists what it did not correct', async () => {
  const some = await ops('reconcile', { ...RUN, drift_detected: 3, corrected: 2 });
  expect([some.status, some.stdout]).toEqual([
    1,
    expect.stringMatching(/^not corrected +1: ops reconciliations findings --run 7$/m),
  ]);
  expect((await ops('reconcile', { ...RUN, drift_detected: 3, corrected: 3 })).stdout).not.toContain('findings');
});

test('the status shows refunds as amounts of their currency', async () => {
  const refundsToday = [
    { currency: 'jpy', refunds: 2, amount: '900' },
    { currency: 'usd', refunds: 1, amount: '1500' },
  ];
  const { stdout } = await ops('status', {
    action: 'status',
    at: '2026-11-21T06:00:00Z',
    databases: [],
    events: null,
    queues: null,
    reconciliation: null,
    money: { failedSubscriptionsPercent: 0, refundsToday },
    secrets: [],
    problems: [],
  });
  expect(stdout).toMatch(/^refunds today +2 \(900 JPY\), 1 \(15\.00 USD\)$/m);
});

const TIER = { state: 'not-on-rds', limitSeconds: 900 };
const ARCHIVE = {
  database: 'main',
  slot: '2026-11-21T06:00:00Z',
  manifestKey: 'archives/main/2026-11-21T060000Z/manifest.json',
  manifestSha256: null,
  outcome: 'created',
  tables: 2,
  rows: 3,
  bytes: 4,
  compressedBytes: 5,
  omissions: [],
  schemaChange: { state: 'none', since: null, total: 0, objects: [] },
  durationMs: 53,
  expiredArchives: 0,
  sweptLeftovers: 0,
  housekeepingFailed: false,
  protection: { pointInTime: TIER, recoveryPoints: TIER },
};

test('an archive that a workflow has yet to write is shown without a size, rows or duration', async () => {
  const execution = 'arn:aws:states:eu-central-1:1:execution:BillingOps-dev-archive-main:one';
  const started = await ops('backup main --in-parts', {
    ...ARCHIVE,
    outcome: 'started',
    execution,
    tables: 0,
    rows: 0,
    bytes: 0,
    compressedBytes: 0,
  });
  expect(started.status).toBe(0);
  expect(started.stdout).toMatch(/^follow +ops runs --follow archive:main:one$/m);
  expect(started.stdout).toMatch(/^in S3 +not yet; later at archives\/main\//m);
  expect(started.stdout).not.toMatch(/^(?:content|took) |\b0 (?:tables|rows|B)\b/m);
  expect((await ops('backup main', ARCHIVE)).stdout).toMatch(
    /^content +2 tables, 3 rows, 4 B\nin S3 .+\ntook +53 ms$/m,
  );
});

test('a snapshot that was asked for and not taken is a finding', async () => {
  const without = await ops('backup main --before-migration', ARCHIVE);
  expect([without.status, without.stdout]).toEqual([
    1,
    expect.stringMatching(/^snapshot +none: the database is not on RDS/m),
  ]);
  const snapshot = { identifier: 'billing-operations-main-1', state: 'available' };
  expect((await ops('backup main --before-migration', { ...ARCHIVE, snapshot })).status).toBe(0);
});

test('a snapshot is refused on the local platform, which has no RDS, before anything is archived', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'printed-reports-'));
  try {
    writePlatformFile(folder, 'http://127.0.0.1:1', { pid: process.pid, startedAt: 'now' });
    const environment = { OPS_LOCAL_FOLDER: folder };
    const refused = await ops('backup main --before-migration', ARCHIVE, { environment });
    expect([refused.status, refused.stderr]).toEqual([
      3,
      expect.stringContaining('no RDS instance to take a snapshot of. This needs an environment on AWS'),
    ]);
    expect(askedLambda.commandCalls(InvokeCommand)).toHaveLength(0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('an invalid index is a finding of maintenance, and printed with what removes it', async () => {
  const result = {
    explained: 30,
    fullReads: [],
    countedSince: null,
    unused: [],
    duplicate: [],
    missing: [],
    invalid: ['billing.customers_by_name'],
  };
  const record = {
    task: 'indexes',
    startedAt: '2026-11-21T06:00:00Z',
    outcome: 'done',
    durationMs: 5,
    error: null,
  };
  const report = (invalid: readonly string[]) => ({
    action: 'run',
    database: 'billing',
    dryRun: false,
    tasks: [{ ...record, result: { ...result, invalid } }],
  });
  const run = 'maintenance run billing --task indexes';
  const { status, stdout } = await ops(run, report(result.invalid));
  expect([status, stdout]).toEqual([
    1,
    expect.stringMatching(
      /^ +invalid: billing\.customers_by_name, .+\. DROP INDEX CONCURRENTLY billing\.customers_by_name,/m,
    ),
  ]);
  expect((await ops(run, report([]))).status).toBe(0);
});

test('a transaction of more than an hour is a finding of queries, with its user and how to end it', async () => {
  const session = {
    pid: 4711,
    user: 'ann',
    application: 'psql',
    state: 'idle in transaction',
    seconds: 3590,
    transactionSeconds: 3599,
    waitsFor: 'Client: ClientRead',
    blockedBy: [],
    statement: 'SELECT 1',
  };
  const report = (transactionSeconds: number) => ({
    action: 'queries',
    database: 'billing',
    since: null,
    slowest: null,
    running: [{ ...session, transactionSeconds }],
  });
  expect((await ops('queries billing', report(3599))).status).toBe(0);
  const { status, stdout } = await ops('queries billing', report(7200));
  expect([status, stdout]).toEqual([1, expect.stringMatching(/^4711 +ann +psql +idle in transaction/m)]);
  expect(stdout).toMatch(/^The transaction of process 4711 has been open for 2\.0 h\..+pg_terminate_backend\(4711\)$/m);
});

test('a password of billing is not rotated while billing moves to another server', async () => {
  const plan = {
    stage: 'cut-over',
    source: 'old:5432/billing',
    target: 'new:5432/billing',
    startedAt: null,
    verifiedAt: null,
    cutOverAt: null,
    checks: [],
    tables: 1,
    rows: 1,
    bytes: 1,
    sequences: 1,
    identities: [],
    retainedBytes: null,
  };
  for (const login of ['', ' --login service']) {
    const { status, stderr } = await ops(`secrets rotate billing${login} --confirm billing`, plan);
    expect([status, stderr]).toEqual([
      3,
      expect.stringMatching(
        /billing moves from old:5432\/billing to new:5432\/billing \(cut-over\).+ops move roll-back/,
      ),
    ]);
  }
});
