import { DATABASE_NAMES } from '../../../core/contract';
import { BACKUP_METRICS } from '../../../lambdas/backup/contract';
import { COLLECTOR_METRICS } from '../../../lambdas/collector/contract';
import { ENTITLEMENTS_METRICS } from '../../../lambdas/entitlements/contract';
import { PROCESSOR_METRICS } from '../../../lambdas/processor/contract';
import { countOf, highestOf } from '../alarms/alarm-metric';
import { ofAlarm, type AlarmNamed, type Widget } from './widget';

const HOUR_SECONDS = 3600;

/** Subscriptions by app and plan, what a person has to answer, and what the bill follows from. */
export function businessWidgets(alarm: AlarmNamed): Widget[] {
  const { subscriptionCreated, subscriptionCanceled } = PROCESSOR_METRICS;
  const byPlan = (title: string, name: string): Widget => ({
    title,
    unit: 'subscriptions',
    periodSeconds: HOUR_SECONDS,
    lines: [{ stem: 'processor', name, by: ['app', 'plan'], statistic: 'Sum' }],
  });
  return [
    byPlan('Subscriptions begun, by app and plan', subscriptionCreated),
    byPlan('Subscriptions ended, by app and plan', subscriptionCanceled),
    ofAlarm('Subscriptions whose payment failed', '%', alarm('failedSubscriptions')),
    {
      title: 'To be answered',
      unit: 'objects',
      lines: [
        { label: 'early fraud warnings', metric: highestOf('collector', COLLECTOR_METRICS.fraudWarnings) },
        { label: 'failed payouts', metric: highestOf('collector', COLLECTOR_METRICS.payoutsFailed) },
        { label: 'restricted accounts', metric: countOf('processor', PROCESSOR_METRICS.accountsRestricted) },
      ],
    },
    {
      title: 'Entitlements changed by hand or by rules',
      unit: 'users',
      periodSeconds: HOUR_SECONDS,
      lines: [{ label: 'changed', metric: countOf('entitlements', ENTITLEMENTS_METRICS.changed) }],
    },
    {
      title: 'Calls of functions',
      unit: 'calls',
      periodSeconds: HOUR_SECONDS,
      lines: [{ lambda: 'Invocations', statistic: 'Sum' }],
    },
    {
      title: 'Size of an archive',
      unit: 'bytes',
      periodSeconds: HOUR_SECONDS,
      lines: DATABASE_NAMES.map((database) => ({
        label: database,
        metric: highestOf('backup', BACKUP_METRICS.compressedBytes, { database }),
      })),
    },
    {
      title: 'Size of the databases',
      unit: 'bytes',
      periodSeconds: HOUR_SECONDS,
      lines: DATABASE_NAMES.map((database) => ({
        label: database,
        metric: highestOf('collector', COLLECTOR_METRICS.databaseSizeBytes, { database }),
      })),
    },
  ];
}
