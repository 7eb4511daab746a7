import type { Client } from 'pg';
import { applyEvents, type EventSource } from '../../core/billing/apply-events';
import { gatherEntitlementUpdates } from '../../core/entitlements/recompute';
import { stripeProvider } from '../../core/providers/stripe/provider';
import { readEvent } from '../../core/providers/stripe/shapes';
import { batchesOf } from './deliveries';
import type { SimulatedEvent } from './objects';
import type { Random } from './random';

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
