import { DATABASE_NAMES, type DatabaseName } from '../../../core/contract';
import { BACKUP_METRICS } from '../../../lambdas/backup/contract';
import { CANARY_METRICS } from '../../../lambdas/canary/contract';
import { COLLECTOR_METRICS } from '../../../lambdas/collector/contract';
import { DRILL_METRICS } from '../../../lambdas/drill/contract';
import { PROCESSOR_METRICS } from '../../../lambdas/processor/contract';
import { RECONCILIATION_METRICS } from '../../../lambdas/reconciliation/contract';
import { WEBHOOK_METRICS } from '../../../lambdas/webhook/contract';
import type { AlarmDefinition } from '../alarms/alarm-definition';
import { countOf, highestOf, type AlarmMetric, type ApiMetric } from '../alarms/alarm-metric';
import { alarmsOf } from '../alarms/alarms';
import { isOnRds } from '../alarms/database-alarms';
import type { EnvironmentConfig } from '../environment-schema';
import { bitcoinSection } from './bitcoin';
import { businessWidgets } from './business';
import { functionWidgets } from './functions';
import { serverWidgets } from './server';
import { divided, ofAlarm, type AlarmNamed, type Line, type Section, type Widget } from './widget';

const HOUR_SECONDS = 3600;
const DAY_SECONDS = 24 * HOUR_SECONDS;

/** What the dashboard of an environment shows, in the order in which a person asks. */
export function dashboardSections(config: EnvironmentConfig): Section[] {
  const alarms = alarmsOf(config);
  const alarm: AlarmNamed = (name) => alarms.find((definition) => definition.name === name);
  return [
    { ...MONEY, widgets: moneyWidgets(config, alarm) },
    {
      title: 'Is it safe?',
      hint: 'Ages in hours and days, each against the age at which the promise is broken.',
      widgets: safetyWidgets(config, alarm),
    },
    {
      title: 'Are the databases well?',
      hint: 'Full disks and used-up connections stop every write: both are seen days before.',
      widgets: databaseWidgets(config, alarm),
    },
    {
      title: 'Are the functions well?',
      hint: 'Errors are of the function as a whole; what it could not do is counted above.',
      widgets: functionWidgets(),
    },
    {
      title: 'What is bought, and what does it cost us?',
      hint: 'Counts by app and plan, and what the bill follows from.',
      widgets: businessWidgets(alarm),
    },
    ...(config.bitcoin ? [bitcoinSection(alarm)] : []),
  ];
}

/** What the person who was woken needs: a screen of a phone, one column. */
export function nightSections(config: EnvironmentConfig): Section[] {
  const alarms = alarmsOf(config);
  const alarm: AlarmNamed = (name) => alarms.find((definition) => definition.name === name);
  const money = moneyWidgets(config, alarm);
  const titles = new Set(['Failures', 'Waiting events', 'Parked events']);
  const full = databaseWidgets(config, alarm).filter(
    ({ title }) => title === 'Disk used' || title === 'Connections used',
  );
  return [
    {
      ...MONEY,
      widgets: [...money.filter(({ title }) => titles.has(title)), ...full].map((w) => ({ ...w, width: 24 })),
    },
  ];
}

const MONEY = {
  title: 'Is money flowing?',
  hint: 'Stripe sends events, they are acknowledged within milliseconds and applied within seconds.',
} as const;

