import { messageOf } from '../../core/runtime/errors';

/** A value at the moment of the collection. */
export interface Gauge {
  /** One of the metrics of the contract. */
  readonly name: string;
  readonly unit: 'Percent' | 'Bytes' | 'Seconds';
  readonly value: number;
  /** Besides those of every metric. @default none */
  readonly dimensions?: Readonly<Record<string, string>>;
}

/** What is measured together, and fails together. */
export interface Measurement {
  /** As the log names it when it fails. */
  readonly of: string;
  readonly measure: () => Promise<readonly Gauge[]>;
}

export interface Collection {
  readonly gauges: readonly Gauge[];
  /** One sentence for each measurement that failed. */
  readonly failures: readonly string[];
}

/** Measures one after the other. One that fails costs the others nothing. */
export async function collect(measurements: readonly Measurement[]): Promise<Collection> {
  const gauges: Gauge[] = [];
  const failures: string[] = [];
  for (const { of, measure } of measurements) {
    try {
      gauges.push(...(await measure()));
    } catch (error) {
      failures.push(`${of}: ${messageOf(error)}`);
    }
  }
  return { gauges, failures };
}

/** Collections side by side, as one. */
export async function together(collections: readonly Promise<Collection>[]): Promise<Collection> {
  const all = await Promise.all(collections);
  return { gauges: all.flatMap(({ gauges }) => gauges), failures: all.flatMap(({ failures }) => failures) };
}

/** Whole seconds from a moment until now; 0 for one that has not come yet. */
export function secondsSince(moment: Date, now: Date): number {
  return Math.max(0, Math.round((now.getTime() - moment.getTime()) / 1000));
}
