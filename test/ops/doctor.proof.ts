import { GetQueueUrlCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { GetFunctionConfigurationCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { appendFileSync } from 'node:fs';
import path from 'node:path';
import { Client } from 'pg';
import { INSPECTIONS } from '../../lambdas/inspect/contract';
import { waitUntil } from '../../local/pass/check';
import { PLANTED_CARD } from '../factories/card-corpus';
import { runOps } from './run-ops';
import { wordsOf } from './runbook-lines';
import { startedPlatform, type StartedPlatform } from './started-platform';

/** `ops doctor` on a healthy local platform, and on one with ten faults at once; between them, what runs and what waits. */
jest.setTimeout(300_000);

let platform: StartedPlatform;
let sqs: SQSClient;
beforeAll(async () => {
  platform = await startedPlatform();
  sqs = new SQSClient({ endpoint: platform.endpoints.sqs, useQueueUrlAsEndpoint: false });
});
afterAll(async () => {
  sqs.destroy();
  await platform.stop();
});

const ops = (line: string, piped = '') =>
  runOps([...wordsOf(line), '--env', 'local'], { piped, environment: { OPS_LOCAL_FOLDER: platform.folder } });

const json = async (line: string): Promise<{ readonly report: unknown }> => {
  const { stdout, stderr } = await ops(`${line} --json`);
  if (stdout === '') throw new Error(stderr);
  return { report: JSON.parse(stdout) };
};

async function sendTo(QueueUrl: string, MessageBody: string): Promise<void> {
  await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody }));
}

const CREDENTIALS = { region: 'eu-central-1', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } };

/** A variable of the function that answers for the state of the platform. */
async function variable(name: string): Promise<string> {
  const client = new LambdaClient({ endpoint: platform.endpoints.lambda, ...CREDENTIALS });
  const { Environment: deployed } = await client.send(
    new GetFunctionConfigurationCommand({ FunctionName: 'BillingOps-local-inspect' }),
  );
  client.destroy();
  return deployed?.Variables?.[name] ?? '';
}

test('a platform before its first migration is told what is left to do, step by step', async () => {
  const { status, stdout } = await ops('doctor --quick');
  expect(status).toBe(1);
  expect(stdout).toMatch(/WRONG +identity of billing +it says that it is nothing\n +ops migrate apply billing/);
  expect(stdout).toMatch(/WRONG +migrations of main +pending: 0001_create_identity/);
  expect(stdout).toMatch(/WRONG +archive of billing +there is none\n +ops backup billing/);
});

test('a healthy platform passes every check that can be made here', async () => {
  for (const database of ['billing', 'main']) {
    for (const line of [`migrate apply ${database}`, `backup ${database}`, `drill ${database}`]) {
      expect([line, (await ops(line)).status]).toEqual([line, 0]);
    }
  }
  platform.startConsumers();
  await ops('reconcile --settle-seconds 0');

  const { status, stdout } = await ops('doctor');
  expect([status, stdout.match(/^WRONG .+$/gm)]).toEqual([0, null]);
  const skipped = [...stdout.matchAll(/^skipped (.+?) {2}/gm)].map(([, check = '']) => check.trim());
  expect(skipped).toEqual(['stacks', 'backup tiers', 'alarms', 'alarm topics', 'quotas', 'residency']);
  expect(stdout).toMatch(/^good +server of billing +PostgreSQL 17\S*, TLSv1\.[23]$/m);
  expect(stdout).toMatch(/^good +Stripe key +reads all 9 kinds/m);
  expect(stdout).toMatch(/^good +Stripe endpoint +http/m);
  expect(stdout).toMatch(/^good +large archives of main +above 40 GiB in parts$/m);
});

test('the scan of a database reads as the login of backups, which can change nothing', async () => {
  expect((await ops('cards scan billing')).status).toBe(0);
  const { rows } = await platform.billing.query<{ user: string }>(
    `SELECT DISTINCT r.rolname::text AS user FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid
     WHERE s.query LIKE '%pg_relation_size($1) / current_setting%AS blocks'`,
  );
  expect(rows).toEqual([{ user: 'billing_backup_user' }]);
});

