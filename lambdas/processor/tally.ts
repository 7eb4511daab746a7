import type { EventSignals, SubscriptionChange } from '../../core/providers/queued-provider';

/** Changes of subscriptions of one app and plan. */
export interface SubscriptionCount extends SubscriptionChange {
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

/** @param signals one of each event whose effect has just committed */
export function tally(signals: readonly EventSignals[]): Tally {
  const counts = new Map<string, SubscriptionCount>();
  for (const { subscription } of signals) {
    if (subscription === undefined) continue;
    const { change, app, plan } = subscription;
    const key = JSON.stringify([change, app, plan]);
    counts.set(key, { change, app, plan, count: (counts.get(key)?.count ?? 0) + 1 });
  }
  const versions = signals.flatMap(({ driftedVersion }) => driftedVersion ?? []);
  return {
    subscriptions: [...counts.values()],
    restrictedAccounts: signals.filter(({ restrictedAccount }) => restrictedAccount).length,
    drifted: versions.length,
    driftedVersions: [...new Set(versions)],
  };
}
