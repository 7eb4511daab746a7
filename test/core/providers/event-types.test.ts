import { effectsOf, ENDPOINT_EVENT_TYPES, isHandled } from '../../../core/providers/stripe/event-effect';
import { invoice, paymentIntent, stripeEvent, subscription } from '../../factories/stripe-objects';

/** Written out: dropping a type would unsubscribe the endpoint from it at the next set-up. */
const SUBSCRIBED = `
customer.subscription.created customer.subscription.updated customer.subscription.deleted
invoice.updated invoice.paid invoice.payment_succeeded invoice.payment_failed invoice.voided invoice.deleted
checkout.session.completed checkout.session.async_payment_succeeded checkout.session.async_payment_failed
checkout.session.expired payment_intent.succeeded payment_intent.payment_failed charge.succeeded charge.refunded
refund.created refund.updated refund.failed customer.created customer.updated customer.deleted
customer.subscription.paused customer.subscription.resumed invoice.created invoice.finalized
invoice.marked_uncollectible payment_intent.created payment_intent.processing payment_intent.requires_action
payment_intent.canceled payment_intent.amount_capturable_updated charge.pending charge.captured charge.failed charge.expired charge.updated
charge.refund.updated invoice_payment.paid charge.dispute.created charge.dispute.updated charge.dispute.closed
charge.dispute.funds_withdrawn charge.dispute.funds_reinstated radar.early_fraud_warning.created
radar.early_fraud_warning.updated account.updated account.application.authorized account.application.deauthorized
capability.updated payout.created payout.updated payout.paid payout.failed payout.canceled
transfer.created transfer.updated transfer.reversed`
  .trim()
  .split(/\s+/);

test('the endpoint is subscribed to these event types, in the order in which events are listed', () => {
  expect(ENDPOINT_EVENT_TYPES).toEqual(SUBSCRIBED);
});

test.each([
  ['customer.subscription.trial_will_end', subscription(), 'subscription'],
  ['invoice.sent', invoice(), 'invoice'],
  ['payment_intent.partially_funded', paymentIntent(), 'payment_intent'],
] as const)(
  'an event of type %s, to which the endpoint is not subscribed, is applied all the same',
  (type, object, kind) => {
    expect(isHandled(type)).toBe(false);
    expect(effectsOf(stripeEvent(type, object)).map((state) => state.kind)).toEqual([kind]);
  },
);

test.each(['invoice.upcoming', 'product.updated', 'customer.source.created', 'constructor', 'toString', ''])(
  'an event of type "%s" has no effect',
  (type) => {
    expect(effectsOf(stripeEvent(type, invoice()))).toEqual([]);
    expect(isHandled(type)).toBe(false);
  },
);