test('a card that a function wrote to its log is found with log, stream and time, and no digit of it', async () => {
  const clean = await ops('cards scan logs');
  expect([clean.status, clean.stdout]).toEqual([0, expect.stringMatching(/no card number found\n +\d+ lines \(/)]);
  const at = new Date().toISOString();
  const file = path.join(platform.folder, 'logs', 'BillingOps-local-processor.log');
  appendFileSync(file, `{"level":"ERROR","timestamp":"${at}","error":{"card":"${PLANTED_CARD}"}}\n`);
  const { status, stdout } = await ops('cards scan logs');
  expect(status).toBe(1);
  expect(stdout).toContain('card numbers in 1 line\n');
  expect(stdout).toMatch(new RegExp(`/aws/lambda/BillingOps-local-processor +local +${at} +Visa +no`));
  expect(stdout).not.toContain(PLANTED_CARD.slice(-4));
  expect((await ops('maintenance show billing')).stdout).toContain('card numbers in 1 line');
});

test('access is planned, applied when its database is typed, and then as the policy says', async () => {
  const plan = await ops('access plan main');
  expect(plan.status).toBe(1);
  expect(plan.stdout).toContain('revoke   from public: CONNECT, TEMPORARY on database main');
  expect((await ops('access apply main')).status).toBe(3);
  const applied = await ops('access apply main --confirm main');
  expect(applied.stdout).toContain('create   main_readonly: a group');
  const again = await ops('access plan main');
  expect([again.status, again.stdout]).toEqual([
    0,
    expect.stringMatching(/^Roles and privileges of main are as the policy says$/m),
  ]);
});

test('runs are listed, and one is followed to its end', async () => {
  const { report } = await json('runs');
  const runs = report as readonly { readonly id: string; readonly kind: string; readonly state: string }[];
  expect(new Set(runs.map(({ kind }) => kind))).toEqual(new Set(['backup', 'drill', 'reconciliation']));
  const [backup] = runs.filter(({ kind }) => kind === 'backup');
  const followed = await ops(`runs --follow ${backup?.id}`);
  expect([followed.status, followed.stdout]).toEqual([0, expect.stringMatching(/^backup:.+: done, \d+ tables/)]);
  expect((await ops('runs --follow backup:billing:never')).status).toBe(3);

  await platform.billing.query(`INSERT INTO billing.reconciliation_runs (status, dry_run, started_at, window_start)
    VALUES ('running', false, now(), now())`);
  const [running] = (await json('runs --running')).report as readonly { readonly id: string }[];
  const following = ops(`runs --follow ${running?.id}`);
  await platform.billing.query(
    `UPDATE billing.reconciliation_runs SET status = 'failed', finished_at = now(), error = 'ended by a test' WHERE status = 'running'`,
  );
  expect(await following).toMatchObject({ status: 1, stdout: expect.stringMatching(/failed, .+: ended by a test\n$/) });
});

test('the cache of entitlements is said to be none here', async () => {
  expect((await ops('cache show user-10 --project project-1')).stdout).toMatch(/this environment has no cache/);
  expect(await ops('cache drop --user user-10')).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('no cache') as string,
  });
  expect((await ops('cache drop')).status).toBe(2);
});

test('a statement that waits is listed with the session that blocks it', async () => {
  const before = await ops('queries billing');
  expect(before).toMatchObject({ status: 0, stderr: '' });
  expect(before.stdout).toMatch(
    /^Most time since .+\ntotal +mean +calls +rows +cache +statement\n[\d.]+ m?s +[\d.]+ m?s +\d+ .+ % +\w+/m,
  );
  await platform.billing.query('BEGIN; LOCK TABLE billing.refunds');
  const waiting = ops('sizes main').then(() => ops('verify billing'));
  try {
    await waitUntil(async () => {
      const { status, stdout } = await ops('queries billing');
      return status === 1 && /Process \d+ waits for \d+/.test(stdout) ? undefined : stdout;
    }, 30_000);
  } finally {
    await platform.billing.query('ROLLBACK');
  }
  await waiting;
});

test('sizes and connections of a database are listed', async () => {
  const sizes = await ops('sizes billing --limit 3');
  expect([sizes.status, sizes.stdout.trim().split('\n').length]).toEqual([0, 5]);
  const connections = await json('connections billing');
  expect(INSPECTIONS.sessions.report.parse(connections.report).usedPercent).toBeGreaterThan(0);
});

test('parked messages and failed requests are looked at, and forgotten once the function is named', async () => {
  expect(await ops('webhooks parked')).toMatchObject({ status: 0, stdout: 'Nothing is parked\n' });
  expect(await ops('failures list backup')).toMatchObject({ status: 0, stdout: 'No request to backup has failed\n' });
  const failure = { requestPayload: { database: 'billing' }, responsePayload: { errorMessage: 'S3 is away' } };
  await sendTo(await queueUrl('BillingOps-local-backup-failures'), JSON.stringify(failure));

  const listed = await ops('failures list backup');
  expect([listed.status, listed.stdout]).toEqual([1, expect.stringMatching(/\{"database":"billing"\} +S3 is away/)]);
  expect((await ops('failures clear backup')).status).toBe(3);
  expect((await ops('failures clear backup --confirm backup')).status).toBe(0);
  expect((await ops('failures list backup')).status).toBe(0);
  expect((await ops('failures list verify')).stderr).toContain(
    'verify is no function, or is invoked synchronously only',
  );
});

