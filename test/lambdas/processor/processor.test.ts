import type { SQSRecord } from 'aws-lambda';
import type { Client } from 'pg';
import { processBatch } from '../../../lambdas/processor/core';
import type { SendMessage } from '../../../core/queue/sender';
import { createReusableConnection, type ReusableConnection } from '../../../core/database/reusable-connection';
import type { QueuedProvider } from '../../../core/providers/queued-provider';
import { QUEUED_PROVIDERS } from '../../../core/providers/registry';
import type { StripeEvent } from '../../../core/providers/stripe/shapes';
import { queuedOther, type OtherEvent } from '../../factories/other-provider';
import { EPOCH, invoice, paymentIntent, stripeEvent, subscription } from '../../factories/stripe-objects';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { silentLog } from '../../support/log';

const providers = new Map<string, QueuedProvider>([...QUEUED_PROVIDERS, ['other', queuedOther]]);

let database: TestDatabase;
let client: Client;
let connection: ReusableConnection;

beforeEach(async () => {
  database = await createTestDatabase('billing');
  client = await database.client();
  connection = createReusableConnection(database.connector);
  parked = [];
});
afterEach(async () => {
  await connection.close();
  await database.drop();
});

function message(messageId: string, body: string, provider?: string): SQSRecord {
  const attributes = { SentTimestamp: String(EPOCH * 1000) };
  const messageAttributes = provider === undefined ? {} : { provider: { dataType: 'String', stringValue: provider } };
  return { messageId, body, attributes, messageAttributes } as unknown as SQSRecord;
}
const carrying = (messageId: string, event: StripeEvent) => message(messageId, JSON.stringify(event));
const received = (times: number, record: SQSRecord): SQSRecord => ({
  ...record,
  attributes: { ...record.attributes, ApproximateReceiveCount: String(times) },
});

let parked: string[];
const parking: SendMessage = async (body) => void parked.push(body);
const processMessages = (...records: SQSRecord[]) => processWith(parking, ...records);
const processWith = (park: SendMessage, ...records: SQSRecord[]) =>
  processBatch(records, { connection, log: silentLog, park, providers, observe: () => undefined });

test('one line of the log names the events of a batch by what became of them', async () => {
  const lines: [string, unknown][] = [];
  const log = { ...silentLog, info: (line: string, details?: object) => void lines.push([line, details]) };
  const applied = stripeEvent('customer.subscription.created', subscription());
  const again = [carrying('one', applied)];
  await processBatch(again, { connection, log, park: parking, providers, observe: () => undefined });
  await processBatch(again, { connection, log, park: parking, providers, observe: () => undefined });

  const named = { provider: 'stripe', processed: [], ignored: [], duplicate: [] };
  expect(lines).toEqual([
    ['Applied events', { ...named, processed: [applied.id] }],
    ['Applied events', { ...named, duplicate: [applied.id] }],
  ]);
});

test('exactly the messages that could not be applied are reported for another delivery', async () => {
  const summary = await processMessages(
    carrying('good', stripeEvent('customer.subscription.created', subscription())),
    message('not JSON', '{'),
    message('not an event', '{"object":"event"}'),
    carrying('poison', stripeEvent('invoice.finalized', invoice({ total: '12' }))),
  );

  expect(summary).toMatchObject({ processed: 1, duplicates: 0, failed: 3, createdAtSeconds: [EPOCH] });
  expect(summary.response.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier).toSorted()).toEqual([
    'not JSON',
    'not an event',
    'poison',
  ]);
});

test('a message of an unknown provider is delivered again alone and leaves nothing in the ledger', async () => {
  const event = () => JSON.stringify(stripeEvent('customer.subscription.created', subscription()));
  const summary = await processMessages(
    message('known', event(), 'stripe'),
    message('unknown', event(), 'unregistered'),
  );

  expect(summary).toMatchObject({ processed: 1, failed: 1 });
  expect(summary.response.batchItemFailures).toEqual([{ itemIdentifier: 'unknown' }]);
  expect((await client.query('SELECT provider FROM billing.webhook_events')).rows).toEqual([{ provider: 'stripe' }]);
});

