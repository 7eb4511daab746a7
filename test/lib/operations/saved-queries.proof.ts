import { randomBytes } from 'node:crypto';
import { CreateQueueCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import Stripe from 'stripe';
import { WEBHOOK_ENDPOINTS } from '../../../core/providers/contract';
import type { StripeEvent } from '../../../core/providers/stripe/shapes';
import { SAVED_QUERIES } from '../../../lib/config/saved-queries';
import { startSecretsManager, type SecretsManager } from '../../../local/aws/secrets-manager';
import { invoice, stripeEvent } from '../../factories/stripe-objects';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { createBucket, objectStore } from '../../support/object-store';
import { testServices } from '../../support/services';
import { startFunction } from '../../support/started-function';
import { audited } from '../monitoring/database-log-lines';
import { ask, logEvent, type LogEvent } from './logs-insights';

/** The saved queries, asked of the lines that our functions write when an event passes through the real webhook, queue and processor. */

const SECRET = 'whsec_queries';
const TRACE = 'Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1';
const load = {
  webhook: () => import('../../../lambdas/webhook/handler'),
  processor: () => import('../../../lambdas/processor/handler'),
  audit: () => import('../../../lambdas/audit/handler'),
};

let database: TestDatabase;
let secrets: SecretsManager;
let sqs: SQSClient;
let queueUrl: string;
let bucket: string;
/** Everything that was logged, and the time of the next line. */
let logged: LogEvent[];
let minute: number;

beforeAll(async () => {
  [database, secrets, bucket] = await Promise.all([
    createTestDatabase('billing'),
    startSecretsManager(),
    createBucket(objectStore()),
  ]);
  const { cluster, awsEndpoint } = testServices();
  secrets.put('database', { username: cluster.user, password: cluster.password });
  secrets.put('signing', { current: SECRET });
  const QueueName = `saved-queries-${randomBytes(6).toString('hex')}`;
  sqs = new SQSClient({ endpoint: awsEndpoint });
  await sqs.send(new CreateQueueCommand({ QueueName }));
  queueUrl = `${awsEndpoint}/000000000000/${QueueName}`;
});
beforeEach(() => {
  logged = [];
  minute = 0;
});
afterEach(() => jest.restoreAllMocks());
afterAll(async () => {
  sqs.destroy();
  await Promise.all([database.drop(), secrets.stop()]);
});

/** Invokes a function, and keeps its log. */
async function invoke(name: keyof typeof load, event: unknown): Promise<void> {
  const { cluster, awsEndpoint } = testServices();
  const started = await startFunction(load[name], {
    ENVIRONMENT_NAME: 'test',
    LOG_LEVEL: 'INFO',
    _X_AMZN_TRACE_ID: TRACE,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.endpoint,
    AWS_ENDPOINT_URL_SQS: awsEndpoint,
    AWS_ENDPOINT_URL_S3: awsEndpoint,
    ARCHIVE_BUCKET: bucket,
    BILLING_DATABASE_HOST: cluster.host,
    BILLING_DATABASE_PORT: String(cluster.port),
    BILLING_DATABASE_NAME: database.name,
    BILLING_DATABASE_SECRET_ARN: 'database',
    CACHE_URL: '',
    QUEUE_URL: queueUrl,
    DEAD_LETTER_QUEUE_URL: queueUrl,
    STRIPE_SIGNING_SECRET_ARN: 'signing',
    LIVEMODE: 'false',
  });
  const { result, logLines } = started.invoke(event);
  await result.catch(() => undefined);
  jest.restoreAllMocks();
  for (const line of logLines) keep(`/aws/lambda/BillingOps-test-${name}`, line);
}

function keep(log: string, line: string): void {
  minute += 1;
  logged.push(logEvent(log, `2026-11-29 10:${String(minute).padStart(2, '0')}:00.000`, line));
}

/** An event by the endpoint and the queue to the processor. */
async function deliver(event: StripeEvent): Promise<void> {
  const payload = JSON.stringify(event);
  await invoke('webhook', {
    resource: WEBHOOK_ENDPOINTS.stripe.path,
    path: WEBHOOK_ENDPOINTS.stripe.path,
    httpMethod: 'POST',
    isBase64Encoded: false,
    body: payload,
    headers: { 'stripe-signature': Stripe.webhooks.generateTestHeaderString({ payload, secret: SECRET }) },
  });
  const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl: queueUrl, WaitTimeSeconds: 2 }));
  const Records = Messages.map(({ MessageId: messageId, Body: body }) => ({
    messageId,
    body,
    attributes: { SentTimestamp: String(Date.now()), ApproximateReceiveCount: '1' },
  }));
  expect(Records).toHaveLength(1);
  await invoke('processor', { Records });
}

