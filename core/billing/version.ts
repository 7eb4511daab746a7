/**
 * The order of the states of one object.
 *
 * Providers deliver events unordered, duplicated and with whole-second timestamps, so the newest state is decided by a key
 * that every state has and that is compared byte by byte. The larger key wins, whatever arrives first; two different states
 * never have the same key. From most to least significant:
 *
 * 1. `progress`: what can only grow in the life of the object. A canceled subscription or a paid invoice never becomes
 *    anything else, so its state wins over every non-final one, however late that is delivered.
 * 2. `moment`: seconds since 1970, when the provider made the event; for a snapshot, when it was *requested*.
 * 3. `rank`: the usual order of statuses within one second (a subscription is `incomplete` before it is `active`). Events
 *    of one second whose order was worked out rank above all statuses, and higher the more of them are known; see ties.ts.
 * 4. the event's id, so that a tie is decided the same way everywhere; the ids of all of them, sorted, where several events
 *    of one second decided together. Snapshots have none and lose a tie, because an event of the same second may have
 *    happened after the request.
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

/** Characters of a key up to its rank, and up to its event ids; SQL counts on both, see `guardedUpsert`. */
export const MOMENT_LENGTH = 34;
export const IDS_OFFSET = 51;
/** Above every rank of a status or an amount. */
const TIED_RANK = 1e15;

/** The ids of the events that a state came from; none for a snapshot. */
export function eventIdsOf(version: string): string[] {
  return version.length > IDS_OFFSET ? version.slice(IDS_OFFSET).split(' ') : [];
}

/** Whether two states came from events of one second that may both be the newest: neither is final where the other is not. */
export function areTied(a: string, b: string): boolean {
  return a.length > IDS_OFFSET && b.length > IDS_OFFSET && a.slice(0, MOMENT_LENGTH) === b.slice(0, MOMENT_LENGTH);
}

/** The key of the state that several events of one second decided on together. */
export function tiedVersion(versions: readonly string[]): string {
  const [first = ''] = versions;
  const ids = [...new Set(versions.flatMap(eventIdsOf))].toSorted();
  return `${first.slice(0, MOMENT_LENGTH)}${digits(TIED_RANK + ids.length)}:${ids.join(' ')}`;
}

/** The `progress` of a stored key. */
export function progressOf(version: string): number {
  return Number(version.split(':')[0]);
}

/** The `moment` of a stored key: seconds since 1970. */
export function momentOf(version: string): number {
  return Number(version.split(':')[1]);
}

/** Where a state comes from: an event, or a snapshot that was fetched from the provider's API. */
export interface StateOrigin {
  /** Seconds since 1970. */
  readonly moment: number;
  /** The event's id, or empty for a snapshot. */
  readonly eventId: string;
  /** The event says that the object was created: nothing of the same second came before. @default false */
  readonly creation?: boolean;
}

/**
 * The `rank` of a status by its position in the usual order. A snapshot and a creation rank below every other event of their
 * second; an unknown status ranks above the known ones.
 */
export function rankOf(order: readonly string[], status: string | null, origin: StateOrigin): number {
  if (origin.eventId === '' || origin.creation) return 0;
  const position = status === null ? -1 : order.indexOf(status);
  return position === -1 ? order.length + 1 : position + 1;
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
  return [...newest.values()];
}
