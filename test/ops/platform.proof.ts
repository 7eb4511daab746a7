import { rmSync } from 'node:fs';
import path from 'node:path';
import { waitUntil } from '../../local/pass/check';
import { subscriptionObject } from '../../local/stripe/objects';
import { contract as backupContract } from '../../lambdas/backup/contract';
import { INSPECTIONS } from '../../lambdas/inspect/contract';
import { contract as reconciliationContract } from '../../lambdas/reconciliation/contract';
import { eventsReport } from '../../lambdas/replay/contract';
import { SAMPLE_TYPES } from '../../ops/sample-events';
import { runOps, type RunOptions } from './run-ops';
import { RUNBOOK_LINES, wordsOf } from './runbook-lines';
import { startedPlatform, type StartedPlatform } from './started-platform';

/** The commands against the whole local platform: its functions as bundled, its databases, queue and bucket. */
jest.setTimeout(120_000);

let platform: StartedPlatform;
beforeAll(async () => {
  platform = await startedPlatform();
});
afterAll(() => platform.stop());

const ops = (line: string, options: RunOptions = {}) =>
  runOps([...wordsOf(line), '--env', 'local'], {
    ...options,
    environment: { OPS_LOCAL_FOLDER: platform.folder, ...options.environment },
  });
const json = async (line: string): Promise<{ readonly status: number; readonly report: unknown }> => {
  const { status, stdout, stderr } = await ops(`${line} --json`);
  if (stdout === '') throw new Error(stderr);
  return { status, report: JSON.parse(stdout) };
};

/** A subscription whose event is applied. */
async function subscribe(id: string): Promise<string> {
  const event = await platform.send('customer.subscription.created', subscriptionObject({ id }));
  await waitUntil(async () => {
    const { rows } = await platform.billing.query('SELECT 1 FROM billing.webhook_events WHERE id = $1', [event]);
    return rows.length === 1 ? undefined : `${event} is not in the ledger`;
  }, 30_000);
  return event;
}

test('both databases are migrated with a command each, and then nothing is pending', async () => {
  const before = await ops('migrate status billing');
  expect(before.status).toBe(1);
  expect(before.stdout).toContain('0001_create_identity');

  for (const database of ['billing', 'main']) {
    const { status, stdout, stderr } = await ops(`migrate apply ${database}`);
    expect([database, status, stderr]).toEqual([database, 0, '']);
    expect(stdout).toContain('0001_create_identity');
  }

  expect(await json('migrate plan billing')).toMatchObject({ status: 0, report: { pending: [], plan: [] } });
  platform.startConsumers();
});

test('a backup is made, listed and restored beside the database in use', async () => {
  await subscribe('sub_backup');
  const { status, report } = await json('backup billing');
  const { slot, outcome } = backupContract.report.parse(report);
  expect([status, outcome]).toEqual([0, 'created']);

  const list = await json('backups list billing');
  expect(INSPECTIONS.archives.report.parse(list.report).archives[0]).toMatchObject({ slot });

  const restored = await ops(`restore billing --into billing_copy --archive ${slot}`);
  expect([restored.status, restored.stderr]).toEqual([0, '']);
  expect(restored.stdout).toMatch(/database +billing_copy \(kept\)/);
  expect((await ops('verify billing --target-database billing_copy')).status).toBe(0);

  expect(await ops('restore billing --into billing_copy')).toMatchObject({
    status: 3,
    stderr: expect.stringMatching(/^error: restore: .*\(target_exists\).*\n$/),
  });
  expect(await ops('restore billing --into billing_old --before 2020-01-01T00:00:00Z')).toMatchObject({
    status: 3,
    stderr: expect.stringContaining('archive_not_found'),
  });
});

test('an archive is shown table by table, and proven by a restore that leaves nothing behind', async () => {
  const shown = await ops('backups show billing');
  expect([shown.status, shown.stdout]).toEqual([0, expect.stringMatching(/^billing\.subscriptions +1 +[\d.]+ \S+$/m)]);
  expect((await ops('backups show billing --archive 2020-01-01T00:00:00Z')).stderr).toContain('no complete archive of');

  const verified = await ops('backups verify billing');
  expect([verified.status, verified.stdout]).toEqual([0, expect.stringMatching(/proven +\d+ foreign keys/)]);
  const { rows } = await platform.billing.query(`SELECT datname FROM pg_database WHERE datname LIKE '%verified%'`);
  expect(rows).toEqual([]);
});

