import {
  LARGE_ARCHIVE_POLICY,
  LARGE_RESTORE_POLICY,
  TEMPORARY_INSTANCE_POLICY,
} from '../../lib/config/recovery-policy';
import { BACKUP_POLICIES, STREAMING_LIMIT_GIB } from '../../lib/config/policies';
import { EXAMPLES } from '../support/example-environments';
import { ACKNOWLEDGED_PER_SECOND, CORE_MS, EVENTS_PER_USER, KIB_PER_EVENT, needRows, PEAK, sizeRows } from './sizes';
import {
  ARCHIVE_SHARE,
  CHANGED_SHARE,
  costsOf,
  settingCosts,
  temporaryInstanceCosts,
  CUSTOM_METRICS,
  GIB_SECONDS_OF_JOBS,
  GIB_SECONDS_PER_WEBHOOK,
  PRICES,
  PRICES_OF,
  USAGE,
} from './costs';
import {
  CONNECTION_MB_PER_SECOND,
  DEFAULT_READER,
  largeArchiveCosts,
  largeRestoreCosts,
  PLANNED_SHARE,
  plannedRate,
  plannedRestoreRate,
  READER,
  RESTORE_HOURS,
  RESTORING_MB_PER_SECOND,
  WRITES_PER_BYTE,
} from './large-archive-costs';

const LARGE_SIZES_GB = [
  ['100 GB', 100],
  ['1 TB', 1_000],
  ['10 TB', 10_000],
] as const;

/** Dollars to which everything is rounded: no estimate is better, and small changes leave the page as it is. */
const PRECISION = 5;

const rounded = (dollars: number) => Math.round(dollars / PRECISION) * PRECISION;
const row = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;
const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]) =>
  [row(head), row(head.map((_, index) => (index === 0 ? '---' : '--:'))), ...rows.map(row)].join('\n');

