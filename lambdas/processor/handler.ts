import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { stateDefaults } from '../../core/billing/owner';
import { cacheUrlSetting } from '../../core/cache/settings';
import { billingTarget, createConnector } from '../../core/database/connector';
import { createReusableConnection } from '../../core/database/reusable-connection';
import { openEntitlementCache } from '../../core/entitlements/open-cache';
import { createQueueSender } from '../../core/queue/sender';
import { gatherEntitlementUpdates } from '../../core/entitlements/recompute';
import { baseSettings, billingDatabaseSettings, readEnvironment, setting } from '../../core/runtime/environment';
import { createSecrets } from '../../core/runtime/secrets';
import { createTelemetry, MetricUnit } from '../../core/runtime/telemetry';
import { PROCESSOR_METRICS } from './contract';
import { processBatch } from './core';
import { createPublisher } from './publish';

const environment = readEnvironment({
  ...baseSettings,
  ...billingDatabaseSettings,
  DEFAULT_APP_ID: setting.optionalText().default(''),
  DEFAULT_PROJECT_ID: setting.optionalText().default(''),
  CACHE_URL: cacheUrlSetting,
  DEAD_LETTER_QUEUE_URL: setting.url('the URL of an SQS queue'),
});
const { log, metrics, beginRequest } = createTelemetry('processor', environment);
const connector = createConnector(billingTarget(environment), createSecrets(), 'processor');
const connection = createReusableConnection(connector);
const cache = openEntitlementCache(environment.CACHE_URL, { log, metrics });
const park = createQueueSender(environment.DEAD_LETTER_QUEUE_URL);
const publish = createPublisher(metrics);
const defaults = stateDefaults(environment);

/** Applies a batch of events from the queue; answers with the messages that are to be delivered again. */
export async function handler(event: SQSEvent, context?: Context): Promise<SQSBatchResponse> {
  beginRequest(context);
  const entitlements = gatherEntitlementUpdates();
  try {
    const summary = await processBatch(event.Records, {
      connection,
      log,
      park,
      defaults,
      afterStore: entitlements.afterStore,
      observe: (durationMs) => metrics.addMetric(PROCESSOR_METRICS.queryDuration, MetricUnit.Milliseconds, durationMs),
    });
    publish(summary, new Date());
    return summary.response;
  } catch (error) {
    metrics.addMetric(PROCESSOR_METRICS.failed, MetricUnit.Count, event.Records.length);
    throw error;
  } finally {
    // A batch that failed may have committed a part.
    await cache.invalidate(entitlements.changes());
    metrics.publishStoredMetrics();
  }
}
