import type { Client } from 'pg';
import { applyEvents } from '../../../core/billing/apply-events';
import type { StripeEvent } from '../../../core/providers/stripe/shapes';
import { stripeProvider } from '../../../core/providers/stripe/provider';
import { gatherEntitlementUpdates } from '../../../core/entitlements/recompute';
import {
  charge,
  checkoutSession,
  customer,
  dispute,
  earlyFraudWarning,
  EPOCH,
  invoice,
  refund,
  stripeEvent,
  subscription,
  subscriptionItem,
} from '../../factories/stripe-objects';
import { delivered } from '../../support/billing';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { DAY, putRules } from '../../support/entitlements';

/** The rules of docs/entitlements.md, one after the other; situations that people met are in situations.test.ts. */
let database: TestDatabase;
let client: Client;
beforeEach(async () => {
  database = await createTestDatabase('billing');
  client = await database.client();
  const plan = (id: string, fields: object) => ({
    id,
    grants: { source: 'subscription' as const, priceId: 'price_pro', ...fields },
    features: [id],
  });
  const course = (id: string, fields: object) => ({
    id,
    grants: { source: 'purchase' as const, kind: 'course' as const, ...fields },
    features: [id],
  });
  await putRules(client, [
    plan('default', {}),
    plan('by method', { graceDays: { chargeAutomatically: 1, sendInvoice: 20 } }),
    plan('granted while paused', { whilePaused: 'granted' }),
    plan('paid while paused', { whilePaused: 'paid' }),
    course('course', {}),
    course('at once', { onDispute: 'at_once' }),
    course('never', { onDispute: 'never' }),
  ]);
});
afterEach(() => database.drop());

/** Ends of access in days after the epoch, null for never, by feature. */
async function endsOf(...events: StripeEvent[]): Promise<Record<string, number | null>> {
  const { afterStore } = gatherEntitlementUpdates();
  const defaults = { appId: null, projectId: 'project_default' };
  await applyEvents(client, stripeProvider, delivered(events), { afterStore, defaults });
  const { rows } = await client.query<{ feature: string; end: number | null }>(
    `SELECT feature, ((extract(epoch FROM valid_until) - ${EPOCH}) / ${DAY})::float8 AS end
     FROM billing.entitlements ORDER BY feature`,
  );
  return Object.fromEntries(rows.map(({ feature, end }) => [feature, end]));
}

/** A month that began at the epoch. */
const month = (fields: Record<string, unknown> = {}) =>
  stripeEvent('customer.subscription.updated', subscription({ created: EPOCH - 90 * DAY, ...fields }));
const line = (amount: number, startDay: number, endDay: number) => ({
  amount,
  period: { start: EPOCH + startDay * DAY, end: EPOCH + endDay * DAY },
  pricing: { price_details: { price: 'price_pro', product: 'prod_pro' } },
  parent: { subscription_item_details: { subscription: 'sub_1', subscription_item: 'si_sub_1' } },
});
const paid = (id: string, lines: object[], fields: Record<string, unknown> = {}) =>
  stripeEvent('invoice.paid', invoice({ id, status: 'paid', payments: undefined, lines: { data: lines }, ...fields }));
const ALL = ['by method', 'default', 'granted while paused', 'paid while paused'];
const every = (end: number) => Object.fromEntries(ALL.map((feature) => [feature, end]));

test.each<[rule: string, events: StripeEvent[], ends: Record<string, number | null>]>([
  ['a trial ends at its end, without grace', [month({ status: 'trialing', trial_end: EPOCH + 14 * DAY })], every(14)],
  ['an active period has the grace of its collection', [month()], { ...every(37), 'by method': 31 }],
  [
    'an invoiced period has the grace of invoices',
    [month({ collection_method: 'send_invoice' })],
    { ...every(37), 'by method': 50 },
  ],
  [
    'what is unpaid ends with what was paid',
    [month({ status: 'unpaid' }), paid('in_1', [line(2_900, -5, 25)])],
    every(25),
  ],
  ['what is canceled ends at once', [month({ status: 'canceled', ended_at: EPOCH + 3 * DAY })], every(3)],
  [
    'what is canceled without an end ends when it was canceled',
    [month({ status: 'canceled', ended_at: null, canceled_at: EPOCH + 2 * DAY })],
    every(2),
  ],
  ['what is canceled at the end of its period has no grace', [month({ cancel_at_period_end: true })], every(30)],
  ['an appointed end comes before the end of the period', [month({ cancel_at: EPOCH + 9 * DAY })], every(9)],
  ['an incomplete subscription never began', [month({ status: 'incomplete' })], {}],
  ['an expired incomplete subscription never began', [month({ status: 'incomplete_expired' })], {}],
  ['a trial that ended without a payment method is over', [month({ status: 'paused' })], {}],
  [
    'a pause that voids invoices ends with what was paid, unless a rule grants it',
    [month({ pause_collection: { behavior: 'void' } }), paid('in_1', [line(2_900, -5, 25)])],
    { 'by method': 25, default: 25, 'granted while paused': 37, 'paid while paused': 25 },
  ],
  [
    'a pause that keeps drafts is granted, unless a rule grants what was paid only',
    [month({ pause_collection: { behavior: 'keep_as_draft' } }), paid('in_1', [line(2_900, -5, 25)])],
    { 'by method': 31, default: 37, 'granted while paused': 37, 'paid while paused': 25 },
  ],
  ['a line without a price is paid as well', [month({ status: 'unpaid' }), paid('in_1', [line(0, 0, 30)])], every(30)],
  [
    'the credit of a later invoice cuts what was paid before it',
    [
      month({ status: 'unpaid' }),
      paid('in_1', [line(2_900, 0, 30)], { created: EPOCH }),
      paid('in_2', [line(-1_450, 15, 30)], { created: EPOCH + 15 * DAY }),
    ],
    every(15),
  ],
])('subscriptions: %s', async (_rule, events, ends) => {
  expect(await endsOf(...events)).toEqual(ends);
});

