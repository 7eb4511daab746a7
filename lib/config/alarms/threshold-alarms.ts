import { WEBHOOK_ENDPOINTS } from '../../../core/providers/contract';
import { COLLECTOR_METRICS } from '../../../lambdas/collector/contract';
import { PROCESSOR_METRICS } from '../../../lambdas/processor/contract';
import { WEBHOOK_METRICS } from '../../../lambdas/webhook/contract';
import { SLOW_QUERY_MS } from '../policies';
import type { AlarmDefinition } from './alarm-definition';
import { countOf, highestOf, type ApiMetric } from './alarm-metric';

/**
 * Observations in a period below which a ratio, mean or percentile counts as 0. Lower pages for one failure in three
 * requests at night; higher is blind when traffic is low.
 */
const MINIMUM_VOLUME = 20;

/** Round trips in a period below which they count as fast: those of five batches. */
const MINIMUM_ROUND_TRIPS = 10;

/** Two of three periods: one spike does not page, one gap does not hide a failure that lasts. */
export const TWO_OF_THREE_PERIODS = {
  comparisonOperator: 'GreaterThanThreshold',
  periodSeconds: 300,
  evaluationPeriods: 3,
  datapointsToAlarm: 2,
  // Without traffic there is nothing slow and nothing failing. Reconciliation notices that deliveries stopped.
  treatMissingData: 'notBreaching',
} as const;

/**
 * The alert thresholds of the operations guides for the way of an event, and when each counts. The guides give some as
 * pairs, taken word for word; where a guide names one limit only, it is the warning, or the promise is the critical one.
 */
export function thresholdAlarms(): AlarmDefinition[] {
  return [
    webhookFailures(),
    queryLatency(),
    failedSubscriptions(),
    webhookDelivery(),
    webhookAnswer(),
    responseTime(),
    eventQueueAge(),
  ];
}

function webhookFailures(): AlarmDefinition {
  const measure = 'Webhook failures';
  return {
    ...TWO_OF_THREE_PERIODS,
    name: 'webhookFailures',
    measure,
    unit: '%',
    thresholds: { warning: 5, critical: 10 },
    metric: {
      from: 'math',
      label: measure,
      // A failure metric that has never been emitted has no data, which would leave the whole sum without data.
      expression: `IF(received >= ${MINIMUM_VOLUME}, 100 * (FILL(rejected, 0) + FILL(failed, 0) + FILL(unprocessed, 0)) / received, 0)`,
      metrics: {
        received: countOf('webhook', WEBHOOK_METRICS.received),
        rejected: countOf('webhook', WEBHOOK_METRICS.rejected),
        failed: countOf('webhook', WEBHOOK_METRICS.failed),
        unprocessed: countOf('processor', PROCESSOR_METRICS.failed),
      },
    },
    symptom: 'Stripe events are refused, cannot be queued or cannot be applied',
    action: "Check the payment provider's status and the signature secrets.",
    owner: 'billing',
    runbookAnchor: 'webhook-failures',
    consolePage: 'alarm',
  };
}

function queryLatency(): AlarmDefinition {
  const measure = 'Query latency (p95)';
  const { queryDuration } = PROCESSOR_METRICS;
  return {
    ...TWO_OF_THREE_PERIODS,
    name: 'queryLatency',
    measure,
    unit: 'ms',
    thresholds: { warning: SLOW_QUERY_MS, critical: 1000 },
    metric: {
      from: 'math',
      label: measure,
      // The 95th percentile of a handful is just the slowest one. A batch, be it of one event, takes two or three round trips.
      expression: `IF(roundTrips >= ${MINIMUM_ROUND_TRIPS}, p95, 0)`,
      metrics: {
        roundTrips: { from: 'function', stem: 'processor', name: queryDuration, statistic: 'SampleCount' },
        p95: { from: 'function', stem: 'processor', name: queryDuration, statistic: 'p95' },
      },
    },
    symptom: 'The statements that apply events to the billing database are slow',
    action: 'Check indexes and the connection pool.',
    owner: 'billing',
    runbookAnchor: 'query-latency',
    consolePage: 'alarm',
  };
}

function failedSubscriptions(): AlarmDefinition {
  return {
    name: 'failedSubscriptions',
    measure: 'Failed subscriptions',
    unit: '%',
    thresholds: { warning: 2, critical: 5 },
    comparisonOperator: 'GreaterThanThreshold',
    metric: highestOf('collector', COLLECTOR_METRICS.failedSubscriptionsPercent),
    periodSeconds: 300,
    evaluationPeriods: 12,
    datapointsToAlarm: 9,
    // A collector that stopped must not close an alarm.
    treatMissingData: 'ignore',
    symptom: 'The payments of many subscriptions fail',
    action: 'Check payment methods and dunning.',
    owner: 'billing',
    runbookAnchor: 'failed-subscriptions',
    consolePage: 'alarm',
  };
}

