import { startStripeStandIn, type StripeStandIn } from '../../local/stripe/stand-in';
import { TEST_CLOCK } from './life';
import type { SimulatedEvent } from './objects';
import type { StripeState } from './state';

/**
 * Serves the simulated Stripe over HTTP, by the stand-in: its lists leave out what Stripe leaves out.
 *
 * @param events those that Stripe lists; older ones than 30 days are left out
 */
export async function serve(stripe: StripeState, events: readonly SimulatedEvent[]): Promise<StripeStandIn> {
  const standIn = await startStripeStandIn({ now: () => stripe.now });
  const { state } = standIn;
  state.testClocks.add(TEST_CLOCK);
  const put = (collection: { put(object: never): unknown }, objects: Iterable<object>): void => {
    for (const object of objects) collection.put({ ...object } as never);
  };
  put(state.customers, stripe.customers.values());
  put(state.subscriptions, [...stripe.subscriptions.values()].map(withCreatedItems));
  put(state.invoices, [...stripe.invoices.values()].flat());
  put(state.invoicePayments, stripe.invoicePayments.values());
  put(state.sessions, stripe.sessions.values());
  put(state.paymentIntents, stripe.intents.values());
  put(state.charges, stripe.charges.values());
  put(state.refunds, stripe.refunds.values());
  put(state.disputes, stripe.disputes.values());
  put(state.earlyFraudWarnings, stripe.warnings.values());
  put(state.accounts, stripe.accounts.values());
  put(state.events, events);
  return standIn;
}

/** The stand-in lists items by their creation. */
function withCreatedItems<T extends { readonly created: number; readonly items: { readonly data: readonly object[] } }>(
  subscription: T,
): T {
  const data = subscription.items.data.map((item) => ({ ...item, created: subscription.created }));
  return { ...subscription, items: { ...subscription.items, data } };
}
