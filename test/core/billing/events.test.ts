import type { Client } from 'pg';
import { applyEvents, type ApplyOptions } from '../../../core/billing/apply-events';
import { stripeProvider } from '../../../core/providers/stripe/provider';
import type { StripeEvent } from '../../../core/providers/stripe/shapes';
import {
  account,
  charge,
  checkoutSession,
  customer,
  EPOCH,
  invoice,
  olderAccount,
  olderCharge,
  olderCheckoutSession,
  olderInvoice,
  olderPaymentIntent,
  olderSubscription,
  paymentIntent,
  stripeEvent,
  subscription,
} from '../../factories/stripe-objects';
import { createTestDatabase, type TestDatabase } from '../../support/database';

/** One test for each subscribed type, in the shapes of API versions before and since 2025. */
let database: TestDatabase;
let client: Client;

beforeAll(async () => {
  database = await createTestDatabase('billing');
  client = await database.client();
});
afterAll(() => database.drop());

let sequence = 0;
/** Every test has its own objects, so that all share one database. */
const own = (prefix: string) => `${prefix}_${(sequence += 1)}`;

async function apply(events: StripeEvent[], options?: ApplyOptions): Promise<void> {
  const received = events.map((event) => ({ event, source: 'webhook' as const, receivedAt: new Date() }));
  const outcomes = await applyEvents(client, stripeProvider, received, options);
  expect([...outcomes.values()]).toEqual(events.map(() => ({ status: 'processed' })));
}

async function row(table: string, id: string): Promise<Record<string, unknown>> {
  const { rows } = await client.query(`SELECT * FROM billing.${table} WHERE id = $1`, [id]);
  return rows[0];
}

const OWNER = { app_id: 'academy', project_id: 'project_1', user_id: 'user_1' };
const NEW = 'since 2025';
const OLD = 'before 2025';

describe.each([
  [NEW, subscription],
  [OLD, olderSubscription],
])('a subscription in the shape %s', (_shape, make) => {
  test.each([
    ['customer.subscription.created', 'active'],
    ['customer.subscription.updated', 'past_due'],
    ['customer.subscription.deleted', 'canceled'],
  ])('is stored by %s with its status, owner and period', async (type, status) => {
    const id = own('sub');
    await apply([stripeEvent(type, make({ id, status, items: { data: [make().items].flatMap(itemsOf(id)) } }))]);

    expect(await row('subscriptions', id)).toMatchObject({
      ...OWNER,
      status,
      customer_id: 'cus_1',
      current_period_end: new Date((EPOCH + 30 * 86_400) * 1000),
    });
  });
});

/** The items of a new subscription, with an id made from the subscription's. */
function itemsOf(subscriptionId: string) {
  return (items: unknown) =>
    (items as { data: object[] }).data.map((item) => ({ ...item, id: `si_${subscriptionId}` }));
}

describe.each([
  [NEW, invoice],
  [OLD, olderInvoice],
])('an invoice in the shape %s', (_shape, make) => {
  test.each([
    ['invoice.payment_succeeded', { status: 'paid', amount_paid: 2_900, amount_remaining: 0 }],
    ['invoice.payment_failed', { status: 'open', amount_paid: 0, amount_remaining: 2_900 }],
  ])("is stored by %s with its amounts, subscription, payment and the subscription's owner", async (type, fields) => {
    const id = own('in');
    await apply([stripeEvent(type, make({ id, ...fields }))]);

    expect(await row('invoices', id)).toMatchObject({
      ...OWNER,
      status: fields.status,
      amount_paid: String(fields.amount_paid),
      subscription_id: 'sub_1',
      payment_intent_id: 'pi_1',
    });
  });
});

describe.each([
  [NEW, checkoutSession],
  ['before 2021', olderCheckoutSession],
])('a checkout session in the shape %s', (_shape, make) => {
  test.each(['course', 'path', 'coaching'])(
    'becomes a purchase of a %s by checkout.session.completed',
    async (kind) => {
      const id = own('cs');
      await apply([
        stripeEvent('checkout.session.completed', make({ id, metadata: { ...OWNER, kind, item_id: `${kind}_9` } })),
      ]);

      expect(await row('purchases', id)).toMatchObject({
        ...OWNER,
        kind,
        item_id: `${kind}_9`,
        customer_id: 'cus_1',
        payment_intent_id: 'pi_1',
        payment_status: 'paid',
        amount_total: '9900',
      });
    },
  );
});

