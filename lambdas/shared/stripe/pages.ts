import type Stripe from 'stripe';
import type { CallStripe } from './paced-caller';

/** The most that Stripe returns in one page. */
export const PAGE_SIZE = 100;

export interface Page<T> {
  readonly objects: readonly T[];
  /** Seconds since 1970; see {@link Answer.requestedAt}. */
  readonly requestedAt: number;
}

/** The pages of a list, newest first, one in memory at a time. */
export async function* pages<T extends { id: string }>(
  call: CallStripe,
  list: (page: { limit: number; starting_after?: string }) => Promise<Stripe.Response<Stripe.ApiList<T>>>,
): AsyncGenerator<Page<T>> {
  let last: string | undefined;
  for (;;) {
    const startingAfter = last === undefined ? {} : { starting_after: last };
    const { value, requestedAt } = await call(() => list({ limit: PAGE_SIZE, ...startingAfter }));
    yield { objects: value.data, requestedAt };
    last = value.data.at(-1)?.id;
    if (!value.has_more || last === undefined) return;
  }
}
