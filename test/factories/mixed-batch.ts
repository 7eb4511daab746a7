import type { ReceivedEvent } from '../../core/billing/apply-events';
import type { StripeEvent } from '../../core/providers/stripe/shapes';
import {
  account,
  capability,
  charge,
  checkoutSession,
  customer,
  dispute,
  earlyFraudWarning,
  EPOCH,
  invoice,
  invoicePayment,
  paymentIntent,
  payout,
  refund,
  stripeEvent,
  subscription,
  transfer,
} from './stripe-objects';

/**
 * A batch of events about objects of every kind in equal numbers, each with a customer and a user of its own.
 *
 * @param first number of the first object, which its id contains
 */
export function mixedBatch(size: number, first = 0): ReceivedEvent<StripeEvent>[] {
  const metadata = (n: number) => ({ user_id: `user_${n}`, project_id: 'project_1' });
  const makers = [
    (n: number) => stripeEvent('customer.updated', customer({ id: `cus_${n}` })),
    (n: number) =>
      stripeEvent(
        'customer.subscription.updated',
        subscription({ id: `sub_${n}`, customer: `cus_${n}`, metadata: metadata(n) }),
      ),
    (n: number) => stripeEvent('invoice.paid', invoice({ id: `in_${n}`, customer: `cus_${n}` })),
    (n: number) =>
      stripeEvent(
        'checkout.session.completed',
        checkoutSession({ id: `cs_${n}`, customer: `cus_${n}`, payment_intent: `pi_of_cs_${n}` }),
      ),
    (n: number) => stripeEvent('payment_intent.succeeded', paymentIntent({ id: `pi_${n}`, customer: `cus_${n}` })),
    (n: number) =>
      stripeEvent(
        'charge.refunded',
        charge({ id: `ch_${n}`, customer: `cus_${n}`, payment_intent: `pi_${n}`, amount_refunded: 5 }),
      ),
    (n: number) => stripeEvent('refund.created', refund({ id: `re_${n}`, charge: `ch_${n}` })),
    (n: number) =>
      stripeEvent(
        'invoice_payment.paid',
        invoicePayment({ id: `inpay_${n}`, invoice: `in_${n}`, payment: { payment_intent: `pi_${n}` } }),
      ),
    (n: number) => stripeEvent('charge.dispute.created', dispute({ id: `dp_${n}`, charge: `ch_disputed_${n}` })),
    (n: number) =>
      stripeEvent('radar.early_fraud_warning.created', earlyFraudWarning({ id: `issfr_${n}`, charge: `ch_${n}` })),
    (n: number) => stripeEvent('account.updated', account({ id: `acct_${n}` })),
    (n: number) => stripeEvent('capability.updated', capability({ account: `acct_${n}` })),
    (n: number) => stripeEvent('transfer.created', transfer({ id: `tr_${n}`, destination: `acct_${n}` })),
    (n: number) => stripeEvent('payout.paid', payout({ id: `po_${n}`, status: 'paid' }), { account: `acct_${n}` }),
  ];
  return Array.from({ length: size }, (_, index) => {
    const make = makers[index % makers.length];
    if (make === undefined) throw new Error('unreachable');
    return { event: make(first + index), source: 'webhook', receivedAt: new Date((EPOCH + 1) * 1000) };
  });
}
