import { readEvent } from '../../../core/providers/stripe/shapes';
import {
  checkoutSession,
  customer,
  EPOCH,
  invoice,
  paymentIntent,
  stripeEvent,
  subscription,
  subscriptionItem,
} from '../../factories/stripe-objects';
import { useBillingDatabase } from '../../support/billing';
import { applyWithEntitlements, putRules, storedEntitlements } from '../../support/entitlements';

const { apply, client, rows } = useBillingDatabase();

/** Text that does not compress: an index entry is compressed before it is found too long. */
function characters(length: number, first: number, seed = 7): string {
  let state = seed;
  return Array.from({ length }, () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return String.fromCodePoint(first + (state % 20_000));
  }).join('');
}
const CJK = 0x4e_00;
const RARE = 0x2_00_00;

describe('an id of the application', () => {
  const bought = (metadata: Record<string, string>, fields: object = {}) =>
    stripeEvent(
      'checkout.session.completed',
      checkoutSession({ metadata: { kind: 'course', ...metadata }, ...fields }),
    );

  test('of 500 letters, as long as metadata hold, is granted what it paid for, whatever else is as long', async () => {
    const id = (seed: number) =>
      Array.from(characters(500, CJK, seed), (c) => String.fromCodePoint(97 + ((c.codePointAt(0) ?? 0) % 26))).join('');
    const [user, project, item] = [id(1), id(2), id(3)];
    await putRules(client(), [
      { id: 'courses', grants: { source: 'purchase', kind: 'course' }, features: [`${'f'.repeat(190)}:{item_id}`] },
    ]);
    await applyWithEntitlements(client(), bought({ user_id: user, project_id: project, item_id: item }));
    expect(await storedEntitlements(client())).toEqual([expect.stringContaining(`${user}/${project} `)]);
  });

  test.each([
    ['user_id', 'metadata.user_id'],
    ['project_id', 'metadata.project_id'],
    ['app_id', 'metadata.app_id'],
    ['item_id', 'metadata.item_id'],
  ])('of 500 characters of several bytes is refused with the field and the limit: %s', async (key, field) => {
    const event = bought({ [key]: characters(500, RARE) });
    expect((await apply(event)).get(event.id)).toMatchObject({
      status: 'failed',
      error: `${field}: expected an id of at most 500 bytes, received 2000`,
    });
  });

  test('of 160 characters of three bytes each is stored', async () => {
    const user = characters(160, CJK);
    await apply(bought({ user_id: user }));
    expect(await rows('SELECT user_id FROM billing.purchases')).toEqual([{ user_id: user }]);
  });

  test('in client_reference_id is refused when it is too long', async () => {
    const event = bought({}, { client_reference_id: characters(200, CJK) });
    expect((await apply(event)).get(event.id)).toMatchObject({
      status: 'failed',
      error: 'client_reference_id: expected an id of at most 500 bytes, received 600',
    });
  });
});

describe('an id of Stripe', () => {
  test.each<[string, string, (id: string) => Record<string, unknown>, string]>([
    ['a customer', 'customer.updated', (id) => customer({ id }), 'customer.id'],
    [
      'a payment',
      'payment_intent.succeeded',
      (id) => paymentIntent({ latest_charge: id }),
      'payment_intent.latest_charge',
    ],
    [
      'a session',
      'checkout.session.completed',
      (id) => checkoutSession({ subscription: id }),
      'checkout.session.subscription',
    ],
  ])(
    'longer than Stripe makes them is refused with the field and the limit: of %s',
    async (_what, type, make, field) => {
      const event = stripeEvent(type, make(characters(500, CJK)));
      expect((await apply(event)).get(event.id)).toMatchObject({
        status: 'failed',
        error: expect.stringContaining(`${field}: expected an id of at most 255 bytes`) as string,
      });
    },
  );

  test('may hold dots and hyphens', async () => {
    const price = { ...(subscriptionItem().price as object), id: 'plan.pro-2026.v1', product: 'prod.pro' };
    const item = subscriptionItem({ id: 'si_1.2', price });
    const event = readEvent({
      ...stripeEvent('customer.subscription.updated', subscription({ id: 'sub_1.2', items: { data: [item] } })),
      id: 'evt_1.2-3',
    });
    expect((await apply(event)).get('evt_1.2-3')).toMatchObject({ status: 'processed' });
    expect(await rows('SELECT subscription_id, price_id FROM billing.subscription_items')).toEqual([
      { subscription_id: 'sub_1.2', price_id: 'plan.pro-2026.v1' },
    ]);
  });
});

