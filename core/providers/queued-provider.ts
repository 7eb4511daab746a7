import type { Provider } from '../billing/provider';

/** A subscription that began or ended. */
export interface SubscriptionChange {
  readonly change: 'created' | 'canceled';
  /** App that it belongs to, or null where the event names none. */
  readonly app: string | null;
  /** Price or plan of its first item, or null where it has none. */
  readonly plan: string | null;
}

/** What metrics count of an event whose effect committed, beside the event itself. */
export interface EventSignals {
  /** @default the event is about something else */
  readonly subscription?: SubscriptionChange;
  /** The event says that an account is not paid out until its owner acts. @default false */
  readonly restrictedAccount?: boolean;
  /** Version of the API in whose shape the event is. @default the one that the platform is written for, or none is named */
  readonly driftedVersion?: string;
  /** The event is this platform's own, and is not counted. @default false */
  readonly canary?: boolean;
}

/**
 * A provider whose events come through the queue, as the processor takes it.
 *
 * @typeParam Event the provider's event, once its envelope was checked
 */
export interface QueuedProvider<Event = unknown> {
  readonly provider: Provider<Event>;
  /** @throws InvalidRequestError naming the fields of the envelope that are not as the provider documents them */
  readEvent(value: unknown): Event;
  /** @param defaultAppId app of objects whose metadata names none */
  signalsOf(event: Event, defaultAppId: string | null): EventSignals;
}
