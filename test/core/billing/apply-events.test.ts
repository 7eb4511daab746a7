import type { Client } from 'pg';
import { applyEvents, type ReceivedEvent } from '../../../core/billing/apply-events';
import { readEvent, type StripeEvent } from '../../../core/providers/stripe/shapes';
import {
  charge,
  checkoutSession,
  EPOCH,
  invoice,
  olderSubscription,
  paymentIntent,
  stripeEvent,
  subscription,
  subscriptionItem,
} from '../../factories/stripe-objects';
import { createTestDatabase, type TestDatabase } from '../../support/database';

let database: TestDatabase;
let client: Client;

beforeEach(async () => {
  database = await createTestDatabase('billing');
  client = await database.client();
});
afterEach(() => database.drop());

const received = (events: StripeEvent[]): ReceivedEvent[] =>
  events.map((event) => ({ event, source: 'webhook', receivedAt: new Date() }));
const apply = (...events: StripeEvent[]) => applyEvents(client, received(events));
const rows = async (sql: string) => (await client.query(sql)).rows;

/** Everything that events decide, without the times at which they happened to arrive. */
async function billingState(on: Client = client): Promise<unknown> {
  const { rows: state } = await on.query(`
    SELECT (SELECT json_agg(t ORDER BY id) FROM billing.customers t) AS customers,
           (SELECT json_agg(t ORDER BY id) FROM billing.subscriptions t) AS subscriptions,
           (SELECT json_agg(t ORDER BY id) FROM billing.subscription_items t) AS items,
           (SELECT json_agg(t ORDER BY id) FROM billing.invoices t) AS invoices,
           (SELECT json_agg(t ORDER BY id) FROM billing.purchases t) AS purchases,
           (SELECT json_agg(t ORDER BY id) FROM billing.charges t) AS charges,
           (SELECT json_agg(json_build_array(charge_id, amount, currency) ORDER BY charge_id, refunded_total)
              FROM billing.refund_entries) AS refunds,
           (SELECT json_agg(json_build_array(id, status, error) ORDER BY id) FROM billing.webhook_events) AS ledger`);
  return state[0];
}

describe('items of a subscription', () => {
  const itemsOf = (has_more: boolean, ...items: object[]) => ({
    items: { object: 'list', data: items, has_more },
  });
  const stored = () => rows('SELECT id, quantity::integer FROM billing.subscription_items ORDER BY id');
  const three = ['si_1', 'si_2', 'si_3'].map((id) => subscriptionItem({ id }));
  const made = stripeEvent('customer.subscription.created', subscription(itemsOf(false, ...three)));
  const changed = subscriptionItem({ id: 'si_1', quantity: 7 });

  test('a list that Stripe cut off changes the items that it carries and removes none', async () => {
    await apply(made);
    await apply(
      stripeEvent('customer.subscription.updated', subscription(itemsOf(true, changed)), { created: EPOCH + 5 }),
    );

    expect(await stored()).toEqual([
      { id: 'si_1', quantity: 7 },
      { id: 'si_2', quantity: 1 },
      { id: 'si_3', quantity: 1 },
    ]);
  });

  test('a whole list removes the items that it lacks', async () => {
    await apply(made);
    await apply(
      stripeEvent('customer.subscription.updated', subscription(itemsOf(false, changed)), { created: EPOCH + 5 }),
    );

    expect(await stored()).toEqual([{ id: 'si_1', quantity: 7 }]);
  });

  test('an item that stays as it is is not written again', async () => {
    const version = () => rows(`SELECT xmin::text, ctid::text FROM billing.subscription_items WHERE id = 'si_2'`);
    await apply(made);
    const before = await version();
    await apply(
      stripeEvent('customer.subscription.updated', subscription(itemsOf(false, changed, ...three.slice(1))), {
        created: EPOCH + 5,
      }),
    );

    expect(await version()).toEqual(before);
  });
});

