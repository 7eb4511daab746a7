import { EVENT_RETENTION_DAYS } from '../../core/providers/stripe/requests';
import {
  createStripeFunction,
  stripeFunctionSettings,
  tilledApiSettings,
} from '../../core/providers/stripe/stripe-function';
import { readEnvironment, setting } from '../../core/runtime/environment';
import { operation } from '../../core/runtime/operation';
import { MetricUnit } from '../../core/runtime/telemetry';
import { contract, MAX_SAMPLED_ENTITLEMENTS, RECONCILIATION_METRICS } from './contract';
import { reconcile } from './core';

const environment = readEnvironment({
  ...stripeFunctionSettings,
  ...tilledApiSettings,
  DAYS_BACK: setting.integer(1, EVENT_RETENTION_DAYS),
  SAMPLED_ENTITLEMENTS: setting.integer(0, MAX_SAMPLED_ENTITLEMENTS),
});
const { telemetry, useStripe, reserveMs } = createStripeFunction('reconciliation', environment);

/**
 * Compares the billing database with Stripe and corrects what differs. A run that is `interrupted` is continued by the
 * next invocation.
 */
export const handler = operation(contract, {
  name: 'Reconciliation',
  telemetry,
  reserveMs,
  run: ({ daysBack = environment.DAYS_BACK, ...options }, { stop }) =>
    useStripe(stop, (dependencies) =>
      reconcile(
        { ...dependencies, log: telemetry.log },
        { daysBack, sampledEntitlements: environment.SAMPLED_ENTITLEMENTS, ...options },
      ),
    ),
  summarise: ({ status }) => ({ message: `Reconciliation is ${status}` }),
  measure: (metrics, report) => {
    const { succeeded, interrupted } = RECONCILIATION_METRICS;
    metrics.addMetric(report.status === 'complete' ? succeeded : interrupted, MetricUnit.Count, 1);
    metrics.addMetric(RECONCILIATION_METRICS.driftDetected, MetricUnit.Count, report.drift_detected);
    metrics.addMetric(RECONCILIATION_METRICS.missedEvents, MetricUnit.Count, report.eventsMissed);
    metrics.addMetric(RECONCILIATION_METRICS.durationMs, MetricUnit.Milliseconds, report.durationMs);
  },
  failedMetric: RECONCILIATION_METRICS.failed,
});
