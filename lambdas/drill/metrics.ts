import type { Metrics } from '@aws-lambda-powertools/metrics';
import { MetricUnit } from '../../core/runtime/telemetry';
import { DRILL_METRICS, type DrillRecord } from './contract';

/** Adds the metrics of a drill that restored its archive. No findings are published as 0, which ends the alarm on them. */
export function addFinishedDrill(
  metrics: Metrics,
  {
    durationMs,
    targetPercent,
    deviations,
    schemaDifferences,
  }: Pick<DrillRecord, 'durationMs' | 'targetPercent' | 'deviations' | 'schemaDifferences'>,
): void {
  metrics.addMetric(DRILL_METRICS.succeeded, MetricUnit.Count, 1);
  if (durationMs !== null) metrics.addMetric(DRILL_METRICS.durationMs, MetricUnit.Milliseconds, durationMs);
  if (targetPercent !== null) metrics.addMetric(DRILL_METRICS.targetPercent, MetricUnit.Percent, targetPercent);
  if (deviations !== null && schemaDifferences !== null) {
    metrics.addMetric(DRILL_METRICS.findings, MetricUnit.Count, deviations + schemaDifferences);
  }
}
