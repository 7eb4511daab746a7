/**
 * The order of the states of one Stripe object.
 *
 * Stripe delivers events unordered, duplicated and with whole-second timestamps, so "the newest" is decided by a key that
 * every state carries and that is compared byte by byte. The larger key wins, whatever arrives first; two different
 * states never have the same key. From most to least significant:
 *
 * 1. `progress`: what can only grow in the life of the object. A canceled subscription or a paid invoice never becomes
 *    anything else, so its state wins over every non-final one, however late that is delivered.
 * 2. `moment`: seconds since 1970, when Stripe made the event; for a snapshot, when it was *requested*.
 * 3. `rank`: the usual order of statuses within one second (a subscription is `incomplete` before it is `active`).
 * 4. the event's id, so that a tie is decided the same way everywhere. Snapshots have none and lose a tie, because an
 *    event of the same second may have happened after the request.
 */
export interface Version {
  readonly progress: number;
  readonly moment: number;
  readonly rank: number;
  readonly eventId: string;
}

const digits = (value: number) => String(value).padStart(16, '0');

/** The key as stored: fixed-width decimal fields, so that comparing text compares numbers. */
export function versionKey({ progress, moment, rank, eventId }: Version): string {
  return [digits(progress), digits(moment), digits(rank), eventId].join(':');
}

/** The `moment` of a stored key: seconds since 1970. */
export function momentOf(version: string): number {
  return Number(version.split(':')[1]);
}

/** Where a state comes from: an event of Stripe's, or a snapshot that was fetched from its API. */
export interface StateOrigin {
  /** Seconds since 1970. */
  readonly moment: number;
  /** The event's id, or empty for a snapshot. */
  readonly eventId: string;
  /** Whether the event says that the object was made: nothing of the same second came before. @default false */
  readonly creation?: boolean;
}

/** For each id the state with the largest version: one statement cannot store the same row twice. */
export function newestById<State extends { readonly id: string; readonly version: string }>(
  states: Iterable<State>,
): State[] {
  const newest = new Map<string, State>();
  for (const state of states) {
    const known = newest.get(state.id);
    if (!known || state.version > known.version) newest.set(state.id, state);
  }
  // Every transaction locks rows in the same order, so that two of them wait for each other instead of deadlocking.
  return [...newest.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
}