describe('effects', () => {
  test.each([
    ['since 2025, with the period on the items', subscription()],
    ['before 2025, with the period on the subscription', olderSubscription()],
  ])('a subscription in the shape of API versions %s is stored with its item and period', async (_shape, object) => {
    await apply(stripeEvent('customer.subscription.created', object));

    expect(
      await rows('SELECT id, customer_id, user_id, status, current_period_end FROM billing.subscriptions'),
    ).toEqual([
      {
        id: 'sub_1',
        customer_id: 'cus_1',
        user_id: 'user_1',
        status: 'active',
        current_period_end: new Date((EPOCH + 30 * 86_400) * 1000),
      },
    ]);
    expect(
      await rows(
        'SELECT subscription_id, price_id, unit_amount, currency, current_period_end FROM billing.subscription_items',
      ),
    ).toEqual([
      {
        subscription_id: 'sub_1',
        price_id: 'price_pro',
        unit_amount: '2900',
        currency: 'eur',
        current_period_end: new Date((EPOCH + 30 * 86_400) * 1000),
      },
    ]);
  });

  test('items that a newer state no longer has are gone', async () => {
    const items = (...ids: string[]) => ({ data: ids.map((id) => subscriptionItem({ id })) });
    await apply(stripeEvent('customer.subscription.created', subscription({ items: items('si_a', 'si_b') })));
    await apply(
      stripeEvent('customer.subscription.updated', subscription({ items: items('si_b', 'si_c') }), {
        created: EPOCH + 5,
      }),
    );

    expect(await rows('SELECT id FROM billing.subscription_items ORDER BY id')).toEqual([
      { id: 'si_b' },
      { id: 'si_c' },
    ]);
  });

  test.each([
    ['since 2025', invoice()],
    ['before 2025', invoice({ parent: null, subscription: 'sub_1' })],
  ])('an invoice in the shape %s knows its subscription and amounts', async (_shape, object) => {
    await apply(stripeEvent('invoice.finalized', object));
    await apply(
      stripeEvent(
        'invoice.payment_succeeded',
        {
          ...object,
          status: 'paid',
          amount_paid: 2_900,
          amount_remaining: 0,
          status_transitions: { paid_at: EPOCH + 60 },
        },
        { created: EPOCH + 60 },
      ),
    );

    expect(
      await rows(
        'SELECT subscription_id, status, total, amount_paid, amount_remaining, currency FROM billing.invoices',
      ),
    ).toEqual([
      {
        subscription_id: 'sub_1',
        status: 'paid',
        total: '2900',
        amount_paid: '2900',
        amount_remaining: '0',
        currency: 'eur',
      },
    ]);
  });

  test.each(['course', 'path', 'coaching'])(
    'a completed checkout of a %s becomes a purchase of that kind',
    async (kind) => {
      await apply(
        stripeEvent(
          'checkout.session.completed',
          checkoutSession({ metadata: { kind, item_id: 'item_9', user_id: 'user_1' } }),
        ),
      );

      expect(
        await rows('SELECT kind, item_id, user_id, amount_total, currency, payment_status FROM billing.purchases'),
      ).toEqual([
        { kind, item_id: 'item_9', user_id: 'user_1', amount_total: '9900', currency: 'eur', payment_status: 'paid' },
      ]);
    },
  );

  test('two partial refunds are two entries that sum to what the charge says', async () => {
    await apply(stripeEvent('charge.refunded', charge({ amount_refunded: 3_000 }), { created: EPOCH + 1 }));
    await apply(stripeEvent('charge.refunded', charge({ amount_refunded: 5_000 }), { created: EPOCH + 2 }));

    expect(await rows('SELECT amount FROM billing.refund_entries ORDER BY refunded_total')).toEqual([
      { amount: '3000' },
      { amount: '2000' },
    ]);
    expect(await rows('SELECT amount_refunded FROM billing.charges')).toEqual([{ amount_refunded: '5000' }]);
  });

  test.each([
    'UPDATE billing.refund_ledger SET refunded_total = 1',
    'DELETE FROM billing.refund_ledger',
    'TRUNCATE billing.refund_ledger',
  ])('the refund ledger refuses: %s', async (change) => {
    await apply(stripeEvent('charge.refunded', charge({ amount_refunded: 3_000 })));

    await expect(client.query(change)).rejects.toThrow('refund_ledger only grows');
  });

  test('of a card only brand, last four digits and expiry are stored, in the object and in the ledger', async () => {
    await apply(stripeEvent('charge.refunded', charge({ amount_refunded: 3_000 })));

    const details = { type: 'card', card: { brand: 'visa', last4: '4242', exp_month: 12, exp_year: 2030 } };
    expect(await rows(`SELECT raw->'payment_method_details' AS details FROM billing.charges`)).toEqual([{ details }]);
    expect(
      await rows(`SELECT payload #> '{data,object,payment_method_details}' AS details FROM billing.webhook_events`),
    ).toEqual([{ details }]);
  });

  test('an unknown type is one processed ledger row and nothing else', async () => {
    await apply(stripeEvent('tax.settings.updated', { object: 'tax.settings' }));

    expect(await rows('SELECT type, status, attempts FROM billing.webhook_events')).toEqual([
      { type: 'tax.settings.updated', status: 'processed', attempts: 1 },
    ]);
    expect(await billingState()).toMatchObject({ customers: null, subscriptions: null, invoices: null });
  });
});

