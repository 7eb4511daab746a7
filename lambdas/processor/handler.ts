import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { billingTarget, createConnector } from '../shared/database/connector';
import { createReusableConnection } from '../shared/database/reusable-connection';
import { baseSettings, billingDatabaseSettings, readEnvironment } from '../shared/environment';
import { createSecrets } from '../shared/secrets';
import { createTelemetry, MetricUnit } from '../shared/telemetry';
import { PROCESSOR_METRICS } from './contract';
import { processBatch } from './core';

const environment = readEnvironment({ ...baseSettings, ...billingDatabaseSettings });
const { log, metrics } = createTelemetry('processor', environment);
const connector = createConnector(billingTarget(environment), createSecrets(), 'processor');
const connection = createReusableConnection(connector);

/** Applies a batch of Stripe events from the queue; answers with the messages that are to be delivered again. */
export async function handler(event: SQSEvent): Promise<SQSBatchResponse> {
  try {
    const summary = await processBatch(event.Records, {
      connection,
      log,
      observe: (_statement, durationMs) =>
        metrics.addMetric(PROCESSOR_METRICS.queryDuration, MetricUnit.Milliseconds, durationMs),
    });
    metrics.addMetric(PROCESSOR_METRICS.processed, MetricUnit.Count, summary.processed);
    metrics.addMetric(PROCESSOR_METRICS.duplicates, MetricUnit.Count, summary.duplicates);
    metrics.addMetric(PROCESSOR_METRICS.failed, MetricUnit.Count, summary.failed);
    const now = Date.now();
    for (const moment of summary.processedMoments) {
      metrics.addMetric(PROCESSOR_METRICS.lag, MetricUnit.Milliseconds, Math.max(0, now - moment * 1000));
    }
    return summary.response;
  } catch (error) {
    metrics.addMetric(PROCESSOR_METRICS.failed, MetricUnit.Count, event.Records.length);
    throw error;
  } finally {
    metrics.publishStoredMetrics();
  }
}