describe.each([
  [NEW, paymentIntent],
  ['before 2022', olderPaymentIntent],
])('a payment intent in the shape %s', (_shape, make) => {
  test('is stored by payment_intent.succeeded with the amount received and the charge', async () => {
    const id = own('pi');
    await apply([stripeEvent('payment_intent.succeeded', make({ id }))]);

    expect(await row('payment_intents', id)).toMatchObject({
      ...OWNER,
      status: 'succeeded',
      amount_received: '9900',
      latest_charge_id: 'ch_1',
      failure_code: null,
    });
  });

  test('is stored by payment_intent.payment_failed with the reason, and only brand, last four and expiry of the card', async () => {
    const id = own('pi');
    const payment_method = {
      id: 'pm_1',
      object: 'payment_method',
      type: 'card',
      card: { brand: 'visa', last4: '0002', exp_month: 1, exp_year: 2031, fingerprint: 'secret', iin: '400000' },
    };
    const last_payment_error = { code: 'card_declined', message: 'Your card was declined.', payment_method };
    await apply([
      stripeEvent(
        'payment_intent.payment_failed',
        make({ id, status: 'requires_payment_method', amount_received: 0, last_payment_error }),
      ),
    ]);

    const stored = await row('payment_intents', id);
    expect(stored).toMatchObject({ amount_received: '0', failure_code: 'card_declined' });
    expect(
      (stored.raw as { last_payment_error: { payment_method: unknown } }).last_payment_error.payment_method,
    ).toEqual({
      id: 'pm_1',
      object: 'payment_method',
      type: 'card',
      card: { brand: 'visa', last4: '0002', exp_month: 1, exp_year: 2031 },
    });
  });
});

test.each([
  [NEW, charge, 'unattributed'],
  ['before 2022, with the refunds in the charge', olderCharge, 'refunded'],
])('charge.refunded in the shape %s is one entry in the ledger', async (_shape, make, kind) => {
  const id = own('ch');
  await apply([stripeEvent('charge.refunded', make({ id, amount_refunded: 3_000 }))]);

  const { rows } = await client.query('SELECT kind, amount FROM billing.refund_entries WHERE charge_id = $1', [id]);
  expect(rows).toEqual([{ kind, amount: '3000' }]);
  expect(await row('charges', id)).toMatchObject({ amount_refunded: '3000' });
});

describe('account.updated', () => {
  test.each([
    [
      NEW,
      account(),
      account({
        payouts_enabled: false,
        requirements: {
          disabled_reason: 'requirements.past_due',
          currently_due: ['individual.id_number'],
          past_due: ['individual.id_number'],
        },
      }),
    ],
    [
      'before 2019',
      olderAccount(),
      olderAccount({
        transfers_enabled: false,
        verification: { disabled_reason: 'fields_needed', fields_needed: ['individual.id_number'] },
      }),
    ],
  ])(
    'in the shape %s makes a restricted account visible, and a completed one unrestricted',
    async (_shape, complete, restricted) => {
      const id = own('acct');
      await apply([stripeEvent('account.updated', { ...restricted, id })]);
      expect(await row('connect_accounts', id)).toMatchObject({
        restricted: true,
        payouts_enabled: false,
        disabled_reason: expect.any(String),
        requirements_due: ['individual.id_number'],
      });

      await apply([stripeEvent('account.updated', { ...complete, id }, { created: EPOCH + 60 })]);
      expect(await row('connect_accounts', id)).toMatchObject({
        restricted: false,
        payouts_enabled: true,
        disabled_reason: null,
        requirements_due: [],
        user_id: 'coach_1',
      });
    },
  );

  test('stores the bank accounts and cards of an account reduced', async () => {
    const id = own('acct');
    const external_accounts = {
      data: [{ id: 'ba_1', object: 'bank_account', last4: '6789', routing_number: '110000000', fingerprint: 'secret' }],
    };
    await apply([stripeEvent('account.updated', account({ id, external_accounts }))]);

    expect((await row('connect_accounts', id)).raw).toMatchObject({
      external_accounts: { data: [{ id: 'ba_1', object: 'bank_account', last4: '6789' }] },
    });
    expect(JSON.stringify((await row('connect_accounts', id)).raw)).not.toMatch(/110000000|secret/);
  });
});