describe('what is not ours to keep', () => {
  test('a purchase in a connected account, whatever its metadata say, buys nothing here', async () => {
    const event = stripeEvent('checkout.session.completed', checkoutSession(), { account: 'acct_coach' });

    expect((await apply(event)).get(event.id)).toEqual({ status: 'processed' });
    expect(await rows('SELECT id FROM billing.purchases')).toEqual([]);
  });

  test('the client secret of a payment is stored nowhere', async () => {
    await apply(
      stripeEvent('checkout.session.completed', checkoutSession({ client_secret: 'cs_1_secret_of_the_browser' })),
    );

    expect(
      await rows(`SELECT FROM billing.webhook_events WHERE payload::text LIKE '%secret_of_the_browser%'
        UNION ALL SELECT FROM billing.purchases WHERE raw::text LIKE '%secret_of_the_browser%'`),
    ).toEqual([]);
  });
});

describe('delivered more than once', () => {
  test('a second delivery changes nothing', async () => {
    const event = stripeEvent('customer.subscription.created', subscription());
    await apply(event);
    const before = await billingState();

    const outcomes = await apply(event);

    expect(outcomes.get(event.id)).toEqual({ status: 'duplicate' });
    expect(await billingState()).toEqual(before);
    expect(await rows('SELECT attempts FROM billing.webhook_events')).toEqual([{ attempts: 1 }]);
  });

  test('the same event applied by two connections at once has one effect', async () => {
    const event = stripeEvent('charge.refunded', charge({ amount_refunded: 3_000 }));
    const other = await database.client();

    const outcomes = await Promise.all([applyEvents(client, received([event])), applyEvents(other, received([event]))]);

    expect(new Set(outcomes.map((outcome) => outcome.get(event.id)?.status))).toEqual(
      new Set(['duplicate', 'processed']),
    );
    expect(await rows('SELECT amount FROM billing.refund_entries')).toEqual([{ amount: '3000' }]);
  });

  test('two connections applying states of the same subscriptions at once leave the newest with its items', async () => {
    const other = await database.client();
    const batch = (second: number) =>
      received(
        Array.from({ length: 20 }, (_, index) =>
          stripeEvent(
            'customer.subscription.updated',
            subscription({ id: `sub_${index}`, items: { data: [subscriptionItem({ id: `si_${index}_${second}` })] } }),
            { created: EPOCH + second },
          ),
        ),
      );
    await Promise.all([
      applyEvents(client, batch(1)),
      applyEvents(other, batch(3).toReversed()),
      ...[2].map(async (second) => applyEvents(await database.client(), batch(second))),
    ]);

    const items = await rows('SELECT id FROM billing.subscription_items');
    expect(items).toHaveLength(20);
    expect(items.every(({ id }) => id.endsWith('_3'))).toBe(true);
  });
});

describe('poison', () => {
  test('an event with a malformed object is recorded as failed with the field, and its neighbours are processed', async () => {
    const poison = stripeEvent('customer.subscription.created', subscription({ id: 'sub_bad', currency: 12 }));
    const good = stripeEvent('customer.subscription.created', subscription({ id: 'sub_good' }));

    const outcomes = await apply(poison, good);

    expect(outcomes.get(poison.id)).toEqual({
      status: 'failed',
      error: 'subscription.currency: expected a three-letter currency',
    });
    expect(await rows('SELECT id FROM billing.subscriptions')).toEqual([{ id: 'sub_good' }]);
  });

  test('an event that only PostgreSQL refuses is isolated from a batch of others', async () => {
    // An integer column cannot hold this count of attempts.
    const poison = stripeEvent('invoice.payment_failed', invoice({ id: 'in_bad', attempt_count: 3_000_000_000 }));
    const good = Array.from({ length: 9 }, (_, index) =>
      stripeEvent('invoice.finalized', invoice({ id: `in_${index}` })),
    );

    const outcomes = await apply(...good.slice(0, 4), poison, ...good.slice(4));

    expect(outcomes.get(poison.id)).toMatchObject({ status: 'failed', error: expect.stringContaining('out of range') });
    expect(await rows('SELECT count(*)::int AS stored FROM billing.invoices')).toEqual([{ stored: 9 }]);
    expect(await rows(`SELECT id, attempts FROM billing.webhook_events WHERE status = 'failed'`)).toEqual([
      { id: poison.id, attempts: 1 },
    ]);
  });

  test('every further attempt is counted, and a corrected event is processed', async () => {
    const poison = stripeEvent('invoice.finalized', invoice({ currency: null }));
    await apply(poison);
    await apply(poison);
    await apply({ ...poison, data: { object: invoice() } });

    expect(await rows('SELECT status, attempts, error FROM billing.webhook_events')).toEqual([
      { status: 'processed', attempts: 3, error: null },
    ]);
  });

  test('text that PostgreSQL cannot hold is stored with replacement characters', async () => {
    const event = stripeEvent('customer.subscription.created', subscription({ metadata: { user_id: 'a\0b\ud800c' } }));

    expect((await apply(event)).get(event.id)).toEqual({ status: 'processed' });
    expect(await rows('SELECT user_id FROM billing.subscriptions')).toEqual([{ user_id: 'a\ufffdb\ufffdc' }]);
  });

  test('a type and an object that do not belong together are refused, naming the field', async () => {
    const event = stripeEvent('customer.subscription.updated', invoice());

    expect((await apply(event)).get(event.id)).toEqual({
      status: 'failed',
      error: 'data.object.object: expected `subscription` in an event of type customer.subscription.updated',
    });
  });
});

