import type { Client } from 'pg';
import type { EntitlementRule } from '../../../core/entitlements/contract';
import {
  charge,
  checkoutSession,
  customer,
  dispute,
  EPOCH,
  invoice,
  invoicePayment,
  refund,
  stripeEvent,
  subscription,
} from '../../factories/stripe-objects';
import { itemAt, lineOf, openInvoice, paidYear, updated, YEAR, yearly } from '../../factories/yearly-subscription';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { applyWithEntitlements, at, DAY, endingsAfter, putRules } from '../../support/entitlements';
import type { StripeEvent } from '../../../core/providers/stripe/shapes';

const RULES: readonly EntitlementRule[] = [
  { id: 'pro', grants: { source: 'subscription', priceId: 'price_pro' }, features: ['pro'] },
  { id: 'basic', grants: { source: 'subscription', priceId: 'price_basic' }, features: ['basic'] },
  { id: 'course', grants: { source: 'purchase', kind: 'course' }, features: ['course:{item_id}'] },
  { id: 'coaching', grants: { source: 'purchase', kind: 'coaching', onDispute: 'at_once' }, features: ['coaching'] },
];

let database: TestDatabase;
let client: Client;
beforeEach(async () => {
  database = await createTestDatabase('billing');
  client = await database.client();
  await putRules(client, RULES);
});
afterEach(() => database.drop());

const endings = (...events: StripeEvent[]) => endingsAfter(client, events);

test.each(['in order', 'in reverse'])(
  'a declined upgrade takes nothing away that was paid, with events %s',
  async (order) => {
    const declined = openInvoice({
      id: 'in_upgrade',
      created: EPOCH,
      status_transitions: { finalized_at: EPOCH },
      lines: { data: [lineOf('price_pro', 500, EPOCH, YEAR.current_period_end)] },
    });
    const events = [
      paidYear(),
      updated(yearly({ status: 'active' }), -5),
      declined,
      updated(yearly({ status: 'past_due' })),
    ];
    expect(await endings(...(order === 'in order' ? events : events.toReversed()))).toEqual({ pro: at(265 * DAY) });
  },
);

test('a year that was paid before its invoices were received outlasts a declined upgrade', async () => {
  const created = stripeEvent('customer.subscription.created', yearly(), { created: EPOCH - 100 * DAY });
  expect(await endings(created, updated(yearly({ status: 'past_due' })))).toEqual({ pro: at(272 * DAY) });
});

test('the price before a declined change of plan stays granted, and the new one has its grace', async () => {
  const changed = yearly({ status: 'past_due', items: { data: [itemAt('price_basic')], has_more: false } });
  const declined = openInvoice({
    id: 'in_change',
    created: EPOCH,
    status_transitions: { finalized_at: EPOCH },
    lines: { data: [lineOf('price_basic', 500, EPOCH, YEAR.current_period_end)] },
  });
  expect(await endings(paidYear(), declined, updated(changed))).toEqual({ basic: at(7 * DAY), pro: at(265 * DAY) });
});

test('grace counts from the due date of an invoice that was sent', async () => {
  const sent = { collection_method: 'send_invoice', days_until_due: 30, status: 'past_due' };
  const item = itemAt('price_pro', { current_period_start: EPOCH - 30 * DAY, current_period_end: EPOCH + 335 * DAY });
  const invoiced = subscription({ ...sent, created: EPOCH - 30 * DAY, items: { data: [item], has_more: false } });
  expect(await endings(updated(invoiced))).toEqual({ pro: at(7 * DAY) });
  const due = openInvoice({
    due_date: EPOCH + 2 * DAY,
    lines: { data: [lineOf('price_pro', 900, EPOCH - 30 * DAY, EPOCH + 335 * DAY)] },
  });
  expect(await endings(due)).toEqual({ pro: at(9 * DAY) });
});

test('grace counts from the first of several failed attempts, whichever is received last', async () => {
  const owed = {
    created: EPOCH,
    status_transitions: { finalized_at: EPOCH },
    lines: { data: [lineOf('price_pro', 900, EPOCH, EPOCH + 30 * DAY)] },
  };
  const failed = (attempt: number, day: number) =>
    stripeEvent('invoice.payment_failed', invoice({ ...owed, attempt_count: attempt }), { created: EPOCH + day * DAY });
  const events = [updated(yearly({ status: 'past_due' })), failed(2, 5), failed(1, 2)];
  expect(await endings(...events)).toEqual({ pro: at(9 * DAY) });
});

