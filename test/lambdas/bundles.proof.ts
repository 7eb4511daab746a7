import { ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import Stripe from 'stripe';
import { WEBHOOK_ENDPOINTS } from '../../core/providers/contract';
import { startTilledStandIn } from '../../local/tilled/stand-in';
import { type BundledFunctions, startBundledFunctions } from '../factories/bundled-functions';
import { stripeEvent, subscription } from '../factories/stripe-objects';
import { signAsTilled, tilledEvent, tilledSubscription } from '../factories/tilled-objects';
import { testServices } from '../support/services';

let functions: BundledFunctions;
beforeAll(async () => {
  functions = await startBundledFunctions();
});
afterAll(() => functions.stop());

const start: BundledFunctions['start'] = (...given) => functions.start(...given);

const FUNCTIONS = [
  'api',
  'audit',
  'backup',
  'canary',
  'cleanup',
  'collector',
  'confirmations',
  'drill',
  'entitlements',
  'erasure',
  'inspect',
  'keys',
  'maintenance',
  'migrate',
  'move',
  'payouts',
  'processor',
  'reconciliation',
  'refresh',
  'replay',
  'reset-password',
  'restore',
  'row-recovery',
  'verify',
  'warm',
  'webhook',
];

test('every function is bundled, and no other', () => {
  expect(functions.bundles.map(({ name }) => name)).toEqual(FUNCTIONS);
});

test('a bundle has no commands of S3 that its function does not send', () => {
  // An import at run time puts all commands of a client into the bundle, which every start of the function reads. Maintenance takes
  // that: it has clients of seven services, and most calls need none.
  const whole = functions.bundles.filter(({ folder }) =>
    readFileSync(path.join(folder, 'index.js'), 'utf8').includes('SelectObjectContentCommand'),
  );
  expect(whole.map(({ name }) => name)).toEqual(['maintenance']);
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
    resource: WEBHOOK_ENDPOINTS.stripe.path,
    path: WEBHOOK_ENDPOINTS.stripe.path,
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
      QueueUrl: functions.queueUrl,
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
  const client = await functions.databases.billing.client();
  expect((await client.query('SELECT id, status FROM billing.webhook_events')).rows).toEqual([
    { id: event.id, status: 'processed' },
  ]);
});

test('a signed event of Tilled ends in a row', async () => {
  const payload = JSON.stringify(tilledEvent('subscription.created', tilledSubscription(), { id: 'evt_1' }));
  functions.secrets.put('tilled-signing', { current: 'whsec_tilled' });
  const webhook = start('webhook', { ...functions.environments.webhook, TILLED_SIGNING_SECRET_ARN: 'tilled-signing' });
  const request = {
    resource: WEBHOOK_ENDPOINTS.tilled.path,
    path: WEBHOOK_ENDPOINTS.tilled.path,
    httpMethod: 'POST',
    isBase64Encoded: false,
    body: payload,
    headers: { 'Tilled-Signature': signAsTilled(payload, 'whsec_tilled', Date.now()) },
  };
  expect(await webhook.invoke(request)).toMatchObject({ statusCode: 200, body: '{"received":true}' });
  const record = {
    messageId: 'message_1',
    body: payload,
    attributes: { SentTimestamp: String(Date.now()) },
    messageAttributes: { provider: { stringValue: 'tilled', dataType: 'String' } },
  };
  expect(await start('processor').invoke({ Records: [record] })).toEqual({ batchItemFailures: [] });
  const client = await functions.databases.billing.client();
  expect((await client.query(`SELECT id, status FROM billing.subscriptions WHERE id LIKE 'tilled:%'`)).rows).toEqual([
    { id: 'tilled:sub_1', status: 'active' },
  ]);
  // Without its secret, the environment takes none.
  expect(await start('webhook').invoke(request)).toMatchObject({ statusCode: 404 });
});

test('an event that Tilled never delivered is found by the reconciliation that is deployed', async () => {
  const tilled = await startTilledStandIn({ apiKey: 'sk_tilled' });
  const created_at = new Date(Date.now() - 3_600_000).toISOString();
  const data = tilledSubscription({ id: 'sub_dropped', created_at, updated_at: created_at });
  tilled.record({ ...tilledEvent('subscription.created', data), created_at });
  functions.secrets.put('tilled-api', { apiKey: 'sk_tilled', accounts: ['acct_1'] });
  const reconciliation = start('reconciliation', {
    ...functions.environments.reconciliation,
    TILLED_API_SECRET_ARN: 'tilled-api',
    TILLED_API_BASE: tilled.url,
  });
  expect(await reconciliation.invoke({ dryRun: false })).toMatchObject({
    status: 'complete',
    kinds: { tilled_event: { checked: 1, drift: 1 } },
  });
  await tilled.stop();
});

test('webhook answers 500 until its secret is filled in, and takes events from that moment', async () => {
  const secret = 'unfilled';
  // As the stack makes it.
  functions.secrets.put(secret, { current: 'Q9xVb3RkT0pYc1dZ' });
  const payload = JSON.stringify(stripeEvent('customer.subscription.created', subscription()));
  const signedWith = (key: string) => ({
    resource: WEBHOOK_ENDPOINTS.stripe.path,
    path: WEBHOOK_ENDPOINTS.stripe.path,
    httpMethod: 'POST',
    isBase64Encoded: false,
    body: payload,
    headers: { 'stripe-signature': Stripe.webhooks.generateTestHeaderString({ payload, secret: key }) },
  });
  const webhook = start('webhook', { ...functions.environments.webhook, STRIPE_SIGNING_SECRET_ARN: secret });
  expect(await webhook.invoke(signedWith('whsec_real'))).toMatchObject({ statusCode: 500 });
  // Nobody knows the random value; should somebody, it must not open the endpoint either.
  expect(await webhook.invoke(signedWith('Q9xVb3RkT0pYc1dZ'))).toMatchObject({ statusCode: 500 });

  functions.secrets.put(secret, { current: 'whsec_real' });
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