function webhookDelivery(): AlarmDefinition {
  const measure = 'Webhook deliveries of an hour that failed on our side';
  const { path } = WEBHOOK_ENDPOINTS.stripe;
  return {
    ...TWO_OF_THREE_PERIODS,
    name: 'webhookDelivery',
    measure,
    unit: '%',
    // Promised: delivery success above 99 %.
    thresholds: { warning: 1, critical: 5 },
    metric: {
      from: 'math',
      label: measure,
      // From API Gateway, which also sees a function that crashed or timed out. Refused requests are left out: anybody can
      // send those, and their share has an alarm of its own.
      expression: `IF(requests - FILL(refused, 0) >= ${MINIMUM_VOLUME}, 100 * FILL(failed, 0) / (requests - FILL(refused, 0)), 0)`,
      metrics: {
        requests: { from: 'api', name: 'Count', path, statistic: 'SampleCount' },
        refused: { from: 'api', name: '4XXError', path, statistic: 'Sum' },
        failed: { from: 'api', name: '5XXError', path, statistic: 'Sum' },
      },
    },
    periodSeconds: 3600,
    evaluationPeriods: 1,
    datapointsToAlarm: 1,
    symptom: 'Deliveries from Stripe are answered with a server error',
    action: 'Read the log of the webhook function; see in the Stripe dashboard which deliveries failed.',
    owner: 'billing',
    runbookAnchor: 'webhook-delivery',
    consolePage: { functionOf: 'webhook' },
  };
}

function webhookAnswer(): AlarmDefinition {
  const measure = 'Webhook answer (mean)';
  return {
    ...TWO_OF_THREE_PERIODS,
    name: 'webhookAnswer',
    measure,
    unit: 'ms',
    // Promised: a mean answer below 5 s. Stripe gives up on a delivery soon after.
    thresholds: { warning: 2500, critical: 5000 },
    metric: latency(measure, 'Average', WEBHOOK_ENDPOINTS.stripe.path),
    symptom: 'Stripe waits long for the answer to a webhook',
    action: 'Find out what the webhook function waits for: its queue, its secret, or cold starts.',
    owner: 'billing',
    runbookAnchor: 'webhook-answer',
    consolePage: { functionOf: 'webhook' },
  };
}

function responseTime(): AlarmDefinition {
  const measure = 'API response (p95)';
  return {
    ...TWO_OF_THREE_PERIODS,
    name: 'responseTime',
    measure,
    unit: 'ms',
    // The scaling guide: scale when responses take longer than this.
    thresholds: { warning: 500, critical: 1000 },
    metric: latency(measure, 'p95'),
    symptom: 'The API responds slowly',
    action: 'Compare the duration of the webhook function with the latency of the API; then look for cold starts.',
    owner: 'billing',
    runbookAnchor: 'response-time',
    consolePage: { functionOf: 'webhook' },
  };
}

/** How long the API takes to answer, of one path or of all, from a minimum number of answers on. */
function latency(label: string, statistic: ApiMetric['statistic'], path?: string): AlarmDefinition['metric'] {
  return {
    from: 'math',
    label,
    expression: `IF(requests >= ${MINIMUM_VOLUME}, latency, 0)`,
    metrics: {
      requests: { from: 'api', name: 'Latency', path, statistic: 'SampleCount' },
      latency: { from: 'api', name: 'Latency', path, statistic },
    },
  };
}

function eventQueueAge(): AlarmDefinition {
  return {
    name: 'eventQueueAge',
    measure: 'Age of the oldest event in the queue',
    unit: 's',
    // An event that fails is hidden for 180 s and parked after three attempts: one poison event alone stays below.
    thresholds: { warning: 600, critical: 1800 },
    comparisonOperator: 'GreaterThanThreshold',
    metric: { from: 'queue', queue: 'events', name: 'ApproximateAgeOfOldestMessage' },
    periodSeconds: 300,
    evaluationPeriods: 2,
    datapointsToAlarm: 2,
    // SQS publishes nothing about an empty queue.
    treatMissingData: 'notBreaching',
    symptom: 'Events wait in the queue and are not applied; nothing is lost while they wait, for 4 days',
    action:
      'Check that the processor runs and that the billing database answers; Stripe will not send these events again.',
    owner: 'billing',
    runbookAnchor: 'event-queue-age',
    consolePage: { queue: 'events' },
  };
}
