import { CACHE_METRICS } from '../../../core/cache/contract';
import { PROCESSOR_METRICS } from '../../../lambdas/processor/contract';
import { WEBHOOK_METRICS } from '../../../lambdas/webhook/contract';
import type { AlarmMetric, OperationalAlarm } from './alarm';

const QUARTER_SECONDS = 15 * 60;
const HOUR_SECONDS = 60 * 60;

/**
 * The functions that schedules, or operators who do not wait, invoke: what fails for good lies in a queue of theirs.
 * A test compares them with the templates.
 */
export const ASYNCHRONOUS_FUNCTIONS = [
  'backup',
  'cleanup',
  'collector',
  'drill',
  'entitlements',
  'migrate',
  'reconciliation',
  'replay',
  'restore',
  'row-recovery',
] as const;

/** The functions that look for entitlements in the cache, or invalidate them. */
const CACHE_USERS = ['processor', 'reconciliation', 'replay', 'entitlements', 'row-recovery'] as const;

/** Requests in six hours, all refused, from which on it is not one stray scanner. */
const ALL_REFUSED_MINIMUM = 3;

/** Any at all within the period is worth a look. */
const ANY = { threshold: 0, fires: 'above', evaluationPeriods: 1, silence: 'good' } as const;

/**
 * Messages in a queue where there should be none. SQS falls silent about a queue that nobody touched for six hours: that
 * must not close the alarm.
 */
const NOT_EMPTY = { ...ANY, periodSeconds: 300, silence: 'unchanged' } as const;

const countOf = (service: string, name: string): AlarmMetric => ({ from: 'function', service, name, statistic: 'Sum' });

/** The alarms on the way of an event, from Stripe to the entitlement, beside the ratios of the threshold table. */
export const PIPELINE_ALARMS: readonly OperationalAlarm[] = [
  {
    ...ANY,
    name: 'webhookErrors',
    severity: 'warning',
    // Handled and unhandled: a function that crashes, or runs out of time, counts nothing itself. Where there is little
    // traffic, the share of failures never reaches its minimum volume: this does.
    metrics: [{ from: 'lambda', stem: 'webhook', name: 'Errors' }, countOf('webhook', WEBHOOK_METRICS.failed)],
    periodSeconds: QUARTER_SECONDS,
    symptom: 'The webhook function answered a delivery of Stripe with an error of ours; Stripe delivers it again',
    action: 'Read the log of the webhook function: the queue, the signing secret, or a crash.',
    runbookAnchor: 'webhook-errors',
  },
  {
    ...ANY,
    name: 'webhooksAllRefused',
    severity: 'warning',
    metrics: [countOf('webhook', WEBHOOK_METRICS.received), countOf('webhook', WEBHOOK_METRICS.rejected)],
    // The mark of a wrong signing secret where few events come.
    expression: `IF(m0 >= ${ALL_REFUSED_MINIMUM} AND FILL(m1, 0) >= m0, 1, 0)`,
    periodSeconds: 6 * HOUR_SECONDS,
    symptom: 'For six hours every request to the webhook endpoint was refused',
    action: "Compare the signing secret with the Stripe dashboard's, and test mode with live mode.",
    runbookAnchor: 'webhooks-all-refused',
  },
  {
    ...ANY,
    name: 'processorErrors',
    severity: 'warning',
    metrics: [{ from: 'lambda', stem: 'processor', name: 'Errors' }],
    periodSeconds: QUARTER_SECONDS,
    symptom: 'Whole batches of events could not be processed; they are tried again, three times in all',
    action: 'Read the log of the processor function and check that the billing database can be reached.',
    runbookAnchor: 'processor-errors',
  },
  ...(['webhook', 'processor'] as const).map((stem): OperationalAlarm => ({
    ...ANY,
    name: `throttled-${stem}`,
    severity: 'warning',
    metrics: [{ from: 'lambda', stem, name: 'Throttles' }],
    periodSeconds: QUARTER_SECONDS,
    symptom: `Lambda turned away starts of the ${stem} function: the account has no concurrency left for it`,
    action: 'See which function uses up the concurrency of the account; ask AWS for a higher limit.',
    runbookAnchor: 'function-throttled',
  })),
  {
    ...NOT_EMPTY,
    name: 'eventsParked',
    severity: 'critical',
    metrics: [{ from: 'queue', of: 'parked events' }],
    symptom: 'Events failed three times and are parked: somebody paid, or canceled, and the database does not know',
    action: 'Read their errors in the ledger, remove the cause, then move them back with the replay function.',
    runbookAnchor: 'events-parked',
  },
  {
    ...ANY,
    name: 'apiVersionDrift',
    severity: 'warning',
    metrics: [countOf('processor', PROCESSOR_METRICS.apiVersionDrift)],
    periodSeconds: 6 * HOUR_SECONDS,
    symptom: 'Events come in the shape of another Stripe API version than the one this code is written for',
    action: 'Compare the API version of the endpoint, in the Stripe dashboard, with STRIPE_API_VERSION in this code.',
    runbookAnchor: 'api-version-drift',
  },
  {
    ...ANY,
    name: 'accountsRestricted',
    severity: 'warning',
    metrics: [countOf('processor', PROCESSOR_METRICS.accountsRestricted)],
    periodSeconds: HOUR_SECONDS,
    symptom: 'Stripe restricted a connected account: its owner, a coach, is not paid out',
    action: 'Find the account in the database and ask its owner for what Stripe wants to know.',
    runbookAnchor: 'connect-account-restricted',
  },
  {
    ...ANY,
    name: 'cacheUnavailable',
    severity: 'warning',
    metrics: CACHE_USERS.map((stem) => countOf(stem, CACHE_METRICS.cacheUnavailable)),
    // A single slow answer is a hiccup, and was answered from the database.
    threshold: 2,
    periodSeconds: QUARTER_SECONDS,
    symptom: 'The cache of entitlements does not answer; changed entitlements may be served stale until they expire',
    action: 'Check the state and the limits of the cache; the database answers meanwhile.',
    runbookAnchor: 'cache-unavailable',
    appliesTo: ({ cache }) => cache.kind === 'serverless',
  },
  ...ASYNCHRONOUS_FUNCTIONS.map((stem): OperationalAlarm => ({
    ...NOT_EMPTY,
    name: `failedStarts-${stem}`,
    severity: 'warning',
    metrics: [{ from: 'queue', of: { failedStartsOf: stem } }],
    symptom: `Starts of the ${stem} function failed for good, or could not be delivered`,
    action: 'Read the messages in its failure queue, which hold the request and the error; start it again by hand.',
    runbookAnchor: 'failed-starts',
  })),
];
