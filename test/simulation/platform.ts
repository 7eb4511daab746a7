import type { Client } from 'pg';
import { applyEvents, type EventSource } from '../../core/billing/apply-events';
import type { ObjectState } from '../../core/billing/object-state';
import { storeStates } from '../../core/billing/store-states';
import { inTransaction } from '../../core/database/transaction';
import { gatherEntitlementUpdates } from '../../core/entitlements/recompute';
import { stripeProvider } from '../../core/providers/stripe/provider';
import { readEvent } from '../../core/providers/stripe/shapes';
import { snapshotStates } from '../../core/providers/stripe/snapshots';
import type { SnapshotKind } from '../../core/providers/stripe/requests';
import { NO_DEFAULTS } from '../../core/billing/owner';
import { batchesOf } from './deliveries';
import type { SimulatedEvent } from './objects';
import type { Random } from './random';
import type { StripeState } from './state';

/** The most that the queue hands to the processor at once. */
const LARGEST_BATCH = 200;

/**
 * Applies events as the processor does: in batches, several of them at once, entitlements in the same transactions.
 *
 * @param clients one for each concurrent processor
 * @throws Error naming an event that could not be applied
 */
export async function applyAll(
  clients: readonly Client[],
  events: readonly SimulatedEvent[],
  source: EventSource,
  random: Random,
): Promise<void> {
  const queue = batchesOf(events, LARGEST_BATCH, random);
  await Promise.all(
    clients.map(async (client) => {
      for (let batch = queue.shift(); batch !== undefined; batch = queue.shift()) await apply(client, batch, source);
    }),
  );
}

async function apply(client: Client, batch: readonly SimulatedEvent[], source: EventSource): Promise<void> {
  const { afterStore } = gatherEntitlementUpdates();
  const received = batch.map((event) => {
    const json = JSON.stringify(event);
    return { event: readEvent(JSON.parse(json)), source, receivedAt: new Date(), json };
  });
  const outcomes = await applyEvents(client, stripeProvider, received, { afterStore });
  for (const [id, outcome] of outcomes) {
    if (outcome.status === 'failed') throw new Error(`${id} was not applied: ${outcome.error}`);
  }
}

/**
 * Reads the objects again that the platform asked for, as the refresh function does, and stores them as snapshots of now.
 *
 * @returns how many there were
 */
export async function refreshPending(client: Client, stripe: StripeState): Promise<number> {
  const { rows } = await client.query<{ object_id: string; object_kind: string }>(
    'UPDATE billing.object_refreshes SET done_at = now() WHERE done_at IS NULL RETURNING object_id, object_kind',
  );
  const states = rows.flatMap(({ object_id: id, object_kind: kind }) => snapshotOf(stripe, kind, id));
  const { afterStore } = gatherEntitlementUpdates();
  await inTransaction(client, (run) => storeStates(run, states, { afterStore }));
  return rows.length;
}

function snapshotOf(stripe: StripeState, kind: string, id: string): readonly ObjectState[] {
  const object = objectsOf(stripe, kind).find((candidate) => candidate.id === id);
  if (object === undefined) throw new Error(`The simulation has no ${kind} ${id}`);
  // Of the second after: what happened in this one is known by its events.
  const snapshot = { object: JSON.parse(JSON.stringify(object)) as object, requestedAtSeconds: stripe.now + 1 };
  return snapshotStates(kind as SnapshotKind, snapshot, NO_DEFAULTS);
}

function objectsOf(stripe: StripeState, kind: string): { readonly id: string }[] {
  const objects: Partial<Record<string, Iterable<{ readonly id: string }>>> = {
    subscription: stripe.subscriptions.values(),
    invoice: [...stripe.invoices.values()].flat(),
    charge: stripe.charges.values(),
    payment_intent: stripe.intents.values(),
    dispute: stripe.disputes.values(),
    account: stripe.accounts.values(),
  };
  return [...(objects[kind] ?? [])];
}

interface EntitlementRow {
  readonly key: string;
  /** Seconds since 1970. */
  readonly from: number;
  readonly until: number | null;
}

/** Every stored entitlement, as `expectedEntitlements` writes them. */
export async function storedEntitlements(client: Client): Promise<string[]> {
  const { rows } = await client.query<EntitlementRow>(
    `SELECT concat_ws('|', user_id, project_id, feature, source, source_id) AS key,
            extract(epoch FROM valid_from)::float8 AS from, extract(epoch FROM valid_until)::float8 AS until
     FROM billing.entitlements`,
  );
  return rows.map(({ key, from, until }) => `${key}|${from}|${until ?? 'forever'}`).toSorted();
}