test('a parked message that is no event is listed without what it holds, and deleted by its id once that is confirmed', async () => {
  const QueueUrl = await variable('DEAD_LETTER_QUEUE_URL');
  const body = { QueueUrl, MessageBody: '{"id":"jane@example.com","type":"user"}' };
  const { MessageId: message } = await sqs.send(new SendMessageCommand(body));
  const { status, stdout } = await ops('webhooks parked');
  expect([status, stdout]).toEqual([1, expect.stringMatching(new RegExp(`–  +no event  +${message}`))]);
  expect(stdout).not.toContain('jane');
  const { report } = await json('webhooks parked');
  const [sentAt, receives] = [expect.any(String) as string, expect.any(Number) as number];
  expect(report).toEqual([{ message, id: null, type: null, sentAt, receives }]);
  const dismiss = `webhooks dismiss --message ${message} --reason "sent by hand"`;
  expect((await ops(`${dismiss} --dry-run`)).stdout).toMatch(
    new RegExp(`${message} .* B +would be deleted +id: expected`),
  );
  const refused = await ops(dismiss);
  expect([refused.status, refused.stderr]).toEqual([3, expect.stringMatching(/would be deleted[^]*--confirm local$/m)]);
  const deleted = await ops(`${dismiss} --confirm local`);
  expect([deleted.status, deleted.stdout]).toEqual([0, expect.stringMatching(new RegExp(`${message} .* deleted`))]);
  expect(refused.stderr + deleted.stdout + deleted.stderr).not.toContain('jane');
  expect(await ops('webhooks parked')).toMatchObject({ status: 0, stdout: 'Nothing is parked\n' });
  expect((await ops(`${dismiss} --confirm local`)).stdout).toMatch(/not parked/);
  expect((await ops('audit --source operations')).stdout).toMatch(
    new RegExp(`dismiss --message ${message} .*--confirm local --env local +done`),
  );
});

test('an object that Stripe does not have is a finding of its refresh', async () => {
  expect(await ops('refresh')).toMatchObject({ status: 0, stdout: expect.stringContaining('No refresh is due') });
  expect(await ops('refresh --object sub_nowhere')).toMatchObject({
    status: 1,
    stdout: expect.stringMatching(/subscription +sub_nowhere +missing/),
  });
});

test.each([
  ['subscription', 'customer.subscription.created', 'canceled'],
  ['purchase', 'checkout.session.completed', 'expired'],
])('a %s that Stripe does not have is canceled once that is confirmed', async (kind, type, canceled) => {
  expect((await ops(`webhooks send ${type} --user nowhere`)).status).toBe(0);
  const objects = async (): Promise<{ id: string; status: string }[]> =>
    (await platform.billing.query(`SELECT id, status FROM billing.${kind}s WHERE user_id = 'nowhere'`)).rows;
  await waitUntil(async () => ((await objects()).length === 1 ? undefined : `a ${kind} of the sample`), 30_000);
  const stored = await objects();
  const cancel = `refresh --object ${stored[0]?.id} --cancel-missing`;
  expect((await ops(`${cancel} --reason sample --dry-run`)).stdout).toMatch(new RegExp(`${kind} +\\S+ +canceled`));
  expect((await ops(cancel)).status).toBe(2);
  expect((await ops(`${cancel} --reason sample`)).status).toBe(3);
  expect(await objects()).toEqual(stored);
  expect((await ops(`${cancel} --reason sample --confirm ${stored[0]?.id}`)).status).toBe(0);
  expect(await objects()).toEqual([{ ...stored[0], status: canceled }]);
});

test('a key that Stripe does not know stays pending, and the one in use stays', async () => {
  const put = (what: string, piped: string) => ops(`secrets put-stripe ${what} --confirm local`, piped);
  const unknown = await put('api-key', 'rk_test_unknown0000');
  expect([unknown.status, unknown.stderr]).toEqual([3, expect.stringContaining('The former key stays')]);
  expect((await put('api-key', 'rk_live_unknown0000')).stderr).toContain('this environment takes test events');
  expect((await ops('doctor --quick')).stdout).toMatch(/^good +Stripe key +reads all 9 kinds/m);
  expect(await put('api-key', 'rk_test_local0000')).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('Stripe let it read all 9 kinds'),
  });
});