describe('order', () => {
  test.each(['evt_a', 'evt_z'])('of one second, what followed the creation wins, here %s', async (id) => {
    const active = stripeEvent('customer.subscription.created', subscription({ status: 'active' }), { id: 'evt_m' });
    await apply(stripeEvent('customer.subscription.updated', subscription({ status: 'incomplete' }), { id }), active);

    expect(await rows('SELECT status FROM billing.subscriptions')).toEqual([{ status: 'incomplete' }]);
  });

  test('a late "created" does not revive a canceled subscription', async () => {
    await apply(
      stripeEvent('customer.subscription.deleted', subscription({ status: 'canceled', ended_at: EPOCH + 9 }), {
        created: EPOCH + 9,
      }),
    );
    await apply(stripeEvent('customer.subscription.created', subscription({ status: 'active' })));
    await apply(
      stripeEvent('customer.subscription.updated', subscription({ status: 'active' }), { created: EPOCH + 20 }),
    );

    expect(await rows('SELECT status FROM billing.subscriptions')).toEqual([{ status: 'canceled' }]);
  });
});

describe('what is kept of an event', () => {
  const keptJson = async (json: string) => {
    const event = readEvent(JSON.parse(json));
    await applyEvents(client, [{ event, json, source: 'webhook', receivedAt: new Date() }]);
    const [kept] = await rows(`
      SELECT e.payload, p.raw FROM billing.webhook_events e JOIN billing.payment_intents p ON p.id = 'pi_1'`);
    return kept as { payload: { data: { object: object } }; raw: object };
  };

  test('is the event as it was delivered; its object is kept from it', async () => {
    const event = stripeEvent(
      'payment_intent.succeeded',
      paymentIntent({ metadata: { note: 'caf\u00e9 \ud83d\ude80' } }),
    );
    const { payload, raw } = await keptJson(JSON.stringify(event, null, 1));

    expect(payload).toEqual(event);
    expect(raw).toEqual(event.data.object);
  });

  test.each([
    ['a secret of the browser', { client_secret: 'pi_1_secret' }, {}],
    ['half of a surrogate pair', { description: 'a\ud800' }, { description: 'a\ufffd' }],
    ['what a card is known by', { source: { object: 'card', number: '4242' } }, { source: { object: 'card' } }],
  ])('is not %s, although it was delivered', async (_what, delivered, kept) => {
    const clean = stripeEvent('payment_intent.succeeded', paymentIntent());
    const event = { ...clean, data: { object: { ...clean.data.object, ...delivered } } };
    const { payload, raw } = await keptJson(JSON.stringify(event));

    expect(raw).toEqual({ ...clean.data.object, ...kept });
    expect(payload.data.object).toEqual(raw);
  });

  test('of one that failed, is what came with the attempt that succeeded', async () => {
    const event = stripeEvent('payment_intent.succeeded', paymentIntent());
    await apply({ ...event, data: { object: { object: 'payment_intent' } } });
    expect(await apply(event)).toEqual(new Map([[event.id, { status: 'processed' }]]));

    expect(await rows('SELECT raw FROM billing.payment_intents')).toEqual([{ raw: event.data.object }]);
  });
});
