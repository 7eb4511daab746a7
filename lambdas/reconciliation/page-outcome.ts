import type { ComparedState, Finding } from './differences';

/** What a run counts, by its name in the report, and the column of the run's record that keeps it. */
export const COUNTER_COLUMNS = {
  eventsChecked: 'events_checked',
  eventsMissed: 'events_missed',
  subscriptions_checked: 'subscriptions_checked',
  purchases_checked: 'purchases_checked',
  chargesChecked: 'charges_checked',
  drift_detected: 'drift_detected',
  corrected: 'corrected',
  /** Objects and events of Stripe's that could not be read or applied. */
  errors: 'errors',
} as const;
export type CounterName = keyof typeof COUNTER_COLUMNS;
export type Counters = Readonly<Record<CounterName, number>>;

/** The counters of a run, each made from its name and its column. */
export function countersFrom(
  valueOf: (name: CounterName, column: (typeof COUNTER_COLUMNS)[CounterName]) => number,
): Counters {
  const entries = Object.entries(COUNTER_COLUMNS) as [CounterName, (typeof COUNTER_COLUMNS)[CounterName]][];
  return Object.fromEntries(entries.map(([name, column]) => [name, valueOf(name, column)])) as Record<
    CounterName,
    number
  >;
}

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
  return {
    counters: countersFrom((name) => tally.counters[name] + (added[name] ?? 0)),
    problems: [...tally.problems, ...problems].slice(0, MAX_PROBLEMS),
  };
}
