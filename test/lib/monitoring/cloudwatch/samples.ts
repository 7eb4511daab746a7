/** What was published in a minute: so many observations of one value. */
export interface Sample {
  readonly value: number;
  /** @default 1 */
  readonly count?: number;
}

/** What a metric publishes in a minute, counted from the beginning of the story; `undefined` when it is nothing. */
export type Emitter = (minute: number) => Sample | undefined;

/** Emitters by the identity of their metric, see {@link metricKey}. */
export type World = ReadonlyMap<string, Emitter>;

/** Namespace, name and dimensions of a metric as one text; CloudWatch takes those for one metric that have all of it in common. */
export function metricKey(namespace: string, name: string, dimensions: Readonly<Record<string, string>>): string {
  const named = Object.entries(dimensions).map(([key, value]) => `${key}=${value}`);
  return [namespace, name, ...named.toSorted()].join(' ');
}

/**
 * One value of a metric, of the minutes from `from` to just before `to`; `undefined` when nothing was published.
 *
 * @throws Error naming the statistic when it is not known
 */
export function statistic(name: string, emitter: Emitter | undefined, from: number, to: number): number | undefined {
  const found: Required<Sample>[] = [];
  for (let minute = from; emitter !== undefined && minute < to; minute += 1) {
    const sample = emitter(minute);
    if (sample !== undefined && sample.count !== 0) found.push({ value: sample.value, count: sample.count ?? 1 });
  }
  if (found.length === 0) return undefined;
  const count = found.reduce((sum, sample) => sum + sample.count, 0);
  const sum = found.reduce((total, sample) => total + sample.value * sample.count, 0);
  switch (name) {
    case 'SampleCount':
      return count;
    case 'Sum':
      return sum;
    case 'Average':
      return sum / count;
    case 'Maximum':
      return Math.max(...found.map(({ value }) => value));
    case 'Minimum':
      return Math.min(...found.map(({ value }) => value));
    default:
      return percentile(name, found, count);
  }
}

function percentile(name: string, found: readonly Required<Sample>[], count: number): number | undefined {
  const [, digits] = /^p(\d+(?:\.\d+)?)$/.exec(name) ?? [];
  if (digits === undefined) throw new Error(`the evaluator does not know the statistic ${name}`);
  let rank = (Number(digits) / 100) * count;
  for (const sample of found.toSorted((one, other) => one.value - other.value)) {
    rank -= sample.count;
    if (rank <= 0) return sample.value;
  }
  return undefined;
}
