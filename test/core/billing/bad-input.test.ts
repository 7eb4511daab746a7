import type { SQSRecord } from 'aws-lambda';
import fc from 'fast-check';
import type { Client } from 'pg';
import { processBatch } from '../../../lambdas/processor/core';
import { createReusableConnection, type ReusableConnection } from '../../../core/database/reusable-connection';
import {
  account,
  charge,
  checkoutSession,
  customer,
  EPOCH,
  invoice,
  olderCharge,
  paymentIntent,
  refund,
  stripeEvent,
  subscription,
} from '../../factories/stripe-objects';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { silentLog } from '../../support/log';

let database: TestDatabase;
let client: Client;
let connection: ReusableConnection;

beforeAll(async () => {
  database = await createTestDatabase('billing');
  client = await database.client();
  connection = createReusableConnection(database.connector);
});
afterAll(async () => {
  await connection.close();
  await database.drop();
});

const record = (messageId: string, body: string) =>
  ({ messageId, body, attributes: { SentTimestamp: String(EPOCH * 1000) }, messageAttributes: {} }) as SQSRecord;
const processMessages = (...records: SQSRecord[]) =>
  processBatch(records, { connection, log: silentLog, park: async () => undefined });
const objectJson = (...pairs: string[]) => `{${pairs.join(',')}}`;

async function ledgerRow(eventId: string): Promise<{ status: string; error: string | null } | undefined> {
  const { rows } = await client.query('SELECT status, error FROM billing.webhook_events WHERE id = $1', [eventId]);
  return rows[0];
}

const PROCESSED = { status: 'processed', error: null };
const PARKED = { status: 'failed', error: expect.stringMatching(/\S{3}/) };

let sequence = 0;
const unique = () => (sequence += 1);

type Json = Record<string, unknown>;
const makers: readonly (readonly [type: string, make: (id: string) => Json])[] = [
  [
    'customer.subscription.updated',
    // With its own item: an item of two subscriptions is another test.
    (id) => subscription({ id, items: { data: [{ ...itemOf(subscription()), id: `si_${id}` }] } }),
  ],
  ['invoice.paid', (id) => invoice({ id })],
  ['checkout.session.completed', (id) => checkoutSession({ id })],
  ['payment_intent.succeeded', (id) => paymentIntent({ id })],
  ['charge.refunded', (id) => charge({ id, amount_refunded: 100 })],
  ['charge.refunded', (id) => olderCharge({ id, amount_refunded: 100 })],
  ['refund.failed', (id) => refund({ id, status: 'failed' })],
  ['customer.updated', (id) => customer({ id })],
  ['account.updated', (id) => account({ id })],
];
function itemOf(object: Json): object {
  return (object.items as { data: object[] }).data[0] ?? {};
}

/** Paths to every value of an object, so that each can be broken in turn. */
function pathsOf(value: unknown, path: (string | number)[] = []): (string | number)[][] {
  if (typeof value !== 'object' || value === null) return [path];
  return [
    ...(path.length > 0 ? [path] : []),
    ...Object.entries(value).flatMap(([key, child]) => pathsOf(child, [...path, key])),
  ];
}

function replaced(value: unknown, [key, ...rest]: readonly (string | number)[], by: unknown): unknown {
  if (key === undefined) return by;
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string, unknown>;
  copy[key] = replaced(copy[key], rest, by);
  return copy;
}

/** Values that are wrong in most places of a Stripe object. */
const junk = fc.oneof(
  fc.constantFrom<unknown>(null, undefined, '', 'x'.repeat(6_000), '\0', '\ud800', 'a\udfffb', true, [], {}, -1, 0.5),
  fc.constantFrom<unknown>(2 ** 31, 2 ** 53, 2 ** 63, 1e300, -(2 ** 63), Number.MAX_SAFE_INTEGER),
  fc.constantFrom<unknown>('2026-01-01', "'; DROP TABLE billing.subscriptions; --", '$1', '{}', 'NaN', '👩‍💻'),
  fc.constantFrom<unknown>({ id: 'x' }, { id: null }, [[[]]], { data: null }, { data: [null] }, { object: 'card' }),
  fc.jsonValue({ maxDepth: 2 }),
);

const broken = fc
  .constantFrom(...makers)
  .chain(([type, make]) => fc.tuple(fc.constant(type), fc.constant(make), fc.nat(200), junk));