test('a drill passes and is listed', async () => {
  expect((await ops('drill billing')).status).toBe(0);
  const { report } = await json('drills list billing');
  expect(INSPECTIONS.drills.report.parse(report).drills[0]).toMatchObject({ outcome: 'passed' });
});

test('the status is one screen, and names the archive that is missing', async () => {
  const { status, stdout } = await ops('status');
  expect(status).toBe(1);
  expect(stdout).toMatch(/^billing .+ 00\d\d_\w+ .+ago\) +passed, /m);
  expect(stdout).toContain('The archive of main is overdue: ops backup main');

  await ops('backup main');
  expect(INSPECTIONS.status.report.parse((await json('status')).report).problems).toEqual([]);
  expect((await ops('status')).status).toBe(0);
});

test('a healthy platform passes the doctor, and one without a drill does not', async () => {
  const before = await ops('doctor --quick');
  expect(before.status).toBe(1);
  expect(before.stdout).toMatch(/^WRONG +drill of main +there was none\n +ops drill main$/m);

  await ops('drill main');
  await ops('reconcile --settle-seconds 0');
  const { status, stdout } = await ops('doctor');
  expect([status, stdout.match(/^WRONG .+$/gm)]).toEqual([0, null]);
});

test('a failed event is listed with its error, and a retry, dry or not, says why it fails again', async () => {
  const id = await platform.send('customer.subscription.updated', { id: 'sub_poison', object: 'subscription' });
  await waitUntil(async () => {
    const { rows } = await platform.billing.query<{ status: string }>(
      'SELECT status FROM billing.webhook_events WHERE id = $1',
      [id],
    );
    return rows[0]?.status === 'failed' ? undefined : `${id} is ${rows[0]?.status}`;
  }, 30_000);

  const listed = await ops('webhooks list --status failed');
  expect(listed.stdout).toMatch(new RegExp(`${id} +customer.subscription.updated +failed`));
  expect((await ops('webhooks status')).status).toBe(1);
  const { stdout: about } = await ops('webhooks list --about sub_poison --limit 1');
  const [, found, older] = /(evt_\S+)[^]+(--before \S+)/.exec(about) ?? [];
  expect([found, (await ops(`webhooks list --about ${id} ${older}`)).stdout]).toEqual([id, 'No event matches\n']);
  expect((await ops('webhooks list --before yesterday')).stderr).toContain('before: expected `next`');

  const shown = await ops(`webhooks show ${id}`);
  expect([shown.status, shown.stdout]).toEqual([1, expect.stringMatching(/object +sub_poison[^]+ops webhooks retry/)]);
  expect(shown.stdout).not.toContain('"data"');
  expect((await ops(`webhooks show ${id} --payload`)).stdout).toContain('"id": "sub_poison"');
  expect((await ops('webhooks show evt_nowhere')).status).toBe(3);

  const dry = await json(`webhooks retry ${id} --dry-run`);
  expect(eventsReport.parse(dry.report).events).toMatchObject([{ id, outcome: 'failed', error: expect.any(String) }]);

  const retried = await ops(`webhooks retry ${id}`);
  expect(retried.status).toBe(1);
  expect(retried.stdout).toMatch(new RegExp(`${id} .+ failed `));
  expect((await ops('webhooks retry')).stderr).toBe(
    'error: Give ids of events, or --failed for every event that failed\n',
  );
});

test('a reconciliation corrects nothing when dry, and its findings are listed by run', async () => {
  const { status, report } = await json('reconcile --dry-run --settle-seconds 0');
  const { runId, dryRun } = reconciliationContract.report.parse(report);
  expect(dryRun).toBe(true);
  expect([0, 1]).toContain(status);

  const runs = await json('reconciliations list');
  expect(INSPECTIONS.reconciliations.report.parse(runs.report).runs[0]).toMatchObject({ runId, dryRun: true });
  expect((await ops(`reconciliations findings --run ${runId}`)).stdout).toContain(`Run ${runId}`);
  expect((await ops('reconciliations findings --run 999')).stderr).toBe('error: There is no run 999\n');
});

