import { z } from 'zod';
import { billingTarget, createConnector, withConnection } from '../shared/database/connector';
import {
  baseSettings,
  billingDatabaseSettings,
  readEnvironment,
  readRequest,
  secretArnSetting,
  setting,
} from '../shared/environment';
import { createSecrets } from '../shared/secrets';
import { createStripe } from '../shared/stripe/client';
import { pacedCaller } from '../shared/stripe/paced-caller';
import { createTelemetry, MetricUnit } from '../shared/telemetry';
import { RECONCILIATION_METRICS } from './contract';
import { reconcile, type ReconciliationSummary } from './core';

/** Stripe lists events for 30 days only. */
const MAX_DAYS_BACK = 30;

const environment = readEnvironment({
  ...baseSettings,
  ...billingDatabaseSettings,
  STRIPE_API_SECRET_ARN: secretArnSetting(),
  STRIPE_API_BASE: setting.url('the base URL of the Stripe API, such as https://api.stripe.com'),
  DAYS_BACK: setting.integer(1, MAX_DAYS_BACK),
});
const { log, metrics } = createTelemetry('reconciliation', environment);
const secrets = createSecrets();
const connector = createConnector(billingTarget(environment), secrets, 'reconciliation');
const apiSecret = z.object({ apiKey: z.string({ error: 'expected an API key, rk_… or sk_…' }).min(1) });

const requestSchema = z.object({
  dryRun: z.boolean({ error: 'expected true or false' }).default(false),
  daysBack: z
    .int({ error: 'expected a whole number of days' })
    .min(1)
    .max(MAX_DAYS_BACK)
    .default(environment.DAYS_BACK),
});

/** Compares the billing database with Stripe and corrects what differs; answers with the summary of the run. */
export async function handler(request: unknown): Promise<ReconciliationSummary> {
  try {
    const options = readRequest(requestSchema, request ?? {});
    const { apiKey } = await secrets.read(environment.STRIPE_API_SECRET_ARN, apiSecret);
    const stripe = createStripe(apiKey.trim(), environment.STRIPE_API_BASE);
    const summary = await withConnection(connector, (client) =>
      reconcile({ client, stripe, call: pacedCaller(), clock: () => new Date(), log }, options),
    );
    log.info('Reconciliation is complete', { ...summary });
    metrics.addMetric(RECONCILIATION_METRICS.succeeded, MetricUnit.Count, 1);
    metrics.addMetric(RECONCILIATION_METRICS.driftDetected, MetricUnit.Count, summary.drift_detected);
    metrics.addMetric(RECONCILIATION_METRICS.missedEvents, MetricUnit.Count, summary.events_missed);
    metrics.addMetric(RECONCILIATION_METRICS.durationMs, MetricUnit.Milliseconds, summary.durationMs);
    return summary;
  } catch (error) {
    metrics.addMetric(RECONCILIATION_METRICS.failed, MetricUnit.Count, 1);
    throw error;
  } finally {
    metrics.publishStoredMetrics();
  }
}
