import type { Context } from 'aws-lambda';
import * as z from 'zod';
import { readEnvironment, readRequest, setting } from '../../core/runtime/environment';
import { EVENT_RETENTION_DAYS } from '../../core/providers/stripe/requests';
import { createStripeFunction, stripeFunctionSettings } from '../../core/providers/stripe/stripe-function';
import { MetricUnit } from '../../core/runtime/telemetry';
import { RECONCILIATION_METRICS, SETTLE_SECONDS } from './contract';
import { reconcile, type ReconciliationSummary } from './core';

const environment = readEnvironment({
  ...stripeFunctionSettings,
  DAYS_BACK: setting.integer(1, EVENT_RETENTION_DAYS),
});
const { invoke, log, metrics } = createStripeFunction('reconciliation', environment);

const settleForm = `expected a whole number of seconds up to ${SETTLE_SECONDS}`;
const requestSchema = z.object({
  dryRun: z.boolean({ error: 'expected true or false' }).default(false),
  daysBack: z
    .int({ error: 'expected a whole number of days' })
    .min(1)
    .max(EVENT_RETENTION_DAYS)
    .default(environment.DAYS_BACK),
  settleSeconds: z.int(settleForm).min(0, settleForm).max(SETTLE_SECONDS, settleForm).default(SETTLE_SECONDS),
});

/**
 * Compares the billing database with Stripe and corrects what differs; answers with the summary of the run. One that is
 * `interrupted` goes on in the next invocation.
 */
export function handler(request: unknown, context: Context): Promise<ReconciliationSummary> {
  return invoke(context, RECONCILIATION_METRICS.failed, async ({ useStripe }) => {
    const options = readRequest(requestSchema, request ?? {});
    const summary = await useStripe((dependencies) => reconcile({ ...dependencies, log }, options));
    log.info(`Reconciliation is ${summary.status}`, { ...summary });
    const { succeeded, interrupted } = RECONCILIATION_METRICS;
    metrics.addMetric(summary.status === 'complete' ? succeeded : interrupted, MetricUnit.Count, 1);
    metrics.addMetric(RECONCILIATION_METRICS.driftDetected, MetricUnit.Count, summary.drift_detected);
    metrics.addMetric(RECONCILIATION_METRICS.missedEvents, MetricUnit.Count, summary.events_missed);
    metrics.addMetric(RECONCILIATION_METRICS.durationMs, MetricUnit.Milliseconds, summary.durationMs);
    return summary;
  });
}