describe('a customer', () => {
  test('known by its id alone gains a name and, once deleted, stays deleted whatever arrives late', async () => {
    const id = own('cus');
    await apply([stripeEvent('invoice.finalized', invoice({ id: own('in'), customer: id }))]);
    expect(await row('customers', id)).toMatchObject({ email: null, deleted: false, version: '' });

    await apply([stripeEvent('customer.deleted', { id, object: 'customer', deleted: true }, { created: EPOCH + 9 })]);
    await apply([stripeEvent('customer.updated', customer({ id }), { created: EPOCH + 5 })]);
    expect(await row('customers', id)).toMatchObject({ deleted: true, first_seen_at: new Date(EPOCH * 1000) });
  });

  test('is stored with its fields', async () => {
    const id = own('cus');
    await apply([stripeEvent('customer.created', customer({ id }))]);

    expect(await row('customers', id)).toMatchObject({ email: 'ada@example.com', name: 'Ada', user_id: 'user_1' });
  });
});

describe('the owner columns', () => {
  const defaults = { appId: 'default_app', projectId: 'default_project' };

  test('of an object whose metadata names no app and project are the configured defaults', async () => {
    const id = own('sub');
    const items = { data: [subscription().items].flatMap(itemsOf(id)) };
    await apply([stripeEvent('customer.subscription.created', subscription({ id, items, metadata: {} }))], {
      defaults,
    });

    expect(await row('subscriptions', id)).toMatchObject({
      app_id: 'default_app',
      project_id: 'default_project',
      user_id: null,
    });
  });

  test('come from the metadata before the configured defaults', async () => {
    const id = own('pi');
    await apply([stripeEvent('payment_intent.succeeded', paymentIntent({ id }))], { defaults });

    expect(await row('payment_intents', id)).toMatchObject(OWNER);
  });

  test('of a checkout hold only its own metadata, and its client reference beside them', async () => {
    const id = own('cs');
    await apply([
      stripeEvent('checkout.session.completed', checkoutSession({ id, metadata: {}, client_reference_id: 'user_7' })),
    ]);

    expect(await row('purchases', id)).toMatchObject({ user_id: null, client_reference_id: 'user_7' });
  });
});

test('afterStore receives the changed ids, and undoes the transaction when it fails', async () => {
  const id = own('pi');
  const event = stripeEvent('payment_intent.succeeded', paymentIntent({ id }));
  const received: string[][] = [];
  await expect(
    apply([event], {
      afterStore: () =>
        Promise.resolve((changed) => {
          received.push([...changed]);
          return Promise.reject(new Error('not now'));
        }),
    }),
  ).rejects.toThrow('not now');

  expect(received).toEqual([[id]]);
  expect(await row('payment_intents', id)).toBeUndefined();
  expect(await row('webhook_events', event.id)).toBeUndefined();
});

test('where the order of two events of a second had to be found out, what they touch is looked for again', async () => {
  const READ_INTENT = {
    name: 'read_intent',
    text: 'SELECT payment_intent_id AS intent FROM billing.invoices WHERE id = $1',
  };
  const id = own('in');
  const seen: string[] = [];
  const afterStore: ApplyOptions['afterStore'] = async (run) => {
    const [found] = await run<{ intent: string }>(READ_INTENT, [id]);
    seen.push(found?.intent ?? 'none');
    return () => Promise.resolve();
  };
  const finalized = stripeEvent('invoice.finalized', invoice({ id, status: 'open', payment_intent: 'pi_tied' }));
  const created = stripeEvent('invoice.created', invoice({ id, status: 'draft', payment_intent: 'pi_early' }));
  await apply([finalized], { afterStore });
  await apply([created], { afterStore });

  // Of the second batch: the late draft, stored for the moment, and then what came last.
  expect(seen).toEqual(['pi_tied', 'pi_early', 'pi_tied']);
});
