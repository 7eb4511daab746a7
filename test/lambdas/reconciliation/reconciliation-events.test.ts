import { ENDPOINT_EVENT_TYPES } from '../../../core/providers/stripe/event-effect';
import { eventObject } from '../../../local/stripe/objects';
import * as factories from '../../factories/stripe-objects';
import { daysAgoSeconds, useStripeAndDatabase } from '../../support/stripe';

const { deliver, reconcile, rows, stripe } = useStripeAndDatabase();

test('a run that finds no drift counts everything that it checked', async () => {
  const { state } = stripe();
  const { object, event } = state.createSubscription();
  const purchase = state.completeCheckout({ created: daysAgoSeconds(2), mode: 'setup' });
  await deliver({ event }, state.payInvoice(object.id), purchase, state.createCharge());

  expect(await reconcile()).toMatchObject({
    status: 'complete',
    eventsChecked: 4,
    eventsMissed: 0,
    subscriptions_checked: 1,
    purchases_checked: 1,
    chargesChecked: 1,
    drift_detected: 0,
    corrected: 0,
    errors: 0,
  });
  expect(await rows('SELECT status, error FROM billing.reconciliation_runs')).toEqual([
    { status: 'complete', error: null },
  ]);
});

test('events that were never received are applied like delivered ones, and a second run finds nothing', async () => {
  const { state } = stripe();
  const { object: session } = state.completeCheckout();
  const { object: subscription } = state.createSubscription();
  state.payInvoice(subscription.id);
  state.refundCharge(state.chargeOf(session).id, 1_000);

  // The fifth is the refund as an object of its own, for which the stand-in creates no event.
  expect(await reconcile()).toMatchObject({ eventsMissed: 4, corrected: 5, drift_detected: 5 });
  expect(await rows(`SELECT source, status, count(*)::int FROM billing.webhook_events GROUP BY 1, 2`)).toEqual([
    { source: 'reconciliation', status: 'processed', count: 4 },
  ]);
  expect(await rows('SELECT amount FROM billing.refund_entries')).toEqual([{ amount: '1000' }]);
  expect(await reconcile()).toMatchObject({ eventsMissed: 0, drift_detected: 0 });
});

test('an event of every type that the endpoint takes is found when it was never received', async () => {
  for (const type of ENDPOINT_EVENT_TYPES) {
    const event = eventObject(type, objectFor(type), { created: daysAgoSeconds(1) });
    stripe().state.events.put(type.startsWith('account.') ? { ...event, account: 'acct_1' } : event);
  }

  expect(await reconcile()).toMatchObject({ eventsMissed: ENDPOINT_EVENT_TYPES.length });
  expect(await rows(`SELECT type FROM billing.webhook_events WHERE status = 'processed' ORDER BY type`)).toEqual(
    ENDPOINT_EVENT_TYPES.toSorted().map((type) => ({ type })),
  );
});

/** The object of an event of a type. */
function objectFor(type: string): object {
  if (/^(charge\.)?refund\.(created|updated|failed)$/.test(type)) return factories.refund();
  const [, make] = OBJECTS.find(([prefix]) => type.startsWith(prefix)) ?? [];
  if (make === undefined) throw new Error(`There is no object for ${type}`);
  return make();
}
const OBJECTS: readonly (readonly [string, () => object])[] = [
  ['customer.subscription.', factories.subscription],
  ['customer.', factories.customer],
  ['invoice_payment.', factories.invoicePayment],
  ['invoice.', factories.invoice],
  ['checkout.session.', factories.checkoutSession],
  ['payment_intent.', factories.paymentIntent],
  ['charge.dispute.', factories.dispute],
  ['radar.early_fraud_warning.', factories.earlyFraudWarning],
  ['charge.', factories.charge],
  ['account.application.', () => ({ id: 'ca_1', object: 'application' })],
  ['account.', factories.account],
  ['capability.', factories.capability],
  ['payout.', factories.payout],
  ['transfer.', factories.transfer],
];

test('lists longer than a page are read to their end', async () => {
  for (let index = 0; index < 230; index += 1) stripe().state.createSubscription();

  expect(await reconcile()).toMatchObject({
    eventsChecked: 230,
    eventsMissed: 230,
    subscriptions_checked: 230,
    corrected: 230,
  });
  expect(await rows('SELECT count(*)::int FROM billing.subscriptions')).toEqual([{ count: 230 }]);
});
