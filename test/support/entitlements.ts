import type { Client } from 'pg';
import { entitlementRules, type EntitlementRule } from '../../core/entitlements/contract';
import { applyEvents } from '../../core/billing/apply-events';
import { stripeProvider } from '../../core/providers/stripe/provider';
import type { StripeEvent } from '../../core/providers/stripe/shapes';
import { gatherEntitlementUpdates, type EntitlementChange } from '../../core/entitlements/recompute';
import { replaceRules } from '../../core/entitlements/rules';
import { EPOCH } from '../factories/stripe-objects';

export const DAY = 86_400;

/** ISO 8601 of a moment in seconds after the story's beginning. */
export const at = (seconds: number) => new Date((EPOCH + seconds) * 1000).toISOString();

/** The plan of the factories' subscription grants `pro`; a course grants itself. */
export const RULES: readonly EntitlementRule[] = [
  { id: 'pro', grants: { source: 'subscription', priceId: 'price_pro', graceDays: 3 }, features: ['pro'] },
  { id: 'courses', grants: { source: 'purchase', kind: 'course' }, features: ['course:{item_id}'] },
];

export const putRules = (client: Client, rules: readonly EntitlementRule[]) =>
  replaceRules(client, entitlementRules.parse(rules));

/** Applies events as the processor does, entitlements in the same transaction; returns what changed. */
export async function applyWithEntitlements(client: Client, ...events: StripeEvent[]): Promise<EntitlementChange[]> {
  const { afterStore, changes } = gatherEntitlementUpdates();
  const received = events.map((event) => ({ event, source: 'webhook' as const, receivedAt: new Date() }));
  await applyEvents(client, stripeProvider, received, { afterStore });
  return changes();
}

/** Applies events one by one; returns when access ends then, by feature, and null for what has no end. */
export async function endingsAfter(
  client: Client,
  events: readonly StripeEvent[],
): Promise<Record<string, string | null>> {
  for (const event of events) await applyWithEntitlements(client, event);
  const { rows } = await client.query<{ feature: string; valid_until: Date | null }>(
    'SELECT feature, valid_until FROM billing.entitlements ORDER BY feature',
  );
  return Object.fromEntries(rows.map((row) => [row.feature, row.valid_until?.toISOString() ?? null]));
}

/** Every stored entitlement, as `user/project feature source from..until`. */
export async function storedEntitlements(client: Client): Promise<string[]> {
  const { rows } = await client.query<{
    user_id: string;
    project_id: string;
    feature: string;
    source_id: string;
    valid_from: Date;
    valid_until: Date | null;
  }>('SELECT * FROM billing.entitlements ORDER BY user_id, project_id, feature, source_id');
  return rows.map(
    (row) =>
      `${row.user_id}/${row.project_id} ${row.feature} ${row.source_id} ` +
      `${row.valid_from.toISOString()}..${row.valid_until?.toISOString() ?? ''}`,
  );
}

/** Differences between the stored entitlements and those that the stored state grants. */
export async function unlikeGranted(client: Client): Promise<object[]> {
  const difference = (one: string, other: string) =>
    `(SELECT * FROM billing.${one} EXCEPT SELECT * FROM billing.${other})`;
  const { rows } = await client.query<object>(
    `${difference('entitlements', 'entitlement_grants')} UNION ALL ${difference('entitlement_grants', 'entitlements')}`,
  );
  return rows;
}
