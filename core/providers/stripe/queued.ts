import type { EventSignals, QueuedProvider, SubscriptionChange } from '../queued-provider';
import { isCanary } from './canary';
import { effectsOf, isAccountEvent, isConnectedAccountEvent } from './event-effect';
import { appOf, planOf, STRIPE_API_VERSION } from './event-labels';
import { stripeProvider } from './provider';
import { readEvent, type StripeEvent } from './shapes';

const CHANGES: Readonly<Record<string, SubscriptionChange['change']>> = {
  'customer.subscription.created': 'created',
  'customer.subscription.deleted': 'canceled',
};

/** Stripe, as the processor takes it. */
export const queuedStripe: QueuedProvider<StripeEvent> = { provider: stripeProvider, readEvent, signalsOf };

function signalsOf(event: StripeEvent, defaultAppId: string | null): EventSignals {
  const change = CHANGES[event.type];
  const isCounted = change !== undefined && !isConnectedAccountEvent(event);
  const { api_version: version } = event;
  return {
    ...(isCounted && { subscription: { change, app: appOf(event, defaultAppId), plan: planOf(event) } }),
    restrictedAccount: isRestrictedAccount(event),
    canary: isCanary(event),
    ...(version != null && version !== STRIPE_API_VERSION && { driftedVersion: version }),
  };
}

function isRestrictedAccount(event: StripeEvent): boolean {
  if (!isAccountEvent(event)) return false;
  return effectsOf(event).some((state) =>
    state.kind === 'account' ? state.restricted : state.kind === 'account_restriction' && state.row.active,
  );
}
