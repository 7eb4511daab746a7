import type { ComparedState, Finding } from './differences';
import type { Counters } from './run';

/** What a page of one of Stripe's lists shows. Plain data: nothing of it is stored until the page is committed. */
export interface PageOutcome {
  /** Added to the counters of the run; corrections are counted when they are stored. */
  readonly counts: Readonly<Partial<Omit<Counters, 'corrected' | 'errors'>>>;
  readonly findings: readonly Finding[];
  /** States of Stripe's that differ from what is stored. A dry run stores none of them. */
  readonly corrections: readonly ComparedState[];
  /** Ids of events that were applied, and committed, while the page was looked at. */
  readonly recoveredEvents: ReadonlySet<string>;
  /** Subscriptions on the page, for finding those that no page lists. */
  readonly listedSubscriptions: readonly string[];
  /** Objects and events that could not be read or applied, each with its reason. */
  readonly problems: readonly string[];
}

/** A page on which everything is as it should be. */
export const NOTHING_FOUND: PageOutcome = {
  counts: {},
  findings: [],
  corrections: [],
  recoveredEvents: new Set(),
  listedSubscriptions: [],
  problems: [],
};
