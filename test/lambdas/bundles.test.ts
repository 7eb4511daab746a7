import { CreateQueueCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Stripe from 'stripe';
import { WEBHOOK_PATH } from '../../lambdas/webhook/contract';
import { bundleFunctions, type Bundle } from '../../lib/operations/bundles';
import { LocalFunction } from '../../local/aws/lambda-runtime';
import { startSecretsManager, type SecretsManager } from '../../local/aws/secrets-manager';
import { startStripeStandIn, type StripeStandIn } from '../../local/stripe/stand-in';
import { stripeEvent, subscription } from '../factories/stripe-objects';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { createBucket, objectStore } from '../support/object-store';
import { testServices } from '../support/services';

/** What `cdk deploy` ships, each function in a Node process of its own, as in Lambda. */
const folder = mkdtempSync(path.join(tmpdir(), 'billing-operations-bundles-'));
const running: LocalFunction[] = [];
let bundles: Bundle[];
let secrets: SecretsManager;
let stripe: StripeStandIn;
let databases: Record<'billing' | 'main', TestDatabase>;
let environments: Record<string, Record<string, string>>;
let queueUrl: string;

beforeAll(async () => {
  bundles = bundleFunctions({ outdir: path.join(folder, 'lambdas') });
  const { cluster, awsEndpoint } = testServices();
  [secrets, stripe] = await Promise.all([startSecretsManager(), startStripeStandIn()]);
  databases = { billing: await createTestDatabase('billing'), main: await createTestDatabase('main') };
  secrets.put('database', { username: cluster.user, password: cluster.password });
  secrets.put('signing', { current: 'whsec_test' });
  secrets.put('stripe', { apiKey: 'sk_test_1' });
  const sqs = new SQSClient({ endpoint: awsEndpoint });
  const queue = `bundles-${process.pid}`;
  await sqs.send(new CreateQueueCommand({ QueueName: queue }));
  queueUrl = `${awsEndpoint}/000000000000/${queue}`;

  const base = { ENVIRONMENT_NAME: 'test', LOG_LEVEL: 'INFO', NODE_EXTRA_CA_CERTS: '/var/runtime/ca-cert.pem' };
  const database = (name: 'billing' | 'main') => {
    const prefix = `${name.toUpperCase()}_DATABASE`;
    return {
      [`${prefix}_HOST`]: cluster.host,
      [`${prefix}_PORT`]: String(cluster.port),
      [`${prefix}_NAME`]: databases[name].name,
      [`${prefix}_SECRET_ARN`]: 'database',
    };
  };
  const both = { ...base, ...database('billing'), ...database('main') };
  const stripeApi = { STRIPE_API_SECRET_ARN: 'stripe', STRIPE_API_BASE: stripe.url, LIVEMODE: 'false' };
  const noInstances = { BILLING_INSTANCE_IDENTIFIER: '', MAIN_INSTANCE_IDENTIFIER: '' };
  const archives = { ARCHIVE_BUCKET: await createBucket(objectStore()) };
  environments = {
    webhook: { ...base, QUEUE_URL: queueUrl, SIGNING_SECRET_ARN: 'signing', LIVEMODE: 'false' },
    processor: { ...base, ...database('billing'), CACHE_URL: '' },
    backup: {
      ...both,
      ...archives,
      ...noInstances,
      BILLING_RETENTION_DAYS: '90',
      MAIN_RETENTION_DAYS: '30',
      BILLING_FREQUENCY_HOURS: '6',
      MAIN_FREQUENCY_HOURS: '24',
      STREAMING_LIMIT_GIB: '64',
      EXPORT_ROLE_ARN: '',
      EXPORT_KEY_ARN: '',
    },
    restore: { ...both, ...archives },
    drill: { ...both, ...archives, BILLING_RESTORE_TARGET_MINUTES: '60', MAIN_RESTORE_TARGET_MINUTES: '240' },
    'row-recovery': { ...both, ...archives, CACHE_URL: '' },
    verify: both,
    warm: both,
    'reset-password': { ...base, BILLING_DATABASE_SECRET_ARN: 'database', MAIN_DATABASE_SECRET_ARN: 'database' },
    cleanup: { ...base, ...database('billing'), RETENTION_DAYS: '90' },
    entitlements: { ...base, ...database('billing'), CACHE_URL: '' },
    reconciliation: { ...base, ...database('billing'), ...stripeApi, CACHE_URL: '', DAYS_BACK: '7' },
    replay: {
      ...base,
      ...database('billing'),
      ...stripeApi,
      CACHE_URL: '',
      QUEUE_URL: queueUrl,
      DEAD_LETTER_QUEUE_URL: queueUrl,
    },
    migrate: both,
    collector: {
      ...both,
      ...noInstances,
      ...archives,
      BILLING_ALLOCATED_STORAGE_GIB: '20',
      MAIN_ALLOCATED_STORAGE_GIB: '20',
      EVENT_RETENTION_DAYS: '365',
      STRIPE_API_SECRET_ARN: 'stripe',
      STRIPE_SIGNING_SECRET_ARN: 'signing',
    },
  };
});

afterAll(async () => {
  for (const instance of running) instance.stop();
  await Promise.all([secrets.stop(), stripe.stop(), databases.billing.drop(), databases.main.drop()]);
  rmSync(folder, { recursive: true, force: true });
});

function start(name: string, environment = environments[name] ?? {}): LocalFunction {
  const bundle = bundles.find((candidate) => candidate.name === name);
  const { cluster, awsEndpoint } = testServices();
  const instance = new LocalFunction(
    {
      name,
      arn: `arn:aws:lambda:eu-central-1:111111111111:function:${name}`,
      folder: bundle?.folder ?? '',
      handler: 'index.handler',
      timeoutSeconds: 30,
      memoryMib: 512,
      reservedConcurrency: 1,
      environment,
      logLevel: 'INFO',
    },
    {
      region: 'eu-central-1',
      endpoints: { s3: awsEndpoint, sqs: awsEndpoint, secretsManager: secrets.endpoint },
      caFile: cluster.caFile,
      logDirectory: path.join(folder, 'logs'),
    },
  );
  running.push(instance);
  return instance;
}

const FUNCTIONS = [
  'backup',
  'cleanup',
  'collector',
  'drill',
  'entitlements',
  'migrate',
  'processor',
  'reconciliation',
  'replay',
  'reset-password',
  'restore',
  'row-recovery',
  'verify',
  'warm',
  'webhook',
];

test('every function is bundled, and no other', () => {
  expect(bundles.map(({ name }) => name)).toEqual(FUNCTIONS);
});

test.each(FUNCTIONS)('%s does not start with an empty environment, and names what is missing', async (name) => {
  await expect(start(name, {}).warm()).rejects.toThrow(/environment variable ENVIRONMENT_NAME is missing: expected/);
});

test.each(FUNCTIONS)('%s starts with a complete environment', async (name) => {
  await expect(start(name).warm()).resolves.toBeUndefined();
});

test('webhook verifies, queues and answers; processor applies what it queued', async () => {
  const event = stripeEvent('customer.subscription.created', subscription());
  const payload = JSON.stringify(event);
  const request = {
    path: WEBHOOK_PATH,
    httpMethod: 'POST',
    isBase64Encoded: true,
    body: Buffer.from(payload).toString('base64'),
    headers: { 'STRIPE-SIGNATURE': Stripe.webhooks.generateTestHeaderString({ payload, secret: 'whsec_test' }) },
  };
  const webhook = start('webhook');
  expect(await webhook.invoke(request)).toMatchObject({ statusCode: 200, body: '{"received":true}' });
  expect(await webhook.invoke({ ...request, headers: {} })).toMatchObject({
    statusCode: 400,
    body: '{"error":"The Stripe-Signature header is missing"}',
  });

  const sqs = new SQSClient({ endpoint: testServices().awsEndpoint });
  const { Messages: messages } = await sqs.send(
    new ReceiveMessageCommand({
      QueueUrl: queueUrl,
      MessageSystemAttributeNames: ['SentTimestamp'],
      MessageAttributeNames: ['All'],
      MaxNumberOfMessages: 10,
    }),
  );
  expect(messages).toHaveLength(1);
  expect(messages?.[0]?.MessageAttributes).toMatchObject({ provider: { StringValue: 'stripe' } });
  const records = messages?.map(({ MessageId, Body, Attributes }) => ({
    messageId: MessageId,
    body: Body,
    attributes: Attributes,
    messageAttributes: { provider: { stringValue: 'stripe', dataType: 'String' } },
  }));
  expect(await start('processor').invoke({ Records: records })).toEqual({ batchItemFailures: [] });
  const client = await databases.billing.client();
  expect((await client.query('SELECT id, status FROM billing.webhook_events')).rows).toEqual([
    { id: event.id, status: 'processed' },
  ]);
});

test('webhook answers 500 until its secret is filled in, and takes events from that moment', async () => {
  const secret = 'unfilled';
  // As the stack makes it.
  secrets.put(secret, { current: 'Q9xVb3RkT0pYc1dZ' });
  const payload = JSON.stringify(stripeEvent('customer.subscription.created', subscription()));
  const signedWith = (key: string) => ({
    path: WEBHOOK_PATH,
    httpMethod: 'POST',
    isBase64Encoded: false,
    body: payload,
    headers: { 'stripe-signature': Stripe.webhooks.generateTestHeaderString({ payload, secret: key }) },
  });
  const webhook = start('webhook', { ...environments.webhook, SIGNING_SECRET_ARN: secret });
  expect(await webhook.invoke(signedWith('whsec_real'))).toMatchObject({ statusCode: 500 });
  // Nobody knows the random value; should somebody, it must not open the endpoint either.
  expect(await webhook.invoke(signedWith('Q9xVb3RkT0pYc1dZ'))).toMatchObject({ statusCode: 500 });

  secrets.put(secret, { current: 'whsec_real' });
  expect(await webhook.invoke(signedWith('whsec_real'))).toMatchObject({ statusCode: 200 });
});

test('backup writes an archive that restore proves', async () => {
  const slot = '2026-11-21T06:00:00Z';
  expect(await start('backup').invoke({ database: 'billing', slot })).toMatchObject({ outcome: 'created' });
  expect(
    await start('restore').invoke({
      database: 'billing',
      archive: 'latest',
      targetDatabase: `restored_${process.pid}`,
      afterwards: 'drop',
    }),
  ).toMatchObject({ database: 'billing', kept: false });
});

test('reconciliation, migrate and collector answer', async () => {
  expect(await start('reconciliation').invoke({ dryRun: true })).toMatchObject({ status: 'complete' });
  expect(await start('migrate').invoke({ database: 'main', action: 'status' })).toMatchObject({ database: 'main' });
  expect(await start('collector').invoke({})).toMatchObject({ gauges: expect.any(Number) });
});

test('warm stops at the requested moment, and the next call continues from its answer', async () => {
  const warm = start('warm');
  const stopped = await warm.invoke({ database: 'main', stopAtMs: Date.now() - 1 });
  expect(stopped).toMatchObject({ done: false, bytesRead: 0 });
  const { continueFrom } = stopped as { continueFrom: unknown };
  expect(await warm.invoke({ database: 'main', continueFrom })).toMatchObject({
    done: true,
    continueFrom: null,
    unreadable: [],
  });
});

test('verify finds the main database sound', async () => {
  expect(await start('verify').invoke({ database: 'main' })).toMatchObject({ sound: true, notChecked: [] });
});

test('a malformed request is answered with the field and the expected form', async () => {
  await expect(start('backup').invoke({ database: 'biling' })).rejects.toThrow(/database: /);
  await expect(start('reconciliation').invoke({ daysBack: 0 })).rejects.toThrow(/daysBack: /);
});