describe('where invoices are known without their lines', () => {
  const bare = (type: string, fields: object) => stripeEvent(type, invoice({ payments: undefined, ...fields }));
  const bought = bare('invoice.paid', { id: 'in_year', status: 'paid', created: EPOCH - 100 * DAY });
  const declined = updated(yearly({ status: 'past_due' }));

  test('a paid one pays the period in which it was made', async () => {
    expect(await endings(bought, declined)).toEqual({ pro: at(272 * DAY) });
  });

  test('one from before the period pays nothing of it', async () => {
    const earlier = bare('invoice.paid', { id: 'in_before', status: 'paid', created: EPOCH - 130 * DAY });
    expect(await endings(earlier, updated(yearly({ status: 'unpaid' })))).toEqual({});
  });

  test('an open one bills every item, from its due date', async () => {
    const due = bare('invoice.finalized', { status: 'open', created: EPOCH - 30 * DAY, due_date: EPOCH + 2 * DAY });
    expect(await endings(due, declined)).toEqual({ pro: at(9 * DAY) });
  });

  test('a lost dispute of a paid one ends the present period', async () => {
    const payment = stripeEvent('invoice_payment.paid', invoicePayment({ invoice: 'in_year' }));
    const lost = stripeEvent('charge.dispute.closed', dispute({ status: 'lost', payment_intent: 'pi_1' }));
    expect(await endings(updated(yearly()), bought, payment)).toEqual({ pro: at(272 * DAY) });
    expect(await endings(lost)).toEqual({});
  });
});

describe('where no paid invoice is known', () => {
  const became = (status: string, from: string, days: number) =>
    stripeEvent('customer.subscription.updated', yearly({ status }), {
      created: EPOCH + days * DAY,
      data: { previous_attributes: { status: from } },
    });

  test.each<[string, StripeEvent[], number]>([
    ['became active from `incomplete`', [became('active', 'incomplete', -100), became('past_due', 'active', 0)], 272],
    ['was active until late in it', [became('past_due', 'active', 0)], 272],
    ['was active until an hour after its start', [became('past_due', 'active', -99.9)], -93],
    [
      'became active at the end of a trial',
      [became('active', 'trialing', -100), became('past_due', 'active', -99.9)],
      -93,
    ],
  ])('a period counts as paid by what its events show: it %s', async (_what, events, days) => {
    expect(await endings(...events)).toEqual({ pro: at(days * DAY) });
  });

  test('a bank debit that was on its way while the subscription was active has paid nothing once it fails', async () => {
    const owed = {
      created: EPOCH - 100 * DAY,
      lines: { data: [lineOf('price_pro', 900, EPOCH - 100 * DAY, YEAR.current_period_end)] },
    };
    const failed = stripeEvent('invoice.payment_failed', invoice(owed), { created: EPOCH - 95 * DAY });
    const events = [became('active', 'incomplete', -100), failed, became('past_due', 'active', -95)];
    expect(await endings(...events)).toEqual({ pro: at(-88 * DAY) });
  });

  test('what an event shows to be paid outlasts an end of collection', async () => {
    const made = stripeEvent('customer.subscription.created', yearly(), { created: EPOCH - 100 * DAY });
    expect(await endings(made, became('unpaid', 'past_due', 0))).toEqual({ pro: at(265 * DAY) });
  });
});

test('a voided period of paused collection is not granted', async () => {
  const paused = yearly({ pause_collection: { behavior: 'void', resumes_at: null } });
  expect(await endings(updated(paused))).toEqual({});
});

test('a pause that keeps invoices as drafts grants as before', async () => {
  const paused = yearly({ pause_collection: { behavior: 'keep_as_draft', resumes_at: null } });
  expect(await endings(updated(paused))).toEqual({ pro: at(272 * DAY) });
});

test.each(['void', 'mark_uncollectible'])(
  'a pause of collection (%s) grants what was paid, until the event that ends it arrives, whatever `resumes_at` says',
  async (behavior) => {
    const pause = { pause_collection: { behavior, resumes_at: EPOCH - 5 } };
    expect(await endings(paidYear(), updated(yearly(pause)))).toEqual({ pro: at(265 * DAY) });
    expect(await endings(updated(yearly(), 5))).toEqual({ pro: at(272 * DAY) });
  },
);

test('a quantity of zero grants nothing', async () => {
  expect(await endings(updated(yearly({ items: { data: [itemAt('price_pro', { quantity: 0 })] } })))).toEqual({});
});

const OWNER = { user_id: 'user_1', project_id: 'project_1' };
const unowned = yearly({ metadata: {} });
const startedBy = (fields: object) =>
  stripeEvent(
    'checkout.session.completed',
    checkoutSession({ mode: 'subscription', subscription: 'sub_1', payment_intent: null, metadata: {}, ...fields }),
  );

test.each<[string, StripeEvent]>([
  ['the session that started it', startedBy({ metadata: OWNER })],
  ['the client reference of that session', startedBy({ client_reference_id: 'user_1' })],
  ['the metadata of its customer', stripeEvent('customer.updated', customer({ metadata: OWNER }))],
])('a subscription belongs to the user named by %s, in either order', async (_source, names) => {
  expect(Object.keys(await endings(updated(unowned), names))).toEqual(['pro']);
  await client.query(
    'TRUNCATE billing.webhook_events, billing.customers CASCADE; TRUNCATE billing.purchases, billing.entitlements',
  );
  expect(Object.keys(await endings(names, updated(unowned)))).toEqual(['pro']);
});