const linesOf = (id: string) => SAVED_QUERIES.find((query) => query.id === id)?.lines ?? [];
const follow = (text: string) =>
  ask(
    linesOf('FollowEvent').map((line) => line.replace('evt_…', text)),
    logged,
  );
const columns = (rows: readonly LogEvent[], ...names: string[]) => rows.map((row) => names.map((name) => row[name]));

test('an event is followed from the webhook to the processor, by its id and by its trace, beside others', async () => {
  const paid = stripeEvent('invoice.paid', invoice());
  await deliver(paid);
  await deliver(stripeEvent('invoice.paid', invoice({ id: 'in_other' })));

  expect(columns(follow(paid.id), 'service', 'level', 'message')).toEqual([
    ['webhook', 'INFO', 'Queued an event'],
    ['processor', 'INFO', 'Applied events'],
  ]);
  const [first] = follow(paid.id);
  expect(first).toMatchObject({
    eventId: paid.id,
    requestId: 'request-1',
    xray_trace_id: '1-5759e988-bd862e3fe1be46a994272793',
  });
  expect(follow(String(first?.['xray_trace_id'])).length).toBeGreaterThan(2);
});

test('what failed is counted by its message, with the request to look at', async () => {
  await deliver(stripeEvent('invoice.paid', invoice({ id: 'in_a', currency: 'euro' })));
  await deliver(stripeEvent('invoice.paid', invoice({ id: 'in_b', currency: 'euro' })));
  await invoke('audit', { action: 'begin', who: 'someone' });

  const rows = ask(linesOf('Failures'), logged);
  expect(columns(rows, 'lines', 'service', 'level', 'message', 'code', 'lastRequest')).toEqual([
    [2, 'processor', 'ERROR', 'An event could not be applied', undefined, 'request-1'],
    [1, 'audit', 'ERROR', 'Audit failed', 'invalid_request', 'request-1'],
  ]);
  expect(columns(follow(String(rows[0]?.['lastRequest'])), 'reason')).toContainEqual([
    expect.stringMatching(/currency/),
  ]);
});

test('who changed what is listed from the lines of the audit function, the latest first', async () => {
  await invoke('audit', { action: 'begin', who: 'arn:aws:sts::1:assumed-role/operator/kim', command: 'ops replay' });
  await invoke('audit', { action: 'begin', who: 'arn:aws:sts::1:assumed-role/operator/kim', command: 'ops migrate' });
  await invoke('audit', { action: 'list' });
  expect(columns(ask(linesOf('OperatorActions'), logged), 'who', 'command', 'id')).toEqual(
    ['ops migrate', 'ops replay'].map((command) => [
      'arn:aws:sts::1:assumed-role/operator/kim',
      command,
      expect.stringMatching(/\w{8}$/),
    ]),
  );
});

/** The line that Lambda writes about each request; it stands in its guide, "Lambda Telemetry API event schema". */
const report = (log: string, durationMs: number, status = 'success'): void =>
  keep(
    log,
    JSON.stringify({
      time: '2022-10-12T00:01:15.000Z',
      type: 'platform.report',
      record: {
        requestId: '6d68ca91-49c9-448d-89b8-7ca3e6dc66aa',
        metrics: { durationMs, billedDurationMs: 694, memorySizeMB: 128, maxMemoryUsedMB: 84, initDurationMs: 210.5 },
        status,
      },
    }),
  );

test('the slowest functions are listed with their memory, and a request that timed out among what failed', () => {
  for (const durationMs of [12, 15, 900]) report('webhook', durationMs);
  report('backup', 60_000, 'timeout');
  expect(columns(ask(linesOf('SlowestFunctions'), logged), '@log', 'calls', 'slowestMs', 'usedMB', 'ofMB')).toEqual([
    ['backup', 1, 60_000, 84, 128],
    ['webhook', 3, 900, 84, 128],
  ]);
  expect(columns(ask(linesOf('Failures'), logged), 'lines')).toEqual([[1]]);
});