test('the log of a function is printed, and its errors alone', async () => {
  const { status, stdout } = await ops('logs backup --since 1h');
  expect([status, stdout]).toEqual([0, expect.stringMatching(/^\S+ \S+ INFO +\S.+\bdatabase=billing\b/m)]);
  expect(stdout).not.toContain('CloudWatchMetrics');
  const { report: warnings } = await json('logs backup --errors');
  const levels = new Set((warnings as readonly { readonly level: string }[]).map(({ level }) => level));
  expect([...levels]).toEqual(['WARN']);
  expect((await json('logs backup --since 2100-01-01T00:00:00Z')).report).toEqual([]);
});

test('the metrics that a function logged are summed', async () => {
  const { status, stdout } = await ops('metrics --service backup --name BackupSucceeded --since 1h');
  expect([status, stdout]).toEqual([0, expect.stringMatching(/^BackupSucceeded .*\bbilling\b/m)]);
  expect((await json('metrics --name NoSuchMetric')).report).toEqual([]);
});

/** Each fault with the line that names it and the fix beneath. */
const FAULTS: readonly [string, (main: Client) => Promise<unknown>, RegExp][] = [
  [
    'an index that somebody dropped',
    () => platform.billing.query('DROP INDEX billing.webhook_events_by_object'),
    /schema of billing +The index webhook_events_by_object .* is missing.*\n +ops migrate validate billing/,
  ],
  [
    'a schema that every role may create in',
    (main) => main.query('CREATE SCHEMA app; GRANT CREATE ON SCHEMA app TO PUBLIC'),
    /rights in main +every role may create in app\n +REVOKE CREATE ON SCHEMA app FROM PUBLIC/,
  ],
  [
    'another identity',
    (main) =>
      main.query(`ALTER TABLE operations.database_identity DROP CONSTRAINT database_identity_is_main;
        UPDATE operations.database_identity SET name = 'billing'`),
    /identity of main +it says that it is billing\n +check host and secret of main/,
  ],
  [
    'a drill that failed',
    () => platform.billing.query(`UPDATE operations.drills SET outcome = 'failed', error = 'a test'`),
    /drill of billing +failed, .+\n +ops drill billing/,
  ],
  [
    'an event that failed',
    () => platform.billing.query(event('evt_failed', 'failed', `'no customer'`)),
    /failed events +1 in the ledger\n +ops webhooks list --status failed/,
  ],
  [
    'an event that is not finished',
    () => platform.billing.query(event('evt_open', 'received', 'NULL')),
    /unfinished events +1 in the ledger\n +ops logs processor/,
  ],
  [
    'a reconciliation that is too old',
    () => platform.billing.query(`UPDATE billing.reconciliation_runs SET started_at = started_at - interval '3 days'`),
    /reconciliation +complete .+3 d ago.+\n +ops reconcile/,
  ],
  [
    'a parked message',
    async () => sendTo(await variable('DEAD_LETTER_QUEUE_URL'), '{}'),
    /parked events +1 in the queue\n +ops webhooks redrive --dry-run/,
  ],
  [
    'a request that failed for good',
    async () => sendTo(await queueUrl('BillingOps-local-backup-failures'), '{}'),
    /failed requests +backup \(1\)\n +ops failures list backup/,
  ],
  [
    'a signing secret that is none of Stripe’s',
    putRandomSecret,
    /signing secret +it is not one of Stripe’s.+\n +ops secrets put-stripe signing-secret/,
  ],
];

function event(id: string, status: string, error: string): string {
  return `INSERT INTO billing.webhook_events (id, type, livemode, source, status, attempts, error, occurred_at, received_at, payload)
    VALUES ('${id}', 'invoice.paid', false, 'webhook', '${status}', 3, ${error}, now(), now(), '{}')`;
}

async function putRandomSecret(): Promise<void> {
  const client = new SecretsManagerClient({ endpoint: platform.endpoints.secretsManager, ...CREDENTIALS });
  const SecretId = await variable('STRIPE_SIGNING_SECRET_ARN');
  await client.send(new PutSecretValueCommand({ SecretId, SecretString: '{"current":"Q9xVb3RkT0pYc1dZ"}' }));
  client.destroy();
}

async function queueUrl(QueueName: string): Promise<string> {
  return (await sqs.send(new GetQueueUrlCommand({ QueueName }))).QueueUrl ?? '';
}

test('ten faults at once are each found, and named with the fix', async () => {
  const main = new Client({ connectionString: platform.mainUrl });
  await main.connect();
  for (const [, plant] of FAULTS) await plant(main);
  await main.end();

  const { status, stdout } = await ops('doctor --quick');

  expect(status).toBe(1);
  const missed = FAULTS.filter(([, , line]) => !new RegExp(`WRONG +${line.source}`).test(stdout)).map(([what]) => what);
  expect([missed, missed.length === 0 ? '' : stdout]).toEqual([[], '']);
});
