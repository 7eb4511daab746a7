import { BACKUP_METRICS } from '../../../lambdas/backup/contract';
import { CLEANUP_METRICS } from '../../../lambdas/cleanup/contract';
import { COLLECTOR_METRICS } from '../../../lambdas/collector/contract';
import { DRILL_METRICS } from '../../../lambdas/drill/contract';
import { MAINTENANCE_METRICS } from '../../../lambdas/maintenance/contract';
import { RECONCILIATION_METRICS } from '../../../lambdas/reconciliation/contract';
import { REFRESH_METRICS } from '../../../lambdas/refresh/contract';
import { countOf, highestOf } from '../alarms/alarm-metric';
import type { Widget } from './widget';

const HOUR_SECONDS = 3600;

/** Of each function what Lambda counts, and the jobs by what they count themselves. */
export function functionWidgets(): Widget[] {
  return [
    { title: 'Errors', unit: 'calls', lines: [{ lambda: 'Errors', statistic: 'Sum' }] },
    { title: 'Throttled', unit: 'calls', lines: [{ lambda: 'Throttles', statistic: 'Sum' }] },
    { title: 'Duration (p95)', unit: 'ms', lines: [{ lambda: 'Duration', statistic: 'p95' }] },
    { title: 'At the same time', unit: 'calls', lines: [{ lambda: 'ConcurrentExecutions', statistic: 'Maximum' }] },
    {
      title: 'Jobs that failed',
      unit: 'runs',
      periodSeconds: HOUR_SECONDS,
      lines: [
        { label: 'backup: billing', metric: countOf('backup', BACKUP_METRICS.failed, { database: 'billing' }) },
        { label: 'backup: main', metric: countOf('backup', BACKUP_METRICS.failed, { database: 'main' }) },
        { label: 'drill: billing', metric: countOf('drill', DRILL_METRICS.failed, { database: 'billing' }) },
        { label: 'drill: main', metric: countOf('drill', DRILL_METRICS.failed, { database: 'main' }) },
        { label: 'reconciliation', metric: countOf('reconciliation', RECONCILIATION_METRICS.failed) },
        { label: 'cleanup', metric: countOf('cleanup', CLEANUP_METRICS.failed) },
        {
          label: 'maintenance: billing',
          metric: countOf('maintenance', MAINTENANCE_METRICS.failed, { database: 'billing' }),
        },
        {
          label: 'maintenance: main',
          metric: countOf('maintenance', MAINTENANCE_METRICS.failed, { database: 'main' }),
        },
        { label: 'refresh', metric: countOf('refresh', REFRESH_METRICS.failed) },
        { label: 'collections', metric: countOf('collector', COLLECTOR_METRICS.failed) },
        { label: 'gauges of the collector', metric: highestOf('collector', COLLECTOR_METRICS.probesFailed) },
      ],
    },
    {
      title: 'Duration of jobs',
      unit: 'ms',
      periodSeconds: HOUR_SECONDS,
      lines: [
        { label: 'backup: billing', metric: highestOf('backup', BACKUP_METRICS.durationMs, { database: 'billing' }) },
        { label: 'backup: main', metric: highestOf('backup', BACKUP_METRICS.durationMs, { database: 'main' }) },
        { label: 'reconciliation', metric: highestOf('reconciliation', RECONCILIATION_METRICS.durationMs) },
        { label: 'cleanup', metric: highestOf('cleanup', CLEANUP_METRICS.durationMs) },
        {
          label: 'maintenance: billing',
          metric: highestOf('maintenance', MAINTENANCE_METRICS.durationMs, { database: 'billing' }),
        },
        {
          label: 'maintenance: main',
          metric: highestOf('maintenance', MAINTENANCE_METRICS.durationMs, { database: 'main' }),
        },
      ],
    },
  ];
}