test.each([
  ['the rest of it was left', 'charge.captured', { amount_captured: 6_000, amount_refunded: 3_900, captured: true }],
  ['it expired', 'charge.expired', { amount_captured: 0, amount_refunded: 9_900, captured: false }],
  ['it was canceled, long ago', 'charge.refunded', { amount_refunded: 9_900, captured: false }],
])('what was authorised and never captured is no refund: %s', async (_how, type, fields) => {
  await applyWithEntitlements(client, stripeEvent(type, charge({ amount: 9_900, ...fields })));
  const { rows } = await client.query(`SELECT * FROM billing.refund_balances WHERE charge_id = 'ch_1'`);
  expect(rows).toEqual([]);
});

test('an authorised purchase is granted once it is captured', async () => {
  const authorised = stripeEvent('checkout.session.completed', checkoutSession({ payment_status: 'unpaid' }));
  expect(
    await endings(authorised, stripeEvent('charge.succeeded', charge({ captured: false, amount_captured: 0 }))),
  ).toEqual({});
  const captured = stripeEvent('charge.captured', charge({ captured: true, amount_captured: 9_900 }), {
    created: EPOCH + 9,
  });
  expect(await endings(captured)).toEqual({ 'course:course_1': null });
});

test('a refund that names only the payment intent counts for its charge', async () => {
  const events = [
    stripeEvent('checkout.session.completed', checkoutSession()),
    stripeEvent('charge.succeeded', charge()),
    stripeEvent('refund.created', refund({ charge: null, amount: 9_900 })),
  ];
  expect(await endings(...events)).toEqual({});
});

test("what a deleted customer paid for stays its user's, although the deletion names no owner", async () => {
  const bought = checkoutSession({ metadata: { kind: 'course', item_id: 'course_1' } });
  const deleted = { id: 'cus_1', object: 'customer', deleted: true };
  const events = [
    stripeEvent('customer.created', customer({ metadata: OWNER })),
    stripeEvent('checkout.session.completed', bought),
    stripeEvent('customer.deleted', deleted, { created: EPOCH + 5 }),
  ];
  expect(await endings(...events)).toEqual({ 'course:course_1': null });
});

test.each([
  ['in full', 9_900, 'succeeded', 0],
  ['in part', 9_800, 'succeeded', 1],
  ['in full, which failed', 9_900, 'failed', 1],
])('a purchase whose charge is not known yet was refunded %s', async (_how, amount, status, kept) => {
  const bought = stripeEvent('checkout.session.completed', checkoutSession());
  const back = stripeEvent('refund.created', refund({ amount, status }));
  expect(Object.keys(await endings(bought, back))).toHaveLength(kept);
});

test.each<[kind: string, status: string, kept: boolean]>([
  ['course', 'needs_response', true],
  ['course', 'lost', false],
  ['coaching', 'needs_response', false],
  ['coaching', 'won', true],
  ['course', 'appeal_needs_response', true],
  ['coaching', 'appeal_needs_response', false],
  ['coaching', 'appeal_under_review', false],
])('a %s whose dispute is %s is kept: %s', async (kind, status, kept) => {
  const bought = checkoutSession({ metadata: { kind, item_id: 'c', ...OWNER } });
  const events = [
    stripeEvent('charge.dispute.created', dispute({ status })),
    stripeEvent('charge.succeeded', charge()),
    stripeEvent('checkout.session.completed', bought),
  ];
  expect(Object.keys(await endings(...events))).toHaveLength(kept ? 1 : 0);
});

test('a lost dispute that is appealed is under appeal until it is decided again, in any order of its events', async () => {
  const [lost, appealed, won] = ['lost', 'appeal_needs_response', 'won'].map((status, index) =>
    stripeEvent('charge.dispute.updated', dispute({ status }), { created: EPOCH + index }),
  ) as [StripeEvent, StripeEvent, StripeEvent];
  for (const [events, status] of [
    [[lost, appealed], 'appeal_needs_response'],
    [[appealed, lost], 'appeal_needs_response'],
    [[won, appealed, lost], 'won'],
  ] as const) {
    await client.query('TRUNCATE billing.webhook_events, billing.disputes CASCADE');
    await endings(...events);
    expect((await client.query('SELECT status FROM billing.disputes')).rows).toEqual([{ status }]);
  }
});

test.each(['the dispute', 'the payment', 'the invoice'])(
  'a lost dispute of the present period ends a subscription, with %s received last',
  async (last) => {
    const events = {
      'the dispute': stripeEvent('charge.dispute.closed', dispute({ status: 'lost', payment_intent: 'pi_1' })),
      'the payment': stripeEvent('invoice_payment.paid', invoicePayment({ invoice: 'in_year' })),
      'the invoice': paidYear(),
    };
    const order = Object.entries(events).toSorted(([a], [b]) => Number(a === last) - Number(b === last));
    expect(await endings(updated(yearly()), ...order.map(([, event]) => event))).toEqual({});
  },
);
