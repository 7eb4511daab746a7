import type { ObjectState } from './object-state';
import type { StateDefaults } from './owner';

/** What every provider says of an event, whatever the event is about. */
export interface EventEnvelope {
  /** Unique among the provider's events; the ledger's key is the provider's name and this. */
  readonly id: string;
  readonly type: string;
  /** Id of the object that the event is about, or null where it has none. */
  readonly objectId: string | null;
  /** Version of the API in whose shape the event is, or null where the provider names none. */
  readonly apiVersion: string | null;
  /** False for an event of a test mode or sandbox. */
  readonly livemode: boolean;
  /** When the provider made the event. */
  readonly occurredAt: Date;
}

/**
 * A payment provider, as far as applying its events needs it. Each one lives in `core/providers/<name>`, with what other
 * functions need of it: verification of its requests, its lists for reconciliation, its metric labels.
 *
 * @typeParam Event the provider's event, once its envelope was checked
 */
export interface Provider<Event> {
  /** As in the ledger's `provider` column, the endpoint's path and the queue's messages; lower case. */
  readonly name: string;
  /** Path from an event to the object that it is about, as PostgreSQL's `#>` takes it. */
  readonly objectPath: readonly string[];
  identify(event: Event): EventEnvelope;
  /**
   * The event without what must not be stored; the same object when all of it may be.
   *
   * @param json what the event was parsed from, if it is at hand
   * @throws InvalidRequestError when the event cannot be stored at all
   */
  toStorable(event: Event, json?: string): Event;
  /**
   * The states of the objects that an event carries; none when the platform does not act on it.
   *
   * @param event what `toStorable` returned
   * @throws InvalidRequestError naming the field that is not as the provider documents it
   */
  effectsOf(event: Event, defaults: StateDefaults): ObjectState[];
}
