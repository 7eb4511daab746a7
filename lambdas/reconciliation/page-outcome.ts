import type { ComparedState, Finding } from './differences';

/** What a run counts, under the names of the columns of its record. */
export const COUNTER_NAMES = [
  'events_checked',
  'events_missed',
  'subscriptions_checked',
  'purchases_checked',
  'charges_checked',
  'drift_detected',
  'corrected',
  /** Objects and events of Stripe's that could not be read or applied. */
  'errors',
] as const;
export type CounterName = (typeof COUNTER_NAMES)[number];
export type Counters = Readonly<Record<CounterName, number>>;

/** What a page, or the end of a list, shows about the database. Plain data; `commitPage` writes it. */
export interface PageOutcome {
  /** Added to the counters of the run. `corrected` and `errors` are counted by the commit. */
  readonly counts: Readonly<Partial<Record<Exclude<CounterName, 'corrected' | 'errors'>, number>>>;
  readonly findings: readonly Finding[];
  /** States at Stripe that the database lacks or has differently. */
  readonly corrections: readonly ComparedState[];
  /** Ids of missed events that were applied: their findings are corrected. */
  readonly recoveredEvents: readonly string[];
  /** Ids of subscriptions that Stripe listed. The end of the list reports those that it did not. */
  readonly listedSubscriptions: readonly string[];
  /** Objects and events that could not be read or applied, each with its reason. */
  readonly problems: readonly string[];
}

export const NOTHING_FOUND: PageOutcome = {
  counts: {},
  findings: [],
  corrections: [],
  recoveredEvents: [],
  listedSubscriptions: [],
  problems: [],
};

/** What a run has counted so far. */
export interface Tally {
  readonly counters: Counters;
  /** The first problems of the run; all of them are counted as `errors`. */
  readonly problems: readonly string[];
}

const MAX_PROBLEMS = 5;

/** @param corrected objects and events of the page that were brought in line with Stripe */
export function addToTally(tally: Tally, { counts, problems }: PageOutcome, corrected: number): Tally {
  const added: Partial<Counters> = { ...counts, corrected, errors: problems.length };
  const total = (name: CounterName) => [name, tally.counters[name] + (added[name] ?? 0)] as const;
  return {
    counters: Object.fromEntries(COUNTER_NAMES.map(total)) as Record<CounterName, number>,
    problems: [...tally.problems, ...problems].slice(0, MAX_PROBLEMS),
  };
}