/** The text of `docs/costs.md`. */
export function costsPage(): string {
  const costs = EXAMPLES.map(costsOf);
  const services = Object.keys(costs[0] ?? {});
  const total = (index: number) => Object.values(costs[index] ?? {}).reduce((sum, value) => sum + value, 0);
  const perService = services.map((service) => [service, ...costs.map((one) => rounded(one[service] ?? 0))]);
  const { instanceHour, ...unitPrices } = PRICES;
  return `# What it costs

US dollars a month, of the environments in [examples/](../examples), rounded to ${PRECISION}. What is always there is
counted in the synthesised templates; what use adds follows from the assumptions below. Without tax, support, discounts,
free tiers, traffic to the internet, and what people query.

${table(['service', ...EXAMPLES], [...perService, ['**together**', ...costs.map((_, index) => `**${rounded(total(index))}**`)]])}

Most of it are instances. Reserved for a year, they cost about a third less.

## What settings cost

A billing database of class \`m7g.large\` with 100 GiB, in three zones:

${table(
  ['setting', 'US dollars a month'],
  settingCosts().map(([setting, dollars]) => [setting, rounded(dollars)]),
)}

## Sizes

What \`size\` decides where the settings leave it out, up to so many users a day, and its US dollars a month; networks, keys and
the rest come on top. What a setting says goes before.

${table(['size', 'users a day', 'billing', 'main', 'cache', 'processorConcurrency', 'US dollars'], sizeRows(rounded))}

What so many users need, of what was [measured](benchmarks.md): ${EVENTS_PER_USER} event for each user of a day, ${PEAK} times the mean in the
busiest minute, ${CORE_MS.alone} ms of a core of PostgreSQL for an event that comes alone, ${CORE_MS.inBatch} ms in a full batch, ${ACKNOWLEDGED_PER_SECOND} requests a
second acknowledged by one core, ${KIB_PER_EVENT} KiB of disk for an event in the year that it is kept.

${table(['size', 'events/s, mean', 'at the peak', '% of a core to acknowledge', '% of the database, one by one', '% in batches', 'GiB of events after a year'], needRows())}

Events come in batches by themselves where they come faster than one by one. Not counted is what the applications ask of their
databases: measure it, and name a larger class where it is much. The standby of \`medium\` and larger ones is for a failover in a minute, and
the proxy of \`large\` for applications that open more than a hundred connections. Before a size is changed, name \`allocatedStorageGiB\`
as RDS reports it: disks never shrink.

## What a recovery of rows to the second costs

An instance of class \`${TEMPORARY_INSTANCE_POLICY.instanceClass}\` with the disk of the database, for as long as it is there; an archive costs nothing to compare with. An
execution is some hundreds of state transitions, less than a cent.

${table(
  ['GiB of disk', 'US dollars an hour', `for ${TEMPORARY_INSTANCE_POLICY.keepHours} hours, the longest`],
  temporaryInstanceCosts().map(([gib, hour, longest]) => [gib, hour.toFixed(2), longest.toFixed(2)]),
)}

## What a large archive costs

Of a database above ${STREAMING_LIMIT_GIB} GiB, each archive. Never two are made at a time: as often as the policy says only while one takes less than the
interval. The hours are

    ${RESTORE_HOURS} h + size / (${PLANNED_SHARE} × min(parts at a time × ${CONNECTION_MB_PER_SECOND} MB/s, rate of the disk))

with ${READER.concurrentParts} parts at a time (\`largeArchives.concurrentParts\`) and an instance of class \`${READER.instanceClass}\`, whose disk gives
${READER.diskMbPerSecond} MB/s for as long as it takes, by AWS's list: ${plannedRate()} MB/s. One connection copied ${CONNECTION_MB_PER_SECOND} MB/s
([benchmarks](benchmarks.md)). The factor is for the disk of a restored instance, which loads from S3 as it is read; it is an **estimate**, measured
nowhere. US dollars:

${table(
  [
    'database',
    'parts',
    'hours',
    'instance and disk',
    'functions',
    'requests, transitions',
    'together',
    'kept in S3, a month',
  ],
  LARGE_SIZES_GB.map(([label, gb]) => {
    const { parts, hours, instance, functions, requests, keptMonth } = largeArchiveCosts(gb);
    const dollars = [instance, functions, requests, instance + functions + requests, keptMonth];
    return [label, parts, hours.toFixed(1), ...dollars.map((one) => one.toFixed(2))];
  }),
)}

${defaultReader()}

${failedAttempt()}

The dearest is what is kept: ${BACKUP_POLICIES.billing.retentionDays} days of an archive every ${BACKUP_POLICIES.billing.frequencyHours} hours are ${(BACKUP_POLICIES.billing.retentionDays * 24) / BACKUP_POLICIES.billing.frequencyHours} archives of billing, ${(BACKUP_POLICIES.main.retentionDays * 24) / BACKUP_POLICIES.main.frequencyHours} of main.

## What a large restore costs

Of an archive above ${STREAMING_LIMIT_GIB} GiB of text, or one that was written in parts, into a new database of the instance in use, whose disk has to have room for it. The
hours are

    size / (${PLANNED_SHARE} × min(parts at a time × ${RESTORING_MB_PER_SECOND} MB/s, rate of the disk / ${WRITES_PER_BYTE}))

on the same instance, ${plannedRestoreRate().toFixed(0)} MB/s: one connection restored ${RESTORING_MB_PER_SECOND} MB/s with its indexes ([benchmarks](benchmarks.md)), and a byte is written about ${WRITES_PER_BYTE} times, with indexes
and log. The factor is for indexes that do not fit into memory, and for what else the instance has to do; it is an **estimate**, measured nowhere. US dollars:

${table(
  ['archive', 'calls', 'hours', 'functions', 'transitions', 'together', 'disk, a month'],
  LARGE_SIZES_GB.map(([label, gb]) => {
    const { calls, hours, functions, transitions, keptMonth } = largeRestoreCosts(gb);
    const dollars = [functions, transitions, functions + transitions, keptMonth];
    return [label, calls, hours.toFixed(1), ...dollars.map((one) => one.toFixed(2))];
  }),
)}

Without settings, 10 TB take about ${Math.round(largeRestoreCosts(10_000, DEFAULT_READER).hours)} h on \`${DEFAULT_READER.instanceClass}\`, and a restore is given up after ${LARGE_RESTORE_POLICY.longestHours} h. A disk that grew for it does not shrink
again. The monthly drill of such an archive needs the same hours and the same room until it drops the database. Where the whole instance is wanted, recovering it from a recovery point takes minutes to hours at any size: \`ops recover start\`.

## Assumptions

${table(
  ['', ...EXAMPLES],
  [
    ['webhooks a month', ...EXAMPLES.map((name) => USAGE[name].webhooksPerMonth)],
    ['GiB in each database', ...EXAMPLES.map((name) => USAGE[name].databaseGiB)],
    ['GiB of logs a month', ...EXAMPLES.map((name) => USAGE[name].logGiBPerMonth)],
  ],
)}

An archive is ${ARCHIVE_SHARE * 100} % of its database; ${CHANGED_SHARE * 100} % of a database change between two recovery points;
${CUSTOM_METRICS} different metrics are published, and those of the logs of databases in every hour (they are charged only for hours in which something is counted); a webhook takes ${GIB_SECONDS_PER_WEBHOOK} GiB-seconds of Lambda, the jobs of a month
${GIB_SECONDS_OF_JOBS}. Retention and frequency of backups are those of \`lib/config/policies.ts\`.

## Unit prices

On demand, eu-central-1, written down in ${PRICES_OF}. **Estimates**: only the hour of a NAT gateway was found published for
this region; the others are carried over from us-east-1 with the usual difference. AWS's price list decides.

${table(
  ['unit', 'US dollars'],
  [
    ...Object.entries(instanceHour).map(([instanceClass, price]) => [`\`db.${instanceClass}\` hour`, price] as const),
    ...Object.entries(unitPrices).map(([unit, price]) => [wordsOf(unit), String(price)] as const),
  ],
)}

