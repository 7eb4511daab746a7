import { SIZE_DEFAULTS, SIZES, type Size } from '../../lib/config/sizes';
import { monthOfInstance, PRICES, HOURS } from './costs';

/** Events that the applications' users cause, for each user of a day: a first purchase makes a dozen, a renewal five, most days none. */
export const EVENTS_PER_USER = 1;
/** The busiest minute, in times of the mean: renewals come on the first of a month, purchases after a launch. */
export const PEAK = 20;
/** Milliseconds of a PostgreSQL core for an event: alone, at its slowest, and in a full batch. From docs/benchmarks.md. */
export const CORE_MS = { alone: 3.5, inBatch: 0.57 } as const;
/** Requests that one core acknowledges in a second. From docs/benchmarks.md. */
export const ACKNOWLEDGED_PER_SECOND = 4_425;
/** KiB of disk that an event takes with its indexes, for the year that it is kept. */
export const KIB_PER_EVENT = 6;

const DAY_SECONDS = 86_400;
const CORES: Readonly<Record<string, number>> = { 't4g.medium': 2, 'm7g.large': 2, 'm7g.xlarge': 4 };

/** What the users of a size ask of it. */
export interface Need {
  /** Events a second, in the mean of a day and in the busiest minute. */
  readonly mean: number;
  readonly peak: number;
  /** Share of the cores of the billing database at the peak, in percent: one event at a time, and in batches. */
  readonly alonePercent: number;
  readonly inBatchPercent: number;
  /** GiB of the ledger, after a year. */
  readonly ledgerGiB: number;
}

/** What the users of a day need, at the most of a size. */
export function needOf(size: Size): Need {
  const { usersPerDay, databases } = SIZE_DEFAULTS[size];
  const mean = (usersPerDay * EVENTS_PER_USER) / DAY_SECONDS;
  const peak = mean * PEAK;
  const cores = CORES[databases.billing.instanceClass];
  if (cores === undefined) throw new Error(`How many cores has ${databases.billing.instanceClass}? Add it to CORES`);
  const percent = (milliseconds: number) => (100 * peak * milliseconds) / 1_000 / cores;
  return {
    mean,
    peak,
    alonePercent: percent(CORE_MS.alone),
    inBatchPercent: percent(CORE_MS.inBatch),
    ledgerGiB: (usersPerDay * EVENTS_PER_USER * 365 * KIB_PER_EVENT) / 1024 / 1024,
  };
}

/** Dollars a month of what a size decides: instances, disk, standby, replica, proxy and cache. */
export function costOfSize(size: Size): number {
  const { databases, cache } = SIZE_DEFAULTS[size];
  const { billing, main } = databases;
  const instances = [billing, main].map(({ instanceClass, allocatedStorageGiB, multiAz, analyticsReplica }) => {
    const copies = 1 + Number(multiAz) + Number(analyticsReplica);
    return copies * monthOfInstance(instanceClass, allocatedStorageGiB);
  });
  const proxy = billing.proxy ? Math.max(2, CORES[billing.instanceClass] ?? 2) * PRICES.proxyVcpuHour * HOURS : 0;
  const ofCache = cache.kind === 'serverless' ? 0.1 * PRICES.cacheGiBHour * HOURS : 0;
  return instances.reduce((sum, cost) => sum + cost, 0) + proxy + ofCache;
}

const number = (value: number) => (value < 10 ? value.toFixed(1) : String(Math.round(value)));
const database = ({
  instanceClass,
  allocatedStorageGiB,
  maximumStorageGiB,
  ...parts
}: (typeof SIZE_DEFAULTS)[Size]['databases']['billing']) =>
  [
    `\`${instanceClass}\`, ${allocatedStorageGiB} to ${maximumStorageGiB} GiB`,
    ...(parts.multiAz ? ['standby'] : []),
    ...(parts.proxy ? ['proxy'] : []),
    ...(parts.analyticsReplica ? ['replica'] : []),
  ].join(', ');

/** Rows of what each size decides. */
export function sizeRows(rounded: (dollars: number) => number): (string | number)[][] {
  return SIZES.map((size) => {
    const { usersPerDay, databases, cache, processorConcurrency } = SIZE_DEFAULTS[size];
    const users = usersPerDay.toLocaleString('en-US');
    const cost = rounded(costOfSize(size));
    return [
      `\`${size}\``,
      users,
      database(databases.billing),
      database(databases.main),
      cache.kind,
      processorConcurrency,
      cost,
    ];
  });
}

/** Rows of what the users of each size need. */
export function needRows(): (string | number)[][] {
  return SIZES.map((size) => {
    const { mean, peak, alonePercent, inBatchPercent, ledgerGiB } = needOf(size);
    const acknowledged = (100 * peak) / ACKNOWLEDGED_PER_SECOND;
    return [`\`${size}\``, ...[mean, peak, acknowledged, alonePercent, inBatchPercent, ledgerGiB].map(number)];
  });
}
