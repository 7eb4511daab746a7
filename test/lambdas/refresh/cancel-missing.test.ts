import type Stripe from 'stripe';
import { revenueFigures } from '../../../core/entitlements/figures';
import { gatherEntitlementUpdates } from '../../../core/entitlements/recompute';
import type { StripeEvent } from '../../../core/providers/stripe/shapes';
import { refresh, type RefreshOptions } from '../../../lambdas/refresh/core';
import {
  charge,
  checkoutSession,
  dispute,
  earlyFraudWarning,
  invoice,
  invoicePayment,
  paymentIntent,
  stripeEvent,
} from '../../factories/stripe-objects';
import { applyWithEntitlements, putRules, RULES } from '../../support/entitlements';
import { silentLog } from '../../support/log';
import { daysAgoSeconds, useStripeAndDatabase } from '../../support/stripe';

const { stripe, client, rows, reconcile, work } = useStripeAndDatabase();

const cancelMissing = { reason: 'made by a sample event', by: 'jane' };
const granted = async () =>
  (await rows('SELECT feature FROM billing.entitlements WHERE valid_until > now() OR valid_until IS NULL')).map(
    ({ feature }) => feature,
  );
const decisions = () =>
  rows(
    'SELECT object_kind AS kind, object_id AS id, last_error FROM billing.object_refreshes AS decided ORDER BY decided.id',
  );
const apply = (...events: StripeEvent[]) => applyWithEntitlements(client(), ...events);

async function outcomeOf(options: Partial<RefreshOptions>) {
  const { afterStore } = gatherEntitlementUpdates();
  const dependencies = { ...work({ apply: { afterStore } }), log: silentLog };
  return (await refresh(dependencies, { dryRun: false, ...options })).outcomes;
}
const cancel = (object: string, dryRun = false) => outcomeOf({ object, cancelMissing, dryRun });

const created = daysAgoSeconds(1);
const happened = (type: string, object: Record<string, unknown>, seconds = 0) =>
  stripeEvent(type, { ...object, created }, { created: created + seconds });

describe('a subscription that Stripe does not have', () => {
  const statuses = () => rows('SELECT id, status FROM billing.subscriptions');

  /** Active and granting here. */
  async function missing(): Promise<Stripe.Subscription> {
    const made = stripe().state.createSubscription({ status: 'active', created, metadata: { user_id: 'user_1' } });
    const priceId = made.object.items.data[0]?.price.id ?? '';
    await putRules(client(), [{ id: 'pro', grants: { source: 'subscription', priceId }, features: ['pro'] }]);
    await apply(stripeEvent('customer.subscription.created', { ...made.object }, { created }));
    stripe().state.subscriptions.delete(made.object.id);
    return made.object;
  }

  test('is canceled when an operator says so, and then grants nothing and is no drift', async () => {
    const { id } = await missing();
    expect(await outcomeOf({ object: id })).toEqual({ missing: 1 });
    expect(await cancel(id, true)).toEqual({ canceled: 1 });
    expect([await statuses(), await granted(), await decisions()]).toEqual([[{ id, status: 'active' }], ['pro'], []]);
    const { kinds } = await reconcile();
    expect(kinds.subscription).toMatchObject({ drift: 1 });

    expect(await cancel(id)).toEqual({ canceled: 1 });
    expect([await statuses(), await granted()]).toEqual([[{ id, status: 'canceled' }], []]);
    expect(await decisions()).toEqual([
      { kind: 'subscription', id, last_error: 'Canceled by jane: made by a sample event' },
    ]);
    expect((await reconcile()).kinds.subscription?.drift ?? 0).toBe(0);
    expect(await cancel(id)).toEqual({ unchanged: 1 });
  });

  test('and was canceled is as Stripe has it once Stripe answers with it', async () => {
    const subscription = await missing();
    await cancel(subscription.id);
    stripe().state.subscriptions.put(subscription);

    expect(await outcomeOf({ object: subscription.id })).toEqual({ refreshed: 1 });
    expect([await statuses(), await granted()]).toEqual([[{ id: subscription.id, status: 'active' }], ['pro']]);
  });
});