test('deleted rows are reported, shown, and merged back only once the database is named', async () => {
  await ops('backup billing');
  await platform.billing.query(`DELETE FROM billing.subscriptions WHERE id = 'sub_backup'`);
  const { status, report } = await json('rows report billing billing.subscriptions billing.subscription_items');
  expect(status).toBe(1);
  const { reportId } = report as { readonly reportId: string };

  const exists = async (): Promise<boolean> =>
    (await platform.billing.query(`SELECT 1 FROM billing.subscriptions WHERE id = 'sub_backup'`)).rows.length === 1;
  const refused = await ops(`rows merge billing ${reportId}`);
  expect(refused.status).toBe(3);
  expect(refused.stderr).toContain('Would be put back:');
  expect(refused.stderr).toContain('To do so, add --confirm billing\n');
  expect((await ops(`rows merge billing ${reportId} --confirm main`)).status).toBe(3);
  expect((await ops(`rows merge billing ${reportId}`, { typed: 'biling' })).status).toBe(3);
  expect(await exists()).toBe(false);

  const shown = await ops(`rows show billing ${reportId} --table billing.subscriptions --match id=sub_backup`);
  expect(shown.stdout).toMatch(/^billing.subscriptions:sub_backup deleted\n(?: {2}.+\n)+/);
  const { stdout: ids } = await ops(`rows show billing ${reportId} --ids`);
  expect(ids).toContain('billing.subscriptions:sub_backup\n');
  expect((await ops(`rows merge billing ${reportId} --match id=sub_nobody --dry-run`)).status).toBe(3);
  expect((await ops(`rows merge billing ${reportId} --kind deleted --from ids.txt`)).status).toBe(2);

  const merged = await ops(`rows merge billing ${reportId} --from - --confirm billing`, { piped: ids });
  expect([merged.status, await exists()]).toEqual([0, true]);
  const again = await ops(`rows merge billing ${reportId} --table billing.subscriptions`, { typed: 'billing' });
  expect([again.status, again.stdout]).toEqual([0, expect.stringMatching(/billing.subscriptions +0 +0 +1/)]);
});

test('every action is in the audit log with who, what and how it ended, also one that was refused', async () => {
  const { stdout } = await ops('audit');
  expect(stdout).toMatch(/user\/\S+ +ops migrate apply billing --env local +done/);
  expect(stdout).toMatch(/ops restore billing --into billing_copy --env local +refused +restore: /);
  expect(stdout).toMatch(/ops rows merge billing \S+ --env local +refused +Nothing was changed/);
  expect(stdout).not.toContain('--dry-run');
  expect(stdout).not.toContain('ops status');
});

test.each(SAMPLE_TYPES)('a sample of %s is taken and applied', async (type) => {
  const { status, report } = await json(`webhooks send ${type} --user user-9`);
  const { id } = report as { readonly id: string };
  expect(status).toBe(0);
  await waitUntil(async () => {
    const { rows } = await platform.billing.query<{ status: string; error: string | null }>(
      'SELECT status, error FROM billing.webhook_events WHERE id = $1',
      [id],
    );
    return rows[0]?.status === 'processed' ? undefined : `${id} is ${rows[0]?.status}: ${rows[0]?.error}`;
  }, 30_000);
});

test('rules are shown, planned, and put in force only once the environment is named', async () => {
  const file = path.resolve(__dirname, '../../docs/entitlement-rules.example.json');
  // As the samples before it left it: past due within its grace, then canceled.
  await ops('webhooks send customer.subscription.created --user user-10 --project project-1');
  await waitUntil(async () => {
    const { rows } = await platform.billing.query(`SELECT 1 FROM billing.subscriptions WHERE id = 'sub_user-10'`);
    return rows.length === 1 ? undefined : 'sub_user-10 is missing';
  }, 30_000);

  const diff = await ops(`entitlements rules diff ${file}`);
  expect([diff.status, diff.stdout]).toEqual([1, expect.stringMatching(/user-10 +project-1 +courses/)]);
  const refused = await ops(`entitlements rules put ${file}`);
  expect([refused.status, refused.stderr]).toEqual([3, expect.stringContaining('To do so, add --confirm local')]);
  expect((await ops('entitlements rules get')).stdout).toBe('There are no rules: no user may use anything\n');

  expect((await ops(`entitlements rules put ${file} --confirm local`)).status).toBe(0);
  const { report } = await json('entitlements rules get');
  expect(report).toMatchObject([{ id: 'academy-pro' }, { id: 'single-course' }]);
  const shown = await ops('entitlements show user-10 --project project-1');
  expect(shown.stdout).toMatch(/courses +subscription sub_user-10 /);
  expect((await ops('entitlements recompute --user user-10')).status).toBe(0);
  expect((await ops('entitlements recompute')).stderr).toBe('error: Give one of --all, --user and --project\n');
});

