import { type Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';
import { type ArchiveReport, BACKUP_METRICS, type ProtectionReport } from './contract';

/** Publishes the ages of the tiers of RDS and AWS Backup. Without RDS, nothing is published and no alarm exists. */
export function publishProtection(metrics: Metrics, { pointInTime, recoveryPoints }: ProtectionReport): void {
  for (const [name, { ageSeconds }] of [
    [BACKUP_METRICS.pointInTimeAgeSeconds, pointInTime],
    [BACKUP_METRICS.recoveryPointAgeSeconds, recoveryPoints],
  ] as const) {
    if (ageSeconds !== undefined) metrics.addMetric(name, MetricUnit.Seconds, ageSeconds);
  }
  const tiers = [pointInTime, recoveryPoints].filter(({ state }) => state !== 'not-on-rds' && state !== 'not-kept');
  if (tiers.length === 0) return;
  const unprotected = tiers.filter(({ state }) => state !== 'current' && state !== 'not-due').length;
  metrics.addMetric(BACKUP_METRICS.unprotectedTiers, MetricUnit.Count, unprotected);
}

/** Publishes the result of a run. An archive or export of an earlier run was counted by that run. */
export function publishReport(metrics: Metrics, report: ArchiveReport): void {
  if (report.outcome === 'already-exists') return;
  if (report.outcome === 'created') {
    metrics.addMetric(BACKUP_METRICS.succeeded, MetricUnit.Count, 1);
    metrics.addMetric(BACKUP_METRICS.bytes, MetricUnit.Bytes, report.bytes);
    metrics.addMetric(BACKUP_METRICS.compressedBytes, MetricUnit.Bytes, report.compressedBytes);
    metrics.addMetric(BACKUP_METRICS.omissions, MetricUnit.Count, report.omissions.length);
    const { state, total } = report.schemaChange;
    if (state !== 'first' && state !== 'not-compared') {
      metrics.addMetric(BACKUP_METRICS.unrecordedSchemaChanges, MetricUnit.Count, total);
    }
  } else if (report.outcome === 'exported') {
    metrics.addMetric(BACKUP_METRICS.exported, MetricUnit.Count, 1);
  }
  metrics.addMetric(BACKUP_METRICS.durationMs, MetricUnit.Milliseconds, report.durationMs);
  metrics.addMetric(BACKUP_METRICS.expiredArchives, MetricUnit.Count, report.expiredArchives);
  metrics.addMetric(BACKUP_METRICS.sweptLeftovers, MetricUnit.Count, report.sweptLeftovers);
  metrics.addMetric(BACKUP_METRICS.housekeepingFailed, MetricUnit.Count, report.housekeepingFailed ? 1 : 0);
}