function moneyWidgets({ canary }: EnvironmentConfig, alarm: AlarmNamed): Widget[] {
  const latency = (statistic: ApiMetric['statistic']): Line => ({
    label: statistic,
    metric: { from: 'api', name: 'Latency', statistic },
  });
  const widgets: (Widget | undefined)[] = [
    {
      title: 'Events received, by app and type',
      unit: 'events',
      lines: [{ stem: 'webhook', name: WEBHOOK_METRICS.received, by: ['app', 'type'], statistic: 'Sum' }],
    },
    {
      title: 'Events applied, by outcome',
      unit: 'events',
      lines: [{ stem: 'processor', name: PROCESSOR_METRICS.processedByStatus, by: ['status'], statistic: 'Sum' }],
    },
    ofAlarm('Failures', '%', alarm('webhookFailures')),
    {
      title: 'Waiting events',
      unit: 's',
      alarm: alarm('eventQueueAge'),
      lines: [
        {
          label: 'oldest in the queue',
          metric: { from: 'queue', queue: 'events', name: 'ApproximateAgeOfOldestMessage' },
        },
        { label: 'from Stripe to the row', metric: highestOf('processor', PROCESSOR_METRICS.lag) },
        { label: 'object to be read again', metric: highestOf('collector', COLLECTOR_METRICS.refreshAgeSeconds) },
      ],
    },
    {
      title: 'Parked events',
      shows: 'numbers',
      unit: 'events',
      lines: [
        { label: 'parked', metric: { from: 'queue', queue: 'parked', name: 'ApproximateNumberOfMessagesVisible' } },
        { label: 'parked just now', metric: countOf('processor', PROCESSOR_METRICS.parked) },
      ],
    },
    {
      title: 'Acknowledgement',
      unit: 'ms',
      alarm: alarm('responseTime'),
      lines: [latency('p50'), latency('p95'), latency('p99')],
    },
    {
      title: 'Refused, failed, tried again',
      unit: 'events',
      lines: [
        { label: 'refused', metric: countOf('webhook', WEBHOOK_METRICS.rejected) },
        { label: 'of the other mode', metric: countOf('webhook', WEBHOOK_METRICS.ignored) },
        { label: 'not queued', metric: countOf('webhook', WEBHOOK_METRICS.failed) },
        { label: 'not applied', metric: countOf('processor', PROCESSOR_METRICS.failed) },
        { label: 'wait for a lock', metric: countOf('processor', PROCESSOR_METRICS.deferred) },
        { label: 'delivered again', metric: countOf('processor', PROCESSOR_METRICS.duplicates) },
        { label: 'of another API version', metric: countOf('processor', PROCESSOR_METRICS.apiVersionDrift) },
      ],
    },
    canary
      ? {
          title: 'Canary',
          unit: 'ms',
          alarm: alarm('canarySlow'),
          lines: [{ label: 'until its row is there', metric: highestOf('canary', CANARY_METRICS.latencyMs) }],
        }
      : undefined,
  ];
  return widgets.filter((widget) => widget !== undefined);
}

function safetyWidgets(config: EnvironmentConfig, alarm: AlarmNamed): Widget[] {
  const age = (label: string, name: string, dimensions: Record<string, string> | undefined, divisor: number): Line => ({
    label,
    metric: divided(highestOf('collector', name, dimensions), divisor, label),
  });
  const { backupAgeSeconds, drillAgeSeconds, reconciliationAgeSeconds, secretAgeSeconds } = COLLECTOR_METRICS;
  return [
    ...DATABASE_NAMES.map((database): Widget => ({
      title: `Backups of ${database}`,
      unit: 'h',
      alarm: alarm(`backupMissing-${database}`),
      divisor: HOUR_SECONDS,
      lines: [
        age('archive', backupAgeSeconds, { database }, HOUR_SECONDS),
        ...(isOnRds(config, database)
          ? [
              hours('recovery point', highestOf('backup', BACKUP_METRICS.recoveryPointAgeSeconds, { database })),
              hours('point in time', highestOf('backup', BACKUP_METRICS.pointInTimeAgeSeconds, { database })),
            ]
          : []),
      ],
    })),
    {
      title: 'Last drill',
      unit: 'days',
      alarm: alarm('drillMissing-billing'),
      divisor: DAY_SECONDS,
      lines: DATABASE_NAMES.map((database) => age(database, drillAgeSeconds, { database }, DAY_SECONDS)),
    },
    {
      title: 'Drill against its target',
      unit: '%',
      periodSeconds: DAY_SECONDS,
      alarm: alarm('drillSlow-billing'),
      lines: DATABASE_NAMES.map((database) => ({
        label: database,
        metric: highestOf('drill', DRILL_METRICS.targetPercent, { database }),
      })),
    },
    {
      title: 'Last reconciliation',
      unit: 'h',
      alarm: alarm('reconciliationMissing'),
      divisor: HOUR_SECONDS,
      lines: [age('age', reconciliationAgeSeconds, undefined, HOUR_SECONDS)],
    },
    {
      title: 'What reconciliation found',
      unit: 'objects',
      periodSeconds: DAY_SECONDS,
      lines: [
        { label: 'drift', metric: countOf('reconciliation', RECONCILIATION_METRICS.driftDetected) },
        { label: 'missed events', metric: countOf('reconciliation', RECONCILIATION_METRICS.missedEvents) },
        { label: 'bought by nobody', metric: highestOf('collector', COLLECTOR_METRICS.unowned) },
      ],
    },
    {
      title: 'Secrets',
      unit: 'days',
      lines: [{ stem: 'collector', name: secretAgeSeconds, by: ['secret'], statistic: 'Maximum' }],
    },
    {
      title: 'Gaps in the backups',
      unit: 'objects',
      periodSeconds: HOUR_SECONDS,
      lines: DATABASE_NAMES.flatMap((database): Line[] => [
        { label: `not carried: ${database}`, metric: highestOf('backup', BACKUP_METRICS.omissions, { database }) },
        {
          label: `stale tiers: ${database}`,
          metric: highestOf('backup', BACKUP_METRICS.unprotectedTiers, { database }),
        },
      ]),
    },
  ];
}

