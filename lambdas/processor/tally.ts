import { isConnectedAccountEvent } from '../../core/providers/stripe/event-effect';
import { accountState } from '../../core/providers/stripe/party-states';
import { appOf, planOf, STRIPE_API_VERSION } from '../../core/providers/stripe/event-labels';
import type { StripeEvent } from '../../core/providers/stripe/shapes';

/** Changes of subscriptions of one app and plan. */
export interface SubscriptionCount {
  readonly change: 'created' | 'canceled';
  readonly app: string | null;
  readonly plan: string | null;
  readonly count: number;
}

/** Counts for metrics. Each event counts once, however often it is delivered. */
export interface Tally {
  readonly subscriptions: readonly SubscriptionCount[];
  readonly restrictedAccounts: number;
  /** Events in the shape of another API version, and those versions. */
  readonly drifted: number;
  readonly driftedVersions: readonly string[];
}

const CHANGES: Readonly<Record<string, SubscriptionCount['change']>> = {
  'customer.subscription.created': 'created',
  'customer.subscription.deleted': 'canceled',
};

/**
 * @param processed the events whose effect has just committed
 * @param defaultAppId app of objects whose metadata names none
 */
export function tally(processed: readonly StripeEvent[], defaultAppId: string | null): Tally {
  const counts = new Map<string, SubscriptionCount>();
  for (const event of processed) {
    const change = CHANGES[event.type];
    if (change === undefined || isConnectedAccountEvent(event)) continue;
    const [app, plan] = [appOf(event, defaultAppId), planOf(event)];
    const key = JSON.stringify([change, app, plan]);
    counts.set(key, { change, app, plan, count: (counts.get(key)?.count ?? 0) + 1 });
  }
  const drifted = processed.filter(({ api_version: version }) => version != null && version !== STRIPE_API_VERSION);
  return {
    subscriptions: [...counts.values()],
    restrictedAccounts: processed.filter(isRestrictedAccount).length,
    drifted: drifted.length,
    driftedVersions: [...new Set(drifted.map((event) => event.api_version ?? ''))],
  };
}

function isRestrictedAccount(event: StripeEvent): boolean {
  if (event.type !== 'account.updated') return false;
  const state = accountState(event.data.object, { moment: event.created, eventId: event.id });
  return state.kind === 'account' && state.restricted;
}