const FORGED = 'AUDIT: SESSION,1,1,READ,SELECT,,,';

test('changes in a database are listed with who made them, unless a function wrote rows', () => {
  const write = 'WRITE,DELETE,,,DELETE FROM kept,<not logged>';
  const grant = 'ROLE,GRANT,,,GRANT SELECT ON a TO someone;,<not logged>';
  for (const line of [
    audited('psql', write),
    audited('processor', write),
    // A name that a person chose.
    audited('processor', write, 'ann'),
    audited('migrate', grant),
    'LOG:  checkpoint',
    audited('psql', 'READ,SELECT,TABLE,billing.customers,"SELECT email', 'ann'),
    // A statement, and an application, that a person wrote as the record of a read.
    audited('psql', `WRITE,DELETE,,,"DELETE FROM kept WHERE id <> ':psql:LOG:  ${FORGED}';",<not logged>`, 'bob'),
    audited(`x:LOG:  ${FORGED}1`, write, 'cat'),
  ])
    keep('/aws/rds/instance/billing/postgresql', line);
  expect(columns(ask(linesOf('DatabaseChanges'), logged), 'user', 'application', 'command')).toEqual([
    ['cat', 'x', 'SELECT'],
    ['bob', 'psql', 'DELETE'],
    ['billing_admin', 'migrate', 'GRANT'],
    ['ann', 'processor', 'DELETE'],
    ['billing_admin', 'psql', 'DELETE'],
  ]);
});

test('what a person read is listed by table, and what functions read is not', () => {
  const read = (object: string, statement: string) => `READ,SELECT,${object},${statement}`;
  const email = read('TABLE,billing.customers', '"SELECT email');
  for (const line of [
    audited('psql', email, 'ann'),
    audited('psql', read(',', 'SELECT 1;,<not logged>'), 'ann'),
    audited('processor', email, 'billing_service_user'),
    // A name that a person chose.
    audited('processor', email, 'bob'),
    audited('psql', 'WRITE,DELETE,TABLE,billing.charges,DELETE FROM billing.charges,<not logged>', 'ann'),
    audited('x:LOG:  AUDIT: SESSION,1,1,WRITE,INSERT,,,', email, 'cat'),
  ])
    keep('/aws/rds/instance/billing/postgresql', line);
  expect(columns(ask(linesOf('DatabaseReads'), logged), 'user', 'command', 'object', 'statement')).toEqual([
    ['cat', 'SELECT', 'billing.customers', '"SELECT email'],
    ['bob', 'SELECT', 'billing.customers', '"SELECT email'],
    ['ann', 'SELECT', '', 'SELECT 1;,<not logged>'],
    ['ann', 'SELECT', 'billing.customers', '"SELECT email'],
  ]);
});

test('logins of people are listed with their addresses, and those of functions are not', () => {
  const login = (user: string, address: string) =>
    `2026-11-29 10:20:30.123 UTC:${address}(51234):${user}@billing:[4711]:3:00000:2026-11-29 10:20:30 UTC:5/12:0:692ac1fe.1267:[unknown]:LOG:  connection authorized: user=${user} database=billing application_name=api SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)`;
  for (const line of [
    login('ann', '10.40.96.17'),
    login('billing_admin', '10.40.96.18'),
    login('billing_service_user_clone', '10.40.96.19'),
    login('ann', '10.40.96.17').replace('authorized', 'received'),
  ])
    keep('/aws/rds/instance/billing/postgresql', line);
  expect(columns(ask(linesOf('DatabaseLogins'), logged), 'user', 'database', 'address')).toEqual([
    ['ann', 'billing', '10.40.96.17'],
  ]);
});

test('each saved query is asked by a test of this file', () => {
  expect(SAVED_QUERIES.map(({ id }) => id)).toEqual([
    'FollowEvent',
    'Failures',
    'SlowestFunctions',
    'OperatorActions',
    'DatabaseLogins',
    'DatabaseChanges',
    'DatabaseReads',
  ]);
});