function databaseWidgets(config: EnvironmentConfig, alarm: AlarmNamed): Widget[] {
  const onRds = DATABASE_NAMES.filter((database) => isOnRds(config, database));
  const ofInstance = (
    title: string,
    unit: string,
    name: 'CPUUtilization' | 'FreeableMemory' | 'DatabaseConnections' | 'ReadLatency' | 'WriteLatency',
    definition?: AlarmDefinition,
  ): Widget => ({
    title,
    unit,
    alarm: definition,
    lines: onRds.map((database) => ({
      label: database,
      metric: { from: 'instance', database, name, statistic: 'Average' },
    })),
  });
  const used = DATABASE_NAMES.map((database) => ({
    label: database,
    metric: highestOf('collector', COLLECTOR_METRICS.connectionsUsedPercent, { database }),
  }));
  const rds: Widget[] = [
    ofInstance('CPU', '%', 'CPUUtilization', alarm('databaseCpu')),
    ofInstance('Connections', 'connections', 'DatabaseConnections'),
    ofInstance('Read latency', 's', 'ReadLatency'),
    ofInstance('Write latency', 's', 'WriteLatency'),
    ...(alarm('databaseMemory') ? [ofAlarm('Memory used', '%', alarm('databaseMemory'))] : []),
    ...(alarm('transactionIds') ? [ofAlarm('Transaction ids used', 'ids', alarm('transactionIds'))] : []),
    {
      title: 'Days until the disk is full',
      unit: 'days',
      shows: 'numbers',
      periodSeconds: DAY_SECONDS,
      lines: onRds.map(daysUntilFull),
    },
  ];
  const lag = DATABASE_NAMES.flatMap((database) => alarm(`replicaLag-${database}`) ?? []);
  return [
    ofAlarm('Disk used', '%', alarm('databaseSize')),
    { title: 'Connections used', unit: '%', alarm: alarm('databaseConnections'), lines: used },
    ofAlarm('Applying events: round trip (p95)', 'ms', alarm('queryLatency')),
    ...(onRds.length > 0 ? rds : []),
    ...lag.map((definition) => ofAlarm('Lag of the analytics replica', 's', definition)),
    ...serverWidgets(alarm),
  ];
}

/** From the trend of two days. A disk that empties, or is extended, has no such day. */
function daysUntilFull(database: DatabaseName): Line {
  return {
    label: database,
    metric: {
      from: 'math',
      label: database,
      expression: `IF(RATE(free) < 0, free / (-1 * RATE(free)) / ${DAY_SECONDS})`,
      metrics: { free: { from: 'instance', database, name: 'FreeStorageSpace', statistic: 'Minimum' } },
    },
  };
}

function hours(label: string, metric: AlarmMetric): Line {
  return { label, metric: divided(metric, HOUR_SECONDS, label) };
}