test('the doctor names each thing that is wrong with its fix, and skips what is not here', async () => {
  const { status, stdout } = await ops('doctor');
  expect(status).toBe(1);
  expect(stdout).toMatch(/^good +identity +arn:aws:iam::000000000000:user\//m);
  expect(stdout).toMatch(/^good +soundness of billing /m);
  expect(stdout).toMatch(/^WRONG +failed events +1 in the ledger\n +ops webhooks list --status failed$/m);
  expect(stdout).toMatch(/^skipped alarms +The local platform has no alarms/m);
});

test('secrets are listed by age, and a password is rotated', async () => {
  expect(await ops('secrets list')).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/billing-login-service .+ago\) +good[^]*stripe-api .+ago\) +good/),
  });
  expect(await ops('secrets rotate billing --confirm billing')).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/psql address .+ former password[^]+get-secret-value --endpoint-url http:/),
  });
  expect((await ops('alarms')).status).toBe(3);
  expect((await ops('recover start billing')).stderr).toContain('The local platform has no instances to recover');
});

test('the links of the local platform are printed', async () => {
  expect((await ops('open')).stdout).toMatch(/webhook +http:\/\/127\.0\.0\.1:\d+\/api\/v1\/webhooks\/stripe/);
});

test('what is paid and belongs to nobody is listed, and assigned by whoever runs the command', async () => {
  await subscribe('sub_nobodys');
  const unowned = async () => JSON.stringify((await json('entitlements unowned')).report);
  expect(await unowned()).toContain('sub_nobodys');

  const assign = 'entitlements assign sub_nobodys --user user_9 --reason "wrote to us"';
  expect((await ops(`${assign} --dry-run`)).stdout).toContain('would belong to user user_9');
  expect(await unowned()).toContain('sub_nobodys');
  expect(await ops(assign)).toMatchObject({ status: 0, stdout: expect.stringContaining('belongs to user user_9') });
  expect(await unowned()).not.toContain('sub_nobodys');
  const { rows } = await platform.billing.query<{ by: string }>(
    'SELECT assigned_by AS by FROM billing.owner_assignment_log',
  );
  expect(rows).toEqual([{ by: expect.stringMatching(/^000000000000:user\//) }]);
  expect((await ops('entitlements assign sub_nobodys --reason none')).status).toBe(2);
});

test('a dismissed event no longer counts as failed, and the ledger has who dismissed it', async () => {
  const { rows } = await platform.billing.query<{ id: string }>(
    `SELECT id FROM billing.webhook_events WHERE status = 'failed'`,
  );
  const ids = rows.map(({ id }) => id).join(' ');
  expect((await ops(`webhooks dismiss ${ids} --reason "a test made it"`)).status).toBe(0);
  const dismissed = await platform.billing.query<{ by: string }>(
    `SELECT dismissed_by AS by FROM billing.webhook_events WHERE status = 'dismissed'`,
  );
  expect(dismissed.rows[0]?.by).toMatch(/^000000000000:user\//);
  expect((await ops('webhooks list --status dismissed')).stdout).toContain(rows[0]?.id);
});

test.each(RUNBOOK_LINES)(
  'the command "%s" of the runbook runs here, or says what this machine does not have',
  async (line) => {
    const { status, stdout, stderr } = await ops(line.slice('ops '.length), { piped: 'whsec_runbook0001' });
    // Of what the commands write, the one thing that is not the platform's but this checkout's.
    if (line.startsWith('ops migrate new ')) rmSync(stdout.split('\n')[0] ?? '');
    // What comes after it needs the newest migration again.
    if (line.startsWith('ops migrate rollback billing --confirm')) await ops('migrate apply billing');
    const isElsewhere = /local platform has no|local has no f|confirm production: |is no topic/.test(stderr);
    // Of events, objects and hosts that only the example has.
    const isExample =
      /evt_123|sub_123|po_123|<name>|db\.example\.com|0001_create_identity|20261121T061500Z|4fGh1kL0pQr2/.test(line) ||
      // A time before the first archive of this machine, which is minutes old.
      /has no archive (of 2026-11-2\dT\d\d:00:00Z|from before |finished by )/.test(stderr);
    expect([line, stderr, isElsewhere || isExample || status <= 1]).toEqual([line, stderr, true]);
    if (!isElsewhere) expect(status).not.toBe(2);
  },
);
