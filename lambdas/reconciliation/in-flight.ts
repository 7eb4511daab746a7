import type Stripe from 'stripe';
import type { ObjectState } from '../../core/billing/object-state';
import { effectsOf, ENDPOINT_EVENT_TYPES } from '../../core/providers/stripe/event-effect';
import { pagesOf } from '../../core/providers/stripe/pages';
import { eventLanes, listEvents } from '../../core/providers/stripe/requests';
import { readEvent } from '../../core/providers/stripe/shapes';
import { unknownEvents } from './records';
import type { Run } from './run';

/** Tells whether an object was changed by an event that is still on its way. */
export type IsInFlight = (state: ObjectState) => boolean;

/** Thrown where a page cannot be judged before the time is up; the next invocation reads it again. */
export class TimeIsUp extends Error {}

const keyOf = ({ kind, row }: ObjectState) => `${kind} ${row.id}`;

/**
 * The objects of events that the run's window leaves to the next run, and that the ledger lacks: they may still be delivered,
 * so that a difference which they explain is no drift. Lists these events, 3 calls and more; asked for only where something
 * differs. Rows that are read after this have whatever else is in the ledger.
 *
 * @throws TimeIsUp
 */
export async function objectsInFlight(run: Run): Promise<IsInFlight> {
  const recent: Stripe.Event[] = [];
  const lanes = eventLanes(ENDPOINT_EVENT_TYPES, { gte: run.window.endAtSeconds });
  for await (const { objects } of pagesOf(run.call, listEvents(run.stripe), lanes, run.stop)) recent.push(...objects);
  if (run.stop.aborted) throw new TimeIsUp();
  const ids = recent.map(({ id }) => id);
  const unknown = recent.length === 0 ? new Set<string>() : await unknownEvents(run.client, ids);
  const moving = new Set(recent.filter(({ id }) => unknown.has(id)).flatMap((event) => statesOf(event).map(keyOf)));
  return (state) => moving.has(keyOf(state));
}

/** None for an event that cannot be read: when it is delivered, the ledger says so. */
function statesOf(event: Stripe.Event): readonly ObjectState[] {
  try {
    return effectsOf(readEvent(event));
  } catch {
    return [];
  }
}
