import { CACHE_METRICS } from '../../../core/cache/contract';
import { PROCESSOR_METRICS } from '../../../lambdas/processor/contract';
import { WEBHOOK_METRICS } from '../../../lambdas/webhook/contract';
import type { EnvironmentConfig } from '../environment-schema';
import type { AlarmDefinition } from './alarm-definition';
import { countOf, sumOf } from './alarm-metric';

const QUARTER_SECONDS = 15 * 60;
const HOUR_SECONDS = 60 * 60;

/**
 * The functions that are invoked asynchronously, by a schedule or by an operator: a request that fails for good ends in
 * the function's failure queue. A test compares them with the templates.
 */
export const ASYNCHRONOUS_FUNCTIONS = [
  'backup',
  'canary',
  'cleanup',
  'collector',
  'confirmations',
  'drill',
  'entitlements',
  'maintenance',
  'migrate',
  'reconciliation',
  'refresh',
  'replay',
  'restore',
  'row-recovery',
] as const;

/**
 * Of those, the ones whose next run, minutes later, does all that a failed one did not. What fails for long raises
 * `canaryFailed`, `collectorIncomplete`, `collectorMissing`, `confirmationsFailed` and `refreshOverdue`; a message in the failure queue would only keep an alarm
 * open for the 14 days that it stays there.
 */
export const REPLACED_BY_NEXT_RUN: readonly string[] = ['canary', 'collector', 'confirmations', 'refresh'];
const isReplacedByNextRun = (stem: string) => REPLACED_BY_NEXT_RUN.includes(stem);

/** The functions that read entitlements from the cache, or invalidate them there. */
const CACHE_USERS = [
  'processor',
  'reconciliation',
  'refresh',
  'replay',
  'entitlements',
  'row-recovery',
  'api',
  'payouts',
] as const;

/** Requests in six hours, all of them refused, that are more than a stray scanner. */
const ALL_REFUSED_MINIMUM = 3;

/** More than the threshold within one period. */
const WITHIN_ONE_PERIOD = {
  unit: 'count',
  comparisonOperator: 'GreaterThanThreshold',
  evaluationPeriods: 1,
  treatMissingData: 'notBreaching',
} as const;

/**
 * Messages in a queue that should be empty. SQS stops publishing about a queue that was not used for six hours, which
 * must not close the alarm.
 */
const QUEUE_NOT_EMPTY = { ...WITHIN_ONE_PERIOD, periodSeconds: 300, treatMissingData: 'ignore' } as const;

/** The alarms on the way of an event from Stripe to the entitlement, besides the ratios among the thresholds. */
export function pipelineAlarms({ cache, bitcoin }: EnvironmentConfig): AlarmDefinition[] {
  return [
    webhookErrors(),
    webhooksAllRefused(),
    processorErrors(),
    throttled('webhook'),
    throttled('processor'),
    eventsParked(),
    apiVersionDrift(),
    accountsRestricted(),
    ...(cache.kind === 'serverless'
      ? [cacheUnavailable(bitcoin ? [...CACHE_USERS, 'confirmations'] : CACHE_USERS)]
      : []),
    ...ASYNCHRONOUS_FUNCTIONS.filter((stem) => !isReplacedByNextRun(stem)).map(failedStarts),
  ];
}

function webhookErrors(): AlarmDefinition {
  return {
    ...WITHIN_ONE_PERIOD,
    name: 'webhookErrors',
    measure: 'Deliveries answered with a server error',
    thresholds: { warning: 0 },
    // Lambda's count and our own: a function that crashes or times out publishes nothing itself. Where traffic is low, the
    // ratio of failures never reaches its minimum volume; this alarm needs none.
    metric: sumOf('webhookErrors', [
      { from: 'lambda', stem: 'webhook', name: 'Errors' },
      countOf('webhook', WEBHOOK_METRICS.failed),
    ]),
    periodSeconds: QUARTER_SECONDS,
    symptom: 'The webhook function answered a delivery with a server error; its provider delivers it again',
    action:
      'Read the log of the webhook function: the queue, a crash, or a signing secret that is "malformed": store the whsec_… secret of the endpoint.',
    owner: 'billing',
    runbookAnchor: 'webhook-errors',
    consolePage: { functionOf: 'webhook' },
  };
}

function webhooksAllRefused(): AlarmDefinition {
  return {
    ...WITHIN_ONE_PERIOD,
    name: 'webhooksAllRefused',
    measure: `Periods with ${ALL_REFUSED_MINIMUM} requests or more, all of them refused,`,
    thresholds: { warning: 0 },
    metric: {
      from: 'math',
      label: 'webhooksAllRefused',
      // What a wrong signing secret looks like where few events arrive.
      expression: `IF(m0 >= ${ALL_REFUSED_MINIMUM} AND FILL(m1, 0) >= m0, 1, 0)`,
      metrics: {
        m0: countOf('webhook', WEBHOOK_METRICS.received),
        m1: countOf('webhook', WEBHOOK_METRICS.rejected),
      },
    },
    periodSeconds: 6 * HOUR_SECONDS,
    symptom: 'Every request to the webhook endpoint was refused for six hours',
    action: "Compare the signing secret with the Stripe dashboard's, and test mode with live mode.",
    owner: 'billing',
    runbookAnchor: 'webhooks-all-refused',
    consolePage: { functionOf: 'webhook' },
  };
}