test.each<[string, Record<string, unknown>, string]>([
  [
    'an email',
    customer({ email: `${'x'.repeat(600)}@example.com` }),
    'customer.email: expected at most 512 characters',
  ],
  ['a status', customer({ id: '' }), 'customer.id: expected an id of at most 255 bytes'],
])('%s that no index holds is refused with the field and the limit', async (_what, object, error) => {
  const event = stripeEvent('customer.updated', object);
  expect((await apply(event)).get(event.id)).toMatchObject({ status: 'failed', error });
});

describe('test events of the dashboard, which share an id', () => {
  const sample = (type: string, object: object, created = EPOCH) =>
    readEvent({ ...stripeEvent(type, object as Record<string, unknown>), id: 'evt_00000000000000', created });

  test('are each applied once', async () => {
    const [made, bought] = [
      sample('customer.created', customer({ id: 'cus_00000000000000' })),
      sample('payment_intent.succeeded', paymentIntent({ id: 'pi_00000000000000', customer: null })),
    ];
    const others = [sample('customer.created', customer()), sample('customer.created', customer(), EPOCH + 60)];
    for (const event of [made, bought, made, ...others]) await apply(event);

    expect(await rows('SELECT id FROM billing.webhook_events ORDER BY id')).toEqual([
      { id: `evt_00000000000000_customer_created_${EPOCH}_cus_00000000000000` },
      { id: `evt_00000000000000_customer_created_${EPOCH}_cus_1` },
      { id: `evt_00000000000000_customer_created_${EPOCH + 60}_cus_1` },
      { id: `evt_00000000000000_payment_intent_succeeded_${EPOCH}_pi_00000000000000` },
    ]);
  });

  test('have the same id again when they are read from the ledger', async () => {
    const event = sample('customer.created', customer());
    await apply(event);
    const [stored] = await rows('SELECT id, payload FROM billing.webhook_events');
    expect(readEvent((stored as { payload: unknown }).payload).id).toBe(event.id);
    expect(readEvent(event)).toEqual(event);
  });
});

describe('an invoice of an old API version', () => {
  const old = (fields: Record<string, unknown>) => {
    const { status: _status, created: _created, amount_paid: _paid, amount_remaining: _rest, ...made } = invoice();
    return stripeEvent('invoice.updated', { ...made, ...fields }, { created: EPOCH + 60 });
  };
  const stored = () =>
    rows(
      'SELECT status, amount_paid::int, amount_remaining::int, extract(epoch FROM created_at)::int AS created FROM billing.invoices',
    );

  test.each([
    ['paid', { paid: true, attempted: true }, 'paid', 2_900, 0],
    ['forgiven', { paid: false, forgiven: true, attempted: true }, 'uncollectible', 0, 2_900],
    ['open', { paid: false, attempted: true }, 'open', 0, 2_900],
    ['draft', { paid: false, attempted: false }, 'draft', 0, 2_900],
    ['unknown', {}, null, 0, 2_900],
  ])('without a status is %s when its flags say so', async (_name, flags, status, paid, remaining) => {
    await apply(old({ date: EPOCH, ...flags }));
    expect(await stored()).toEqual([{ status, amount_paid: paid, amount_remaining: remaining, created: EPOCH }]);
  });

  test('without any time of its own was made when its event happened, at the latest', async () => {
    await apply(old({ paid: true }));
    expect(await stored()).toMatchObject([{ status: 'paid', created: EPOCH + 60 }]);
  });
});

test('a subscription of an old API version has the currency of its plan', async () => {
  const { currency: _currency, ...made } = subscription();
  const event = stripeEvent('customer.subscription.updated', made);
  await apply(event);
  expect(await rows('SELECT currency FROM billing.subscriptions')).toEqual([{ currency: 'eur' }]);
});

describe('a test clock', () => {
  const DAY = 86_400;

  test('is recorded without effect', async () => {
    const clock = { id: 'clock_1', object: 'test_helpers.test_clock', frozen_time: EPOCH + 400 * DAY, status: 'ready' };
    const event = stripeEvent('test_helpers.test_clock.ready', clock);
    await apply(event);
    expect(await rows('SELECT type, error FROM billing.webhook_events')).toEqual([
      { type: 'test_helpers.test_clock.ready', error: null },
    ]);
  });

  test('moves its subscriptions into the future, where their events are applied in their order', async () => {
    const at = (days: number, fields: object) =>
      stripeEvent('customer.subscription.updated', subscription({ test_clock: 'clock_1', ...fields }), {
        created: EPOCH + days * DAY,
      });
    const events = [at(0, { status: 'trialing' }), at(400, { status: 'active' }), at(800, { status: 'past_due' })];
    await apply(...events.toReversed());
    expect(await rows(`SELECT status, raw ->> 'test_clock' AS clock FROM billing.subscriptions`)).toEqual([
      { status: 'past_due', clock: 'clock_1' },
    ]);
  });
});
