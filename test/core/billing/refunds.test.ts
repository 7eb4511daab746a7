import fc from 'fast-check';
import type { Client } from 'pg';
import { applyEvents } from '../../../core/billing/apply-events';
import { stripeProvider } from '../../../core/providers/stripe/provider';
import type { StripeEvent } from '../../../core/providers/stripe/shapes';
import { charge, EPOCH, refund, stripeEvent } from '../../factories/stripe-objects';
import { createTestDatabase, type TestDatabase } from '../../support/database';

let database: TestDatabase;
let client: Client;

beforeAll(async () => {
  database = await createTestDatabase('billing');
  client = await database.client();
});
afterAll(() => database.drop());

let charges = 0;
const nextCharge = () => `ch_${(charges += 1)}`;
const apply = (...events: StripeEvent[]) =>
  applyEvents(
    client,
    stripeProvider,
    events.map((event) => ({ event, source: 'webhook', receivedAt: new Date() })),
  );

interface Entry {
  readonly kind: string;
  readonly refund_id: string | null;
  readonly amount: string;
}
async function entries(chargeId: string): Promise<Entry[]> {
  const { rows } = await client.query<Entry>(
    'SELECT kind, refund_id, amount FROM billing.refund_entries WHERE charge_id = $1 ORDER BY kind, refund_id, refunded_total',
    [chargeId],
  );
  return rows;
}
async function balance(chargeId: string): Promise<unknown> {
  const { rows } = await client.query(
    'SELECT refunded, returned, balance FROM billing.refund_balances WHERE charge_id = $1',
    [chargeId],
  );
  return rows[0];
}

const at = (second: number) => ({ created: EPOCH + second });
const reported = (id: string, total: number, second = 0) =>
  stripeEvent('charge.refunded', charge({ id, amount_refunded: total }), at(second));
const refunded = (type: string, id: string, chargeId: string, amount: number, status: string, second = 0) =>
  stripeEvent(type, refund({ id, charge: chargeId, amount, status }), at(second));

test('a refund that both its own event and its charge report is one entry', async () => {
  const id = nextCharge();
  await apply(reported(id, 3_000), refunded('refund.created', `re_${id}`, id, 3_000, 'succeeded'));

  expect(await entries(id)).toEqual([{ kind: 'refunded', refund_id: `re_${id}`, amount: '3000' }]);
  expect(await balance(id)).toEqual({ refunded: '3000', returned: '0', balance: '3000' });
});

test('a refund that fails weeks later is compensated by another entry, and no entry is removed', async () => {
  const id = nextCharge();
  await apply(reported(id, 3_000), refunded('refund.created', `re_${id}`, id, 3_000, 'succeeded'));
  await apply(refunded('refund.failed', `re_${id}`, id, 3_000, 'failed', 1_800_000));

  expect(await entries(id)).toEqual([
    { kind: 'refunded', refund_id: `re_${id}`, amount: '3000' },
    { kind: 'returned', refund_id: `re_${id}`, amount: '-3000' },
  ]);
  expect(await balance(id)).toEqual({ refunded: '3000', returned: '3000', balance: '0' });
});

test.each(['refund.failed', 'refund.updated', 'charge.refund.updated'])(
  'a failed refund of which only %s was delivered still balances',
  async (type) => {
    const id = nextCharge();
    await apply(refunded(type, `re_${id}`, id, 3_000, 'failed'));

    expect(await balance(id)).toEqual({ refunded: '3000', returned: '3000', balance: '0' });
    expect((await client.query('SELECT status FROM billing.refunds WHERE id = $1', [`re_${id}`])).rows).toEqual([
      { status: 'failed' },
    ]);
  },
);

test('each step between totals that only a charge reports is an entry, in whatever order they arrive', async () => {
  const id = nextCharge();
  await apply(reported(id, 5_000, 2));
  await apply(reported(id, 3_000, 1));

  expect((await entries(id)).map(({ kind, amount }) => [kind, amount])).toEqual([
    ['unattributed', '3000'],
    ['unattributed', '2000'],
  ]);
  const { rows } = await client.query('SELECT amount_refunded FROM billing.charges WHERE id = $1', [id]);
  expect(rows).toEqual([{ amount_refunded: '5000' }]);
});

test('a total that is partly explained by a refund leaves the rest unattributed until the other refund arrives', async () => {
  const id = nextCharge();
  await apply(reported(id, 5_000), refunded('refund.created', `re_${id}_a`, id, 3_000, 'succeeded'));
  expect(await entries(id)).toEqual([
    { kind: 'refunded', refund_id: `re_${id}_a`, amount: '3000' },
    { kind: 'unattributed', refund_id: null, amount: '2000' },
  ]);

  await apply(refunded('refund.created', `re_${id}_b`, id, 2_000, 'succeeded'));
  expect((await entries(id)).map(({ kind }) => kind)).toEqual(['refunded', 'refunded']);
  expect(await balance(id)).toMatchObject({ balance: '5000' });
});

test('any history of refunds, some of which fail, ends in the balance at Stripe, in whatever order it is delivered', async () => {
  const histories = fc.array(fc.record({ amount: fc.integer({ min: 1, max: 2_000 }), fails: fc.boolean() }), {
    minLength: 1,
    maxLength: 4,
  });
  await fc.assert(
    fc.asyncProperty(
      histories,
      fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
      async (history, keys) => {
        const id = nextCharge();
        let total = 0;
        const events = history.flatMap(({ amount, fails }, index) => {
          const [refundId, second] = [`re_${id}_${index}`, index * 10];
          total += amount;
          const made = [
            refunded('refund.created', refundId, id, amount, 'pending', second),
            reported(id, total, second),
            refunded('refund.updated', refundId, id, amount, 'succeeded', second + 1),
          ];
          if (!fails) return made;
          total -= amount;
          return [
            ...made,
            refunded('refund.failed', refundId, id, amount, 'failed', second + 5),
            stripeEvent('charge.updated', charge({ id, amount_refunded: total }), at(second + 5)),
          ];
        });
        const order = events
          .map((event) => ({ event, key: keys.next().value as number }))
          .toSorted((a, b) => a.key - b.key)
          .map(({ event }) => event);
        for (const event of [...order, ...order.slice(0, 2)]) await apply(event);

        expect(await balance(id)).toMatchObject({ balance: String(total) });
        const { rows } = await client.query('SELECT amount_refunded FROM billing.charges WHERE id = $1', [id]);
        expect(rows).toEqual([{ amount_refunded: String(total) }]);
      },
    ),
    { numRuns: 60 },
  );
});

test.each([
  `INSERT INTO billing.refund_ledger (entry, kind, charge_id, refund_id, amount, currency)
   VALUES ('re_x:returned', 'returned', 'ch_x', 're_x', 100, 'eur')`,
  `INSERT INTO billing.refund_ledger (entry, kind, charge_id, currency) VALUES ('ch_x:1', 'reported', 'ch_x', 'eur')`,
])('the database rejects a refund entry without the fields of its kind: %s', async (insert) => {
  await expect(client.query(insert)).rejects.toThrow('entries_say_what_their_kind_needs');
});