const bought = stripeEvent('checkout.session.completed', checkoutSession());
const charged = stripeEvent('charge.succeeded', charge());
const COURSES = ['at once', 'course', 'never'];
const granted = (...features: string[]) => Object.fromEntries(features.map((feature) => [feature, null]));

test.each<[rule: string, events: StripeEvent[], features: string[]]>([
  ['a paid session grants for good', [bought], COURSES],
  ['a partial refund takes nothing away', [bought, charged, stripeEvent('refund.created', refund())], COURSES],
  ['a full refund ends it', [bought, charged, stripeEvent('refund.created', refund({ amount: 9_900 }))], []],
  [
    'a refund that failed gives it back',
    [bought, charged, stripeEvent('refund.failed', refund({ amount: 9_900, status: 'failed' }))],
    COURSES,
  ],
  [
    'a refund that was canceled gives it back',
    [bought, charged, stripeEvent('refund.updated', refund({ amount: 9_900, status: 'canceled' }))],
    COURSES,
  ],
  [
    'a dispute takes it at once where the rule says so',
    [bought, charged, stripeEvent('charge.dispute.created', dispute())],
    ['course', 'never'],
  ],
  [
    'a lost dispute takes it, unless the rule says never',
    [bought, charged, stripeEvent('charge.dispute.closed', dispute({ status: 'lost' }))],
    ['never'],
  ],
  [
    'a won dispute gives it back',
    [bought, charged, stripeEvent('charge.dispute.closed', dispute({ status: 'won' }))],
    COURSES,
  ],
  [
    'an inquiry takes nothing away',
    [bought, charged, stripeEvent('charge.dispute.created', dispute({ status: 'warning_needs_response' }))],
    COURSES,
  ],
  [
    'an early fraud warning takes nothing away',
    [bought, charged, stripeEvent('radar.early_fraud_warning.created', earlyFraudWarning())],
    COURSES,
  ],
])('purchases: %s', async (_rule, events, features) => {
  expect(await endsOf(...events)).toEqual(granted(...features));
});

test('a dispute of an earlier period takes nothing of the present one', async () => {
  const payment = { payments: { data: [{ is_default: true, payment: { payment_intent: 'pi_1' } }] } };
  const lost = stripeEvent('charge.dispute.closed', dispute({ status: 'lost', payment_intent: 'pi_1' }));
  expect(await endsOf(month(), paid('in_old', [line(2_900, -30, 0)], payment), lost)).toMatchObject({ default: 37 });
  expect(await endsOf(paid('in_now', [line(2_900, 0, 30)], payment))).toEqual({});
});

/** Each source names another user, weakest first. */
const SOURCES: readonly (readonly [name: string, event: StripeEvent | 'assigned'])[] = [
  ['client_reference_id', startedBy({ client_reference_id: 'client_reference_id', metadata: {} })],
  ['customer', stripeEvent('customer.updated', customer({ metadata: named('customer') }))],
  ['session', startedBy({ client_reference_id: 'client_reference_id', metadata: named('session') })],
  ['subscription', month({ metadata: named('subscription') })],
  ['assigned', 'assigned'],
];
function named(user: string) {
  return { user_id: user, project_id: `project of ${user}` };
}
function startedBy(fields: Record<string, unknown>): StripeEvent {
  const created = Object.keys(fields.metadata as object).length === 0 ? EPOCH : EPOCH + 5;
  return stripeEvent(
    'checkout.session.completed',
    checkoutSession({ mode: 'subscription', subscription: 'sub_1', payment_intent: null, ...fields }),
    { created },
  );
}

test('a subscription belongs to the strongest source that names a user and a project', async () => {
  await endsOf(stripeEvent('customer.subscription.created', subscription({ metadata: {} }), { created: EPOCH - 5 }));
  const owners: string[] = [];
  for (const [name, event] of SOURCES) {
    if (event === 'assigned') {
      await client.query(
        `INSERT INTO billing.owner_assignments (object_id, user_id, project_id, reason, assigned_by)
         VALUES ('sub_1', 'assigned', 'project of assigned', 'test', 'ada')`,
      );
    }
    await endsOf(event === 'assigned' ? month({ metadata: named('subscription'), description: 'again' }) : event);
    const { rows } = await client.query<{ owner: string }>(
      `SELECT DISTINCT user_id || ' in ' || project_id AS owner FROM billing.entitlements`,
    );
    owners.push(...rows.map(({ owner }) => `${name}: ${owner}`));
  }
  expect(owners).toEqual([
    'client_reference_id: client_reference_id in project_default',
    'customer: customer in project of customer',
    'session: session in project of session',
    'subscription: subscription in project of subscription',
    'assigned: assigned in project of assigned',
  ]);
});

test('a quantity of zero grants nothing, and an item at another price neither', async () => {
  const items = (fields: Record<string, unknown>) => ({ items: { data: [subscriptionItem(fields)] } });
  expect(await endsOf(month(items({ quantity: 0 })))).toEqual({});
  const other = { id: 'price_other', product: 'prod', currency: 'eur' };
  expect(await endsOf(month({ ...items({ price: other }), description: 'other' }))).toEqual({});
});
