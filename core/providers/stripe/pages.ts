import type Stripe from 'stripe';
import type { CallStripe } from './paced-caller';

/** The most that Stripe returns in one page. */
const PAGE_SIZE = 100;

/** A page begins after the last object of the previous one, so a list can only be read in sequence; see {@link Lane}. */
type PageRequest = { limit: number; starting_after?: string };

/**
 * A part of a list that is read independently of the other parts, newest first. Plain data, which can be saved to continue
 * later.
 */
export interface Lane {
  /** Creation time in seconds since 1970. @default all times */
  readonly created?: { readonly gte?: number; readonly lt?: number };
  /** Types of events. @default all types */
  readonly types?: readonly string[];
  /** Test clock that the objects belong to; without it, Stripe lists what belongs to none. @default none */
  readonly testClock?: string;
  /** Kind of the objects, where one list mixes kinds. @default the list's own */
  readonly kind?: string;
  /** Ids of objects that are read one by one, in this order. @default none; the lane is read as a list */
  readonly ids?: readonly string[];
  /** Account whose list it is, where each has its own. @default that of the key */
  readonly account?: string;
  /** Objects that were read, of a list that is paged by position. @default none */
  readonly offset?: number;
  /** Id of the last object that was read. @default none */
  readonly after?: string;
  /** Everything was read. @default false */
  readonly done?: boolean;
}

/** Requests one page of a lane from Stripe. */
export type ListPage<T> = (lane: Lane, page: PageRequest) => Promise<Stripe.Response<Stripe.ApiList<T>>>;

export interface Page<T> {
  readonly objects: readonly T[];
  /** Seconds since 1970; see {@link Answer.requestedAtSeconds}. */
  readonly requestedAtSeconds: number;
}

export interface LanePage<T> extends Page<T> {
  /** Position of the lane among the given ones. */
  readonly index: number;
  /** The lane as it is to be saved together with this page. */
  readonly next: Lane;
}

/**
 * The pages of all lanes, in the order of their arrival. While the caller works on one page, the next page of each lane is
 * being fetched; no more than that is ever in memory.
 *
 * @param stop ends the iteration early, even while a request is pending
 * @throws what `call` throws, after the pages that arrived earlier
 */
export async function* pagesOf<T extends { id: string }>(
  call: CallStripe,
  list: ListPage<T>,
  lanes: readonly Lane[],
  stop: AbortSignal,
): AsyncGenerator<LanePage<T>> {
  // A queue instead of Promise.race(): a race keeps all its earlier results reachable from its slowest promise.
  const arrived: (() => LanePage<T>)[] = [];
  let wake = (): void => undefined;
  const arrive = (open: () => LanePage<T>): void => {
    arrived.push(open);
    wake();
  };
  const request = async (index: number, lane: Lane): Promise<void> => {
    const cursor = lane.after === undefined ? {} : { starting_after: lane.after };
    try {
      const { value, requestedAtSeconds } = await call(() => list(lane, { limit: PAGE_SIZE, ...cursor }));
      const after = value.data.at(-1)?.id;
      const next = { ...lane, after: after ?? lane.after, done: !value.has_more || after === undefined };
      arrive(() => ({ index, next, objects: value.data, requestedAtSeconds }));
    } catch (error) {
      arrive(() => {
        throw error;
      });
    }
  };
  const onStop = (): void => wake();
  stop.addEventListener('abort', onStop);
  try {
    const begun = [...lanes.entries()].filter(([, lane]) => lane.done !== true);
    for (const [index, lane] of begun) void request(index, lane);
    for (let open = begun.length; open > 0;) {
      while (arrived.length === 0 && !stop.aborted) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      if (stop.aborted) return;
      const page = arrived.shift()?.();
      if (page === undefined) continue;
      if (page.next.done === true) open -= 1;
      else void request(page.index, page.next);
      yield page;
    }
  } finally {
    stop.removeEventListener('abort', onStop);
  }
}

/** `items` in chunks of at most `size`. */
export function chunksOf<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}