This page is made by \`npx tsx test/docs/write-costs.ts\`; a test keeps it equal to the configuration.
`;
}

/** \`storageGiBMonth\` as \`storage GiB month\`. */
function wordsOf(name: string): string {
  return name.replaceAll(/GiB|[A-Z][a-z]+/g, (word) => ` ${word === 'GiB' ? word : word.toLowerCase()}`);
}

/** What the defaults take, beside the time after which an archive is given up. */
function defaultReader(): string {
  const { hours } = largeArchiveCosts(10_000, DEFAULT_READER);
  return `Without settings, ${DEFAULT_READER.concurrentParts} parts at a time and the class of the instance in use, 10 TB take about ${Math.round(hours)} h on \`${DEFAULT_READER.instanceClass}\`, whose disk
gives ${DEFAULT_READER.diskMbPerSecond} MB/s. An archive is given up after ${LARGE_ARCHIVE_POLICY.keepHours} h: set \`largeArchives.instanceClass\` and \`concurrentParts\` before that.`;
}

/** What an archive costs that failed at its end. */
function failedAttempt(): string {
  const { instance, functions, requests, keptMonth } = largeArchiveCosts(10_000);
  const dollars = (days: number) => Math.round((keptMonth * days) / 30);
  const { billing, main } = BACKUP_POLICIES;
  return `An attempt that fails costs the same, up to where it failed: its parts are locked as those of an archive, so they are hidden and stay until the lock
ends. At 10 TB, one that fails at its end costs ${Math.round(instance + functions + requests)} dollars, and ${dollars(main.retentionDays)} in S3 for main (${main.retentionDays} days) or ${dollars(billing.retentionDays)} for billing (${billing.retentionDays} days); each copy in
another region or account as much again.`;
}
