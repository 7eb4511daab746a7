import {
  charge,
  checkoutSession,
  EPOCH,
  invoice,
  olderSubscription,
  stripeEvent,
  subscription,
  subscriptionItem,
} from '../../factories/stripe-objects';
import { billingState, useBillingDatabase } from '../../support/billing';

const { apply, client, rows } = useBillingDatabase();

describe('an applied event', () => {
  test.each([
    ['since 2025, with the period on the items', subscription()],
    ['before 2025, with the period on the subscription', olderSubscription()],
  ])('stores a subscription in the shape of API versions %s with its item and period', async (_shape, object) => {
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

  test('removes the items that the newer state no longer has', async () => {
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
  ])('stores an invoice in the shape %s with its subscription and amounts', async (_shape, object) => {
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
    'stores a completed checkout of a %s as a purchase of that kind',
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

  test('adds one entry for each of two partial refunds, which sum to the total of the charge', async () => {
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
  ])('leaves a refund ledger that rejects: %s', async (change) => {
    await apply(stripeEvent('charge.refunded', charge({ amount_refunded: 3_000 })));

    await expect(client().query(change)).rejects.toThrow('refund_ledger only grows');
  });

  test('stores only brand, last four digits and expiry of a card, in the object and in the ledger', async () => {
    await apply(stripeEvent('charge.refunded', charge({ amount_refunded: 3_000 })));

    const details = { type: 'card', card: { brand: 'visa', last4: '4242', exp_month: 12, exp_year: 2030 } };
    expect(await rows(`SELECT raw->'payment_method_details' AS details FROM billing.charges`)).toEqual([{ details }]);
    expect(
      await rows(`SELECT payload #> '{data,object,payment_method_details}' AS details FROM billing.webhook_events`),
    ).toEqual([{ details }]);
  });

  test('of an unknown type is one ignored ledger row and nothing else', async () => {
    await apply(stripeEvent('tax.settings.updated', { object: 'tax.settings' }));

    expect(await rows('SELECT type, status, attempts FROM billing.webhook_events')).toEqual([
      { type: 'tax.settings.updated', status: 'ignored', attempts: 1 },
    ]);
    expect(await billingState(client())).toMatchObject({ customers: null, subscriptions: null, invoices: null });
  });
});

describe('data that is not ours to keep', () => {
  test('a purchase in a connected account is not stored, whatever its metadata say', async () => {
    const event = stripeEvent('checkout.session.completed', checkoutSession(), { account: 'acct_coach' });

    expect((await apply(event)).get(event.id)).toEqual({ status: 'ignored' });
    expect(await rows('SELECT id FROM billing.purchases')).toEqual([]);
  });

  test('a client secret is stored nowhere', async () => {
    await apply(
      stripeEvent('checkout.session.completed', checkoutSession({ client_secret: 'cs_1_secret_of_the_browser' })),
    );

    expect(
      await rows(`SELECT FROM billing.webhook_events WHERE payload::text LIKE '%secret_of_the_browser%'
        UNION ALL SELECT FROM billing.purchases WHERE raw::text LIKE '%secret_of_the_browser%'`),
    ).toEqual([]);
  });
});