test('the events of two providers in one batch are applied, each under the name of its own', async () => {
  const stripe = stripeEvent('payment_intent.succeeded', paymentIntent());
  const other: OtherEvent = { id: stripe.id, created: EPOCH - 60, data: paymentIntent({ id: 'pi_other' }) };
  const poison: OtherEvent = { ...other, id: 'evt_poison', data: paymentIntent({ amount: '12' }) };
  const batch = [
    carrying('first', stripe),
    message('second', JSON.stringify(other), 'other'),
    message('third', JSON.stringify(poison), 'other'),
    message('fourth', JSON.stringify(other), 'other'),
  ];
  const summary = await processMessages(...batch);

  expect(summary).toMatchObject({ processed: 2, duplicates: 1, failed: 1, drifted: 1, driftedVersions: ['other'] });
  expect(summary.createdAtSeconds).toEqual([EPOCH, EPOCH - 60]);
  expect(summary.response.batchItemFailures).toEqual([{ itemIdentifier: 'third' }]);
  const { rows } = await client.query(
    'SELECT provider, id, status FROM billing.webhook_events ORDER BY status, provider',
  );
  expect(rows).toEqual([
    { provider: 'other', id: 'evt_poison', status: 'failed' },
    { provider: 'other', id: stripe.id, status: 'processed' },
    { provider: 'stripe', id: stripe.id, status: 'processed' },
  ]);
  expect(await processMessages(...batch)).toMatchObject({ processed: 0, duplicates: 3, failed: 1 });
});

const poison = () => stripeEvent('invoice.finalized', invoice({ total: '12' }));

test('an event is parked at the third attempt that the ledger counts, however often it was received', async () => {
  const event = carrying('poison', poison());
  const good = carrying('good', stripeEvent('customer.subscription.created', subscription()));
  expect(await processMessages(received(40, event))).toMatchObject({ failed: 1, parked: 0 });
  expect(await processMessages(received(41, event))).toMatchObject({ failed: 1, parked: 0 });
  expect(parked).toEqual([]);

  expect(await processMessages(received(42, event), received(42, good))).toMatchObject({
    processed: 1,
    failed: 1,
    parked: 1,
    response: { batchItemFailures: [] },
  });
  expect(parked).toEqual([event.body]);
});

test('a message that is no event is parked at its third receive', async () => {
  expect(await processMessages(received(2, message('no event', '{}')))).toMatchObject({ failed: 1, parked: 0 });
  expect(await processMessages(received(3, message('no event', '{}')))).toMatchObject({ failed: 1, parked: 1 });
  expect(parked).toEqual(['{}']);
});

test('a message that the dead-letter queue does not take is delivered again', async () => {
  const refusing: SendMessage = () => Promise.reject(new Error('no network'));
  const summary = await processWith(refusing, received(3, message('no event', '{}')));

  expect(summary).toMatchObject({ failed: 1, parked: 0 });
  expect(summary.response.batchItemFailures).toEqual([{ itemIdentifier: 'no event' }]);
});

test('the same event twice in one batch is one effect and no failure', async () => {
  const event = stripeEvent('customer.subscription.created', subscription());

  expect(await processMessages(carrying('first', event), carrying('second', event))).toMatchObject({
    processed: 1,
    duplicates: 1,
    response: { batchItemFailures: [] },
  });
});

test('a poison event counts each delivery and keeps its error', async () => {
  const event = carrying('poison', poison());
  for (let delivery = 1; delivery <= 3; delivery += 1) await processMessages(event);

  const { rows } = await client.query('SELECT status, attempts, error FROM billing.webhook_events');
  expect(rows).toEqual([
    { status: 'failed', attempts: 3, error: "invoice.total: expected an integer in the currency's smallest unit" },
  ]);
});

test('a connection that the server closed between two batches is replaced without losing the batch', async () => {
  await processMessages(carrying('first', stripeEvent('customer.subscription.created', subscription())));
  await client.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
  );

  const event = stripeEvent('customer.subscription.updated', subscription({ status: 'past_due' }), {
    created: EPOCH + 1,
  });
  expect(await processMessages(carrying('second', event))).toMatchObject({ processed: 1 });
  expect((await client.query('SELECT status FROM billing.subscriptions')).rows).toEqual([{ status: 'past_due' }]);
});

test('a database killed in the middle of a batch leaves nothing, and the batch delivered again is applied once', async () => {
  const batch = Array.from({ length: 5 }, (_, index) =>
    carrying(`m${index}`, stripeEvent('customer.subscription.created', subscription({ id: `sub_${index}` }))),
  );
  // Each attempt waits for this lock after it wrote its ledger rows; then its connection is cut.
  await client.query('BEGIN; LOCK TABLE billing.subscriptions');
  const interrupted = processMessages(...batch).catch((error: unknown) => error);
  const administrator = await database.client();
  const waiting = `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    while ((await administrator.query(waiting)).rowCount === 0);
    // Waits until the session is gone, so that the next one found is that of the next attempt.
    await administrator.query(`SELECT pg_terminate_backend(pid, 5000) FROM (${waiting}) AS blocked`);
  }
  expect(await interrupted).toMatchObject({ code: 'database_unavailable', retryable: true });
  await client.query('ROLLBACK');

  expect((await client.query('SELECT FROM billing.webhook_events')).rowCount).toBe(0);
  expect(await processMessages(...batch)).toMatchObject({ processed: 5, duplicates: 0 });
  expect(await processMessages(...batch)).toMatchObject({ processed: 0, duplicates: 5 });
});
