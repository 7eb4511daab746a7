import type { Context } from 'aws-lambda';
import { z } from 'zod';
import { stateDefaults } from '../shared/billing/object-state';
import { cacheUrlSetting } from '../shared/cache/settings';
import { billingTarget, createConnector, withConnection } from '../shared/database/connector';
import { openEntitlementCache } from '../shared/entitlements/open-cache';
import { gatherEntitlementUpdates } from '../shared/entitlements/recompute';
import {
  baseSettings,
  billingDatabaseSettings,
  readEnvironment,
  readRequest,
  secretArnSetting,
  setting,
} from '../shared/environment';
import { createSecrets } from '../shared/secrets';
import { createStripe, stripeApiSecret } from '../shared/stripe/client';
import { pacedCaller } from '../shared/stripe/paced-caller';
import { EVENT_RETENTION_DAYS } from '../shared/stripe/requests';
import { createTelemetry, MetricUnit } from '../shared/telemetry';
import { RECONCILIATION_METRICS } from './contract';
import { reconcile, type ReconciliationSummary } from './core';

/**
 * Kept of the function's time to store the page at hand and to record how far the run got. Less, and a slow database has
 * the function killed in the middle: nothing is lost by that, but the run looks as if it had failed.
 */
const RESERVED_MS = 20_000;

const environment = readEnvironment({
  ...baseSettings,
  ...billingDatabaseSettings,
  STRIPE_API_SECRET_ARN: secretArnSetting(),
  STRIPE_API_BASE: setting.url('the base URL of the Stripe API, such as https://api.stripe.com'),
  DAYS_BACK: setting.integer(1, EVENT_RETENTION_DAYS),
  DEFAULT_APP_ID: setting.optionalText().default(''),
  DEFAULT_PROJECT_ID: setting.optionalText().default(''),
  CACHE_URL: cacheUrlSetting,
});
const { log, metrics } = createTelemetry('reconciliation', environment);
const secrets = createSecrets();
const defaults = stateDefaults(environment);
const cache = openEntitlementCache(environment.CACHE_URL, { log, metrics });
const connector = createConnector(billingTarget(environment), secrets, 'reconciliation');

const requestSchema = z.object({
  dryRun: z.boolean({ error: 'expected true or false' }).default(false),
  daysBack: z
    .int({ error: 'expected a whole number of days' })
    .min(1)
    .max(EVENT_RETENTION_DAYS)
    .default(environment.DAYS_BACK),
});

/**
 * Compares the billing database with Stripe and corrects what differs; answers with the summary of the run. One that is
 * `interrupted` goes on in the next invocation.
 */
export async function handler(request: unknown, context: Context): Promise<ReconciliationSummary> {
  const entitlements = gatherEntitlementUpdates();
  const apply = { defaults, afterStore: entitlements.afterStore };
  try {
    const options = readRequest(requestSchema, request ?? {});
    const { apiKey } = await secrets.read(environment.STRIPE_API_SECRET_ARN, stripeApiSecret);
    const stripe = createStripe(apiKey, environment.STRIPE_API_BASE);
    const stop = AbortSignal.timeout(Math.max(0, context.getRemainingTimeInMillis() - RESERVED_MS));
    const summary = await withConnection(connector, (client) =>
      reconcile({ client, stripe, call: pacedCaller(), clock: () => new Date(), log, stop, apply }, options),
    );
    log.info(`Reconciliation is ${summary.status}`, { ...summary });
    const { succeeded, interrupted } = RECONCILIATION_METRICS;
    metrics.addMetric(summary.status === 'complete' ? succeeded : interrupted, MetricUnit.Count, 1);
    metrics.addMetric(RECONCILIATION_METRICS.driftDetected, MetricUnit.Count, summary.drift_detected);
    metrics.addMetric(RECONCILIATION_METRICS.missedEvents, MetricUnit.Count, summary.events_missed);
    metrics.addMetric(RECONCILIATION_METRICS.durationMs, MetricUnit.Milliseconds, summary.durationMs);
    return summary;
  } catch (error) {
    metrics.addMetric(RECONCILIATION_METRICS.failed, MetricUnit.Count, 1);
    throw error;
  } finally {
    // A run that failed corrected what it got to.
    await cache.invalidate(entitlements.changes());
    metrics.publishStoredMetrics();
  }
}
