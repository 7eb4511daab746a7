import type { Metrics } from '@aws-lambda-powertools/metrics';
import { boundedNames } from '../../core/providers/bounded-names';
import { MetricUnit } from '../../core/runtime/telemetry';
import { MAX_DIMENSION_VALUES, PROCESSOR_METRICS } from './contract';
import type { BatchSummary } from './core';

/**
 * Publishes the metrics of batches: totals in the invocation's record, counts with further dimensions in one record for each
 * combination of their values, of which there are few.
 */
export function createPublisher(metrics: Metrics): (summary: BatchSummary, now: Date) => void {
  const appNames = boundedNames(MAX_DIMENSION_VALUES);
  const planNames = boundedNames(MAX_DIMENSION_VALUES);

  /** A separate record, because all metrics of a record share their dimensions. */
  function count(name: string, dimensions: Record<string, string>, value: number): void {
    const record = metrics.singleMetric();
    record.addDimensions(dimensions);
    record.addMetric(name, MetricUnit.Count, value);
  }

  return (summary, now) => {
    metrics.addMetric(PROCESSOR_METRICS.processed, MetricUnit.Count, summary.processed + summary.ignored);
    metrics.addMetric(PROCESSOR_METRICS.duplicates, MetricUnit.Count, summary.duplicates);
    metrics.addMetric(PROCESSOR_METRICS.failed, MetricUnit.Count, summary.failed);
    metrics.addMetric(PROCESSOR_METRICS.deferred, MetricUnit.Count, summary.deferred);
    metrics.addMetric(PROCESSOR_METRICS.parked, MetricUnit.Count, summary.parked);
    metrics.addMetric(PROCESSOR_METRICS.apiVersionDrift, MetricUnit.Count, summary.drifted);
    metrics.addMetric(PROCESSOR_METRICS.accountsRestricted, MetricUnit.Count, summary.restrictedAccounts);
    if (summary.createdAtSeconds.length > 0) {
      const oldestMs = Math.min(...summary.createdAtSeconds) * 1000;
      metrics.addMetric(PROCESSOR_METRICS.lag, MetricUnit.Milliseconds, Math.max(0, now.getTime() - oldestMs));
    }

    const byStatus = {
      processed: summary.processed,
      ignored: summary.ignored,
      duplicate: summary.duplicates,
      failed: summary.failed,
      deferred: summary.deferred,
    };
    for (const [status, events] of Object.entries(byStatus)) {
      if (events > 0) count(PROCESSOR_METRICS.processedByStatus, { status }, events);
    }
    for (const { change, app, plan, count: events } of summary.subscriptions) {
      const name =
        change === 'created' ? PROCESSOR_METRICS.subscriptionCreated : PROCESSOR_METRICS.subscriptionCanceled;
      count(name, { app: appNames(app), plan: planNames(plan) }, events);
    }
  };
}