function processorErrors(): AlarmDefinition {
  return {
    ...WITHIN_ONE_PERIOD,
    name: 'processorErrors',
    measure: 'Batches that failed as a whole',
    thresholds: { warning: 0 },
    metric: { from: 'lambda', stem: 'processor', name: 'Errors' },
    periodSeconds: QUARTER_SECONDS,
    symptom:
      'Whole batches of events could not be processed; they wait in the queue and are tried again every 3 minutes',
    action: 'Read the log of the processor function and check that the billing database can be reached.',
    owner: 'billing',
    runbookAnchor: 'processor-errors',
    consolePage: { functionOf: 'processor' },
  };
}

function throttled(stem: 'webhook' | 'processor'): AlarmDefinition {
  return {
    ...WITHIN_ONE_PERIOD,
    name: `throttled-${stem}`,
    measure: 'Throttled starts',
    thresholds: { warning: 0 },
    metric: { from: 'lambda', stem, name: 'Throttles' },
    periodSeconds: QUARTER_SECONDS,
    symptom: `Lambda refused to start the ${stem} function: the account has no concurrency left for it`,
    action: 'Find the function that uses up the concurrency of the account; ask AWS for a higher limit.',
    owner: 'platform',
    runbookAnchor: 'function-throttled',
    consolePage: { functionOf: stem },
  };
}

function eventsParked(): AlarmDefinition {
  return {
    ...QUEUE_NOT_EMPTY,
    name: 'eventsParked',
    measure: 'Parked events',
    thresholds: { critical: 0 },
    metric: { from: 'queue', queue: 'parked', name: 'ApproximateNumberOfMessagesVisible' },
    symptom:
      'Events failed three times by themselves and are parked: a customer paid or canceled, and the database does not have it',
    action: 'Read their errors in the ledger, remove the cause, then move them back with the replay function.',
    owner: 'billing',
    runbookAnchor: 'events-parked',
    consolePage: { queue: 'parked' },
  };
}

function apiVersionDrift(): AlarmDefinition {
  return {
    ...WITHIN_ONE_PERIOD,
    name: 'apiVersionDrift',
    measure: 'Events of another API version',
    thresholds: { warning: 0 },
    metric: countOf('processor', PROCESSOR_METRICS.apiVersionDrift),
    periodSeconds: 6 * HOUR_SECONDS,
    symptom: 'Events arrive in the shape of another Stripe API version than the one this code was written for',
    action: 'Compare the API version of the endpoint, in the Stripe dashboard, with STRIPE_API_VERSION in the code.',
    owner: 'billing',
    runbookAnchor: 'api-version-drift',
    consolePage: { functionOf: 'processor' },
  };
}

function accountsRestricted(): AlarmDefinition {
  return {
    ...WITHIN_ONE_PERIOD,
    name: 'accountsRestricted',
    measure: 'Restricted accounts',
    thresholds: { warning: 0 },
    metric: countOf('processor', PROCESSOR_METRICS.accountsRestricted),
    periodSeconds: HOUR_SECONDS,
    symptom: 'A connected account is restricted, or removed the platform: its owner, a coach, is not paid out',
    action: 'Find the account and the reason in the database, and ask its owner for what Stripe requires.',
    owner: 'billing',
    runbookAnchor: 'connect-account-restricted',
    consolePage: { functionOf: 'processor' },
  };
}

function cacheUnavailable(users: readonly string[]): AlarmDefinition {
  return {
    ...WITHIN_ONE_PERIOD,
    name: 'cacheUnavailable',
    measure: 'Requests that the cache did not answer',
    // A single slow answer is a hiccup; the database answered instead.
    thresholds: { warning: 2 },
    metric: sumOf(
      'cacheUnavailable',
      users.map((stem) => countOf(stem, CACHE_METRICS.cacheUnavailable)),
    ),
    periodSeconds: QUARTER_SECONDS,
    symptom: 'The entitlement cache does not answer; changed entitlements may be served stale until they expire',
    action: 'Check the state and the limits of the cache; the database answers in the meantime.',
    owner: 'billing',
    runbookAnchor: 'cache-unavailable',
    consolePage: 'alarm',
  };
}

function failedStarts(stem: (typeof ASYNCHRONOUS_FUNCTIONS)[number]): AlarmDefinition {
  return {
    ...QUEUE_NOT_EMPTY,
    name: `failedStarts-${stem}`,
    measure: 'Requests in the failure queue',
    thresholds: { warning: 0 },
    metric: { from: 'queue', queue: { failuresOf: stem }, name: 'ApproximateNumberOfMessagesVisible' },
    symptom: `Requests to the ${stem} function failed for good, or could not be delivered`,
    action: 'Read the messages in its failure queue, which hold the request and the error; start it again by hand.',
    owner: 'platform',
    runbookAnchor: 'failed-starts',
    consolePage: { queue: { failuresOf: stem } },
  };
}
