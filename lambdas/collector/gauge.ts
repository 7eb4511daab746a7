import { messageOf, OperationError } from '../../core/runtime/errors';

/** A value at the moment of the collection. */
export interface Gauge {
  /** One of the metrics of the contract. */
  readonly name: string;
  readonly unit: 'Percent' | 'Bytes' | 'Seconds' | 'Count';
  readonly value: number;
  /** Besides those of every metric. @default none */
  readonly dimensions?: Readonly<Record<string, string>>;
}

/** Gauges that are measured together, and fail together. */
export interface Measurement {
  /** Its name in the log when it fails. */
  readonly label: string;
  readonly measure: () => Promise<readonly Gauge[]>;
  /** What is published of a database without migrations, besides that it could not be measured. @default - nothing */
  readonly unmigrated?: Gauge;
}

export interface Collection {
  readonly gauges: readonly Gauge[];
  /** One sentence for each measurement that failed. */
  readonly failures: readonly string[];
}

/** Measures one after the other. One that fails does not stop the others. */
export async function collect(measurements: readonly Measurement[]): Promise<Collection> {
  const gauges: Gauge[] = [];
  const failures: string[] = [];
  for (const { label, measure, unmigrated } of measurements) {
    try {
      gauges.push(...(await measure()));
    } catch (error) {
      const isNew = error instanceof OperationError && error.code === 'unmigrated_database';
      if (isNew && unmigrated !== undefined) gauges.push(unmigrated);
      failures.push(`${label}: ${messageOf(error)}`);
    }
  }
  return { gauges, failures };
}

/** Collections side by side, as one. */
export async function together(collections: readonly Promise<Collection>[]): Promise<Collection> {
  const all = await Promise.all(collections);
  return { gauges: all.flatMap(({ gauges }) => gauges), failures: all.flatMap(({ failures }) => failures) };
}

/** Whole seconds from a moment until now; 0 for one in the future. */
export function secondsSince(moment: Date, now: Date): number {
  return Math.max(0, Math.round((now.getTime() - moment.getTime()) / 1000));
}
