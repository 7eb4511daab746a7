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