describe('a purchase that Stripe does not have', () => {
  const metadata = { kind: 'course', item_id: 'course_1', user_id: 'user_1', project_id: 'project_1' };
  const none = { customer: null, metadata };
  const bought = (type: string, seconds = 0) => happened(type, checkoutSession(none), seconds);
  const revenue = () => revenueFigures(client(), 'project_1', { from: new Date(0), to: new Date('2100-01-01') });
  beforeEach(async () => {
    await putRules(client(), RULES);
    await apply(
      bought('checkout.session.completed'),
      happened('charge.succeeded', charge(none)),
      happened('payment_intent.succeeded', paymentIntent(none)),
    );
  });

  test('grants nothing once an operator canceled it, nor is its charge revenue, and none of it is drift', async () => {
    expect(await reconcile()).toMatchObject({
      kinds: { purchase: { drift: 1 }, charge: { drift: 1 }, payment_intent: { drift: 1 } },
      corrected: 0,
    });
    expect(await cancel('cs_1', true)).toEqual({ canceled: 1 });
    expect([await granted(), await decisions()]).toEqual([['course:course_1'], []]);

    expect(await cancel('cs_1')).toEqual({ canceled: 1 });
    expect([await granted(), await revenue()]).toMatchObject([[], [{ gross: 9_900, charges: 1 }]]);
    expect(await cancel('ch_1')).toEqual({ canceled: 1 });
    expect(await revenue()).toEqual([]);
    expect(await cancel('pi_1')).toEqual({ canceled: 1 });
    expect(await decisions()).toEqual(
      [
        ['purchase', 'cs_1'],
        ['charge', 'ch_1'],
        ['payment_intent', 'pi_1'],
      ].map(([kind, id]) => ({ kind, id, last_error: 'Canceled by jane: made by a sample event' })),
    );
    expect(await reconcile()).toMatchObject({ drift_detected: 0 });
    expect(await cancel('cs_1')).toEqual({ unchanged: 1 });
    expect(await rows('SELECT raw FROM billing.purchases')).toMatchObject([{ raw: { status: 'complete' } }]);
  });

  test('and was canceled is granted again by its next event, however late that is delivered', async () => {
    await cancel('cs_1');
    await apply(bought('checkout.session.completed'));
    expect(await granted()).toEqual([]);
    await apply(bought('checkout.session.async_payment_succeeded', 60));
    expect(await granted()).toEqual(['course:course_1']);
  });

  test('and whose user was erased can be canceled as well', async () => {
    for (const table of ['purchases', 'charges', 'payment_intents'])
      await client().query(`UPDATE billing.${table} SET user_id = 'pseudonym', raw = billing.reduced_json(raw)`);
    for (const id of ['cs_1', 'ch_1', 'pi_1']) expect(await cancel(id)).toEqual({ canceled: 1 });
    expect([await granted(), await revenue()]).toEqual([[], []]);
  });

  test('is not taken away by a dispute that Stripe does not have either, once that was canceled', async () => {
    await apply(happened('charge.dispute.closed', dispute({ status: 'lost' })));
    expect(await granted()).toEqual([]);
    await cancel('dp_1');
    expect(await granted()).toEqual(['course:course_1']);
  });
});

test('an invoice, its payment, a dispute and a warning that Stripe does not have are over once an operator canceled them', async () => {
  await apply(
    happened('invoice.paid', invoice({ status: 'paid' })),
    happened('invoice_payment.paid', invoicePayment()),
    happened('charge.dispute.created', dispute()),
    happened('radar.early_fraud_warning.created', earlyFraudWarning()),
  );
  const ids = ['in_1', 'inpay_1', 'dp_1', 'issfr_1'];
  for (const id of ids) expect(await cancel(id)).toEqual({ canceled: 1 });
  expect(
    await rows(`SELECT invoice.status AS invoice, payment.status AS payment, dispute.status AS dispute, withdrawn, actionable
                FROM billing.invoices AS invoice, billing.invoice_payments AS payment, billing.disputes AS dispute,
                     billing.early_fraud_warnings`),
  ).toEqual([{ invoice: 'void', payment: 'canceled', dispute: 'warning_closed', withdrawn: '0', actionable: false }]);
  for (const id of ids) expect(await cancel(id)).toEqual({ unchanged: 1 });
});

test('only what Stripe does not have is canceled, of a kind that grants or counts', async () => {
  const made = stripe().state.createSubscription({ status: 'active', created });
  await apply(stripeEvent('customer.subscription.created', { ...made.object }, { created }));
  stripe().state.updateSubscription(made.object.id, { status: 'past_due' });
  expect(await cancel(made.object.id)).toEqual({ refreshed: 1 });
  expect(await rows('SELECT status FROM billing.subscriptions')).toEqual([{ status: 'past_due' }]);

  expect(await cancel('cs_unknown')).toEqual({ missing: 1 });
  for (const object of [undefined, 'cus_1', 're_1', 'acct_1', 'po_1']) {
    await expect(outcomeOf({ object, cancelMissing })).rejects.toThrow(
      'cancelMissing: only together with an id in `object` that begins with one of sub_, in_, cs_, pi_, ch_, py_, dp_, du_, issfr_, inpay_',
    );
  }
});
