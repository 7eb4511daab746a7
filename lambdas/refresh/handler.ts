import { createStripeFunction, stripeFunctionSettings } from '../../core/providers/stripe/stripe-function';
import { readEnvironment } from '../../core/runtime/environment';
import { operation } from '../../core/runtime/operation';
import { MetricUnit } from '../../core/runtime/telemetry';
import { contract, REFRESH_METRICS } from './contract';
import { refresh } from './core';

/**
 * Less than half of Stripe's limit: reconciliation and the application call Stripe as well. A call that fails is given up
 * soon, because its object's turn comes again.
 */
const POLICY = { callsPerSecond: 10, maxAttempts: 3 };

const environment = readEnvironment(stripeFunctionSettings);
const { telemetry, useStripe, reserveMs } = createStripeFunction('refresh', environment, POLICY);

/** Reads objects from Stripe again that events alone cannot bring up to date. Runs every minute. */
export const handler = operation(contract, {
  name: 'Refresh',
  telemetry,
  reserveMs,
  run: (request, { stop }) => useStripe(stop, (work) => refresh({ ...work, log: telemetry.log }, request)),
  summarise: ({ objects: _objects, ...counts }) => ({ message: 'Refresh finished', details: counts }),
  measure: (metrics, { dryRun, outcomes, durationMs }) => {
    const { refreshed = 0, failed = 0 } = outcomes;
    metrics.addMetric(REFRESH_METRICS.refreshed, MetricUnit.Count, dryRun ? 0 : refreshed);
    metrics.addMetric(REFRESH_METRICS.objectsFailed, MetricUnit.Count, failed);
    metrics.addMetric(REFRESH_METRICS.durationMs, MetricUnit.Milliseconds, durationMs);
  },
  failedMetric: REFRESH_METRICS.failed,
});