test('an event with any field broken is recorded with a reason, and its neighbours are applied', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(broken, { minLength: 5, maxLength: 25 }), async (mutations) => {
      const events = mutations.map(([type, make, position, value]) => {
        const object = make(`x_${unique()}`);
        const paths = pathsOf(object);
        return stripeEvent(type, replaced(object, paths[position % paths.length] ?? [], value) as Json);
      });
      const good = stripeEvent('payment_intent.succeeded', paymentIntent({ id: `pi_${unique()}` }));
      const all = [...events.slice(0, 3), good, ...events.slice(3)];

      const summary = await processMessages(...all.map((event) => record(event.id, JSON.stringify(event))));

      const again = new Set(summary.response.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
      expect(summary.processed + summary.failed).toBe(all.length);
      for (const { id } of all) expect(await ledgerRow(id)).toEqual(again.has(id) ? PARKED : PROCESSED);
      expect(await ledgerRow(good.id)).toMatchObject({ status: 'processed' });
    }),
    { numRuns: 60 },
  );
});

const deep = '['.repeat(100_000) + ']'.repeat(100_000);
const event = (id: string, type: string, object: string, created = String(EPOCH)) =>
  objectJson(
    `"id":"${id}"`,
    '"object":"event"',
    `"type":"${type}"`,
    `"created":${created}`,
    '"livemode":false',
    `"data":{"object":${object}}`,
  );
const json = (object: Json) => JSON.stringify(object);

test.each<[name: string, type: string, object: string, reason: string]>([
  [
    'nested 100,000 levels deep',
    'account.updated',
    json(account()).replace('{', `{"deep":${deep},`),
    'nested deeper than',
  ],
  [
    'an amount of twenty digits',
    'refund.created',
    json(refund()).replace('3000', '30000000000000000000'),
    'refund.amount',
  ],
  ['an amount that no number holds', 'refund.created', json(refund()).replace('3000', '1e999'), 'refund.amount'],
  [
    'an amount twice, the second one malformed',
    'refund.created',
    json(refund()).replace(/}$/, ',"amount":"1"}'),
    'refund.amount',
  ],
  ['no object', 'invoice.paid', '{}', 'data.object.object'],
  ['an object of another kind', 'charge.refunded', json(refund()), 'expected `charge`'],
  ['more refunded than was charged', 'charge.refunded', json(charge({ amount_refunded: 9_901 })), 'is more than'],
  [
    'the same item twice',
    'customer.subscription.updated',
    json(subscription({ items: { data: [itemOf(subscription()), itemOf(subscription())] } })),
    'every item once',
  ],
  [
    'a number that only JavaScript holds',
    'refund.created',
    json(refund()).replace('{', '{"tiny":1e-20000,'),
    'overflows',
  ],
  [
    'an email too long to be indexed',
    'customer.updated',
    json(customer({ email: randomText(5_000) })),
    'customer.email',
  ],
])('an event with %s is parked with a reason, and leaves only its ledger row', async (_name, type, object, reason) => {
  const [id, counts] = [
    `evt_bad_${unique()}`,
    'SELECT (SELECT count(*) FROM billing.refund_ledger) AS ledger, (SELECT count(*) FROM billing.customers) AS customers',
  ];
  const before = (await client.query(counts)).rows;

  const { response } = await processMessages(record('poison', event(id, type, object)));

  expect(response.batchItemFailures).toEqual([{ itemIdentifier: 'poison' }]);
  expect(await ledgerRow(id)).toEqual({ status: 'failed', error: expect.stringContaining(reason) });
  expect((await client.query(counts)).rows).toEqual(before);
});

/** Text that does not compress. */
function randomText(length: number): string {
  let state = 1;
  return Array.from({ length }, () => {
    state = (state * 48_271) % 2_147_483_647;
    return String.fromCharCode(33 + (state % 90));
  }).join('');
}

test.each([
  ['not JSON', '{'],
  ['an envelope nested 100,000 levels deep', deep],
  ['no event at all', '{"object":"event"}'],
  ['an event with a malformed id', event('sub_1', 'account.updated', json(account()))],
  [
    'an event with a time of twenty digits',
    event('evt_late', 'account.updated', json(account()), '99999999999999999999'),
  ],
])('a message that is %s is delivered again and leaves no row', async (_name, body) => {
  const count = async () => (await client.query('SELECT count(*) FROM billing.webhook_events')).rows;
  const before = await count();

  expect(await processMessages(record('unreadable', body))).toMatchObject({
    failed: 1,
    response: { batchItemFailures: [{ itemIdentifier: 'unreadable' }] },
  });
  expect(await count()).toEqual(before);
});

test('a key named __proto__ changes no column and no prototype', async () => {
  const id = `acct_${unique()}`;
  const object = json(account({ id })).replace('{', '{"__proto__":{"charges_enabled":false,"polluted":1},');

  expect(await processMessages(record('m', event(`evt_proto_${unique()}`, 'account.updated', object)))).toMatchObject({
    processed: 1,
    failed: 0,
  });
  const { rows } = await client.query(
    'SELECT charges_enabled, restricted FROM billing.connect_accounts WHERE id = $1',
    [id],
  );
  expect(rows).toEqual([{ charges_enabled: true, restricted: false }]);
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
});
