import { countersFrom, type CounterName, type Counters } from './counters';
import type { ComparedState, Finding } from './differences';
import type { ComparedKind } from './kinds';

/** What is compared: objects of a kind, events, and what users may use. */
export type Compared = ComparedKind | 'event' | 'tilled_event' | 'entitlements';

/** Objects of a kind that were compared, and those of them that differed. */
export interface KindCount {
  readonly checked: number;
  readonly drift: number;
}
export type KindCounts = Readonly<Partial<Record<Compared, KindCount>>>;

/** What a page, or the end of a list, shows about the database. Plain data; `commitPage` writes it. */
export interface PageOutcome {
  /** Added to the counters of the run. `drift_detected`, `corrected` and `errors` are counted by the commit. */
  readonly counts: Readonly<Partial<Record<Exclude<CounterName, 'drift_detected' | 'corrected' | 'errors'>, number>>>;
  readonly kinds: KindCounts;
  readonly findings: readonly Finding[];
  /** States at Stripe that the database lacks or has differently. */
  readonly corrections: readonly ComparedState[];
  /** Ids of missed events that were applied: their findings are corrected. */
  readonly recoveredEvents: readonly string[];
  /** Objects that Stripe showed. The end of the run reports those that it did not. */
  readonly listed: readonly ListedObjectIds[];
  /** What sources grant by Stripe's objects: their findings are corrected once that is stored. */
  readonly judged: ReadonlyMap<string, readonly string[]>;
  /** Objects and events that could not be read or applied, each with its reason. */
  readonly problems: readonly string[];
}

export interface ListedObjectIds {
  readonly kind: ComparedKind;
  readonly ids: readonly string[];
}

export const NOTHING_FOUND: PageOutcome = {
  counts: {},
  kinds: {},
  findings: [],
  corrections: [],
  recoveredEvents: [],
  listed: [],
  judged: new Map(),
  problems: [],
};

/** What a run has counted so far. */
export interface Tally {
  readonly counters: Counters;
  readonly kinds: KindCounts;
  /** The first problems of the run; all of them are counted as `errors`. */
  readonly problems: readonly string[];
}

const MAX_PROBLEMS = 5;

/** @param corrected objects and events of the page that were brought in line with Stripe */
export function addToTally(tally: Tally, { counts, kinds, problems }: PageOutcome, corrected: number): Tally {
  const drifted = Object.values(kinds).reduce((sum, { drift }) => sum + drift, 0);
  const added: Partial<Counters> = { ...counts, drift_detected: drifted, corrected, errors: problems.length };
  return {
    counters: countersFrom((name) => tally.counters[name] + (added[name] ?? 0)),
    kinds: addKinds(tally.kinds, kinds),
    problems: [...tally.problems, ...problems].slice(0, MAX_PROBLEMS),
  };
}

function addKinds(counted: KindCounts, added: KindCounts): KindCounts {
  const entries = Object.entries(added) as [Compared, KindCount][];
  const sums = entries.map(([kind, { checked, drift }]): [Compared, KindCount] => {
    const before = counted[kind] ?? { checked: 0, drift: 0 };
    return [kind, { checked: before.checked + checked, drift: before.drift + drift }];
  });
  return { ...counted, ...Object.fromEntries(sums) };
}
