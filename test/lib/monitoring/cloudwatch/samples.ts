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

/** What a metric published in a stretch of minutes, for many questions about windows of it. */
export class Recorded {
  private readonly minutes: number[] = [];
  private readonly samples: Required<Sample>[] = [];
  /** Of all samples before the one of that index. */
  private readonly counts: number[] = [0];
  private readonly sums: number[] = [0];

  /** @param to minute before which the stretch ends */
  constructor(emitter: Emitter | undefined, from: number, to: number) {
    for (let minute = from; emitter !== undefined && minute < to; minute += 1) {
      const { value, count = 1 } = emitter(minute) ?? { value: 0, count: 0 };
      if (count === 0) continue;
      this.minutes.push(minute);
      this.samples.push({ value, count });
      this.counts.push((this.counts.at(-1) ?? 0) + count);
      this.sums.push((this.sums.at(-1) ?? 0) + value * count);
    }
  }

  /** Whether nothing was published at all. */
  get isEmpty(): boolean {
    return this.samples.length === 0;
  }

  /**
   * One value of the minutes from `from` to just before `to`; `undefined` when nothing was published.
   *
   * @throws Error naming the statistic when it is not known
   */
  statistic(name: string, from: number, to: number): number | undefined {
    const [first, last] = [this.firstNotBefore(from), this.firstNotBefore(to)];
    if (first >= last) return undefined;
    const count = (this.counts[last] ?? 0) - (this.counts[first] ?? 0);
    const sum = (this.sums[last] ?? 0) - (this.sums[first] ?? 0);
    const values = (): number[] => this.samples.slice(first, last).map(({ value }) => value);
    switch (name) {
      case 'SampleCount':
        return count;
      case 'Sum':
        return sum;
      case 'Average':
        return sum / count;
      case 'Maximum':
        return Math.max(...values());
      case 'Minimum':
        return Math.min(...values());
      default:
        return percentile(name, this.samples.slice(first, last), count);
    }
  }

  /** Index of the first sample at a minute or later. */
  private firstNotBefore(minute: number): number {
    let [low, high] = [0, this.minutes.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.minutes[middle] ?? 0) < minute) low = middle + 1;
      else high = middle;
    }
    return low;
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
