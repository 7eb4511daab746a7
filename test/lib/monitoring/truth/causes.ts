import type { Emitter, World } from '../cloudwatch/samples';
import {
  BUSY,
  every,
  healthy,
  nothing,
  ofApi,
  ofFirewall,
  ofFunction,
  ofLambda,
  ofQueue,
  storedQueue,
  worldOf,
} from './published';

/** One thing that goes wrong, with everything that follows from it. */
export interface Cause {
  readonly name: string;
  /** It begins at minute 0, and is over after {@link OVER_AFTER}. */
  readonly world: World;
  /** Last parts of the names of the alarms that page, in their order, and within how many minutes the first does. */
  readonly pages: readonly string[];
  readonly within: number;
}

/** Minutes after which a cause is over. */
export const OVER_AFTER = 100;

const queueAge = ofQueue('ApproximateAgeOfOldestMessage', storedQueue('events'));
const sent = { canary: ofFunction('canary', 'CanarySucceeded'), latency: ofFunction('canary', 'CanaryLatency') };

/** Nothing comes through any more, and drains for some minutes once it is over. */
const waiting: Emitter = (minute) => ({ value: 60 * minute });
const notArriving: Readonly<Record<string, Emitter>> = { [sent.canary]: nothing, [sent.latency]: nothing };
const notApplied: Readonly<Record<string, Emitter>> = {
  ...notArriving,
  [queueAge]: waiting,
  [ofLambda('processor', 'Errors')]: every(1, 1, 20),
  [ofFunction('processor', 'QueryDuration')]: nothing,
};

function cause(
  name: string,
  page: string | readonly string[],
  within: number,
  faults: Readonly<Record<string, Emitter>>,
): Cause {
  const during = new Map(worldOf(healthy(), faults, 0, OVER_AFTER));
  const queue = during.get(queueAge);
  const drained: Emitter = (minute) =>
    minute >= OVER_AFTER && minute < OVER_AFTER + 8 && queueAge in faults ? { value: 5_000 } : queue?.(minute);
  during.set(queueAge, drained);
  return { name, pages: [page].flat(), within, world: during };
}

/** Everything of a publisher, silent. */
function silent(of: (metric: { readonly by: string; readonly key: string }) => boolean): Record<string, Emitter> {
  return Object.fromEntries(healthy().flatMap((metric) => (of(metric) ? [[metric.key, nothing]] : [])));
}

const BLIND_AND_STUCK = ['regionTrouble', 'webhookFailures-page', 'eventQueueAge-page'];
const NOT_APPLIED = ['canaryFailed-page', 'webhookFailures-page', 'eventQueueAge-page'];
const MAIN_AND_REFUSED = ['databaseUnreachable-main-page', 'webhookFailures-page'];

const usual = new Map(healthy().map(({ key, emit }) => [key, emit]));

/** What goes wrong, and the page that reports it; two where what anybody can raise from outside must silence nothing. */
export const CAUSES: readonly Cause[] = [
  cause('the billing database cannot be reached', 'databaseUnreachable-billing-page', 30, {
    ...silent(({ by, key }) => by === 'AWS/RDS' && key.endsWith('-billing')),
    ...silent(
      ({ by, key }) =>
        by === 'collector' && !/=main|SecretAge|ReplicationLatency|BackupAge|AllocatedStorage|InstanceMemory/.test(key),
    ),
    ...notApplied,
    [ofFunction('collector', 'CollectionFailed')]: every(5, 1),
    [ofFunction('processor', 'EventsFailed')]: every(1, 1, BUSY),
    [ofFunction('api', 'ApiFailed')]: every(1, 1, 20),
  }),
  cause(
    'the collector does not run',
    'collectorMissing-page',
    20,
    silent(({ by }) => by === 'collector'),
  ),
  cause('the main database cannot be reached, and then every delivery is refused', MAIN_AND_REFUSED, 30, {
    ...silent(({ by, key }) => by === 'AWS/RDS' && key.endsWith('-main')),
    ...silent(
      ({ by, key }) =>
        by === 'collector' && /=main/.test(key) && !/BackupAge|AllocatedStorage|InstanceMemory|SecretAge/.test(key),
    ),
    [ofFunction('webhook', 'WebhookRejected')]: (minute) => (minute >= 40 ? { value: BUSY } : undefined),
  }),
  cause('the collector does not run, and the processor can apply no event', BLIND_AND_STUCK, 30, {
    ...silent(({ by }) => by === 'collector'),
    ...notApplied,
    [ofFunction('processor', 'EventsFailed')]: every(1, 1, BUSY),
  }),
  cause(
    'no function runs, and the endpoint answers 5xx: the region fails',
    ['webhookDelivery-critical', 'regionTrouble'],
    30,
    {
      ...silent(({ by }) => ['collector', 'webhook', 'processor'].includes(by)),
      ...notArriving,
      [ofApi('5XXError', true)]: every(1, 1, BUSY),
      [ofLambda('webhook', 'Errors')]: every(1, 1, BUSY),
    },
  ),
  cause('the processor crashes at its start', ['canaryFailed-page', 'eventQueueAge-page'], 30, {
    ...notApplied,
    [ofFunction('processor', 'EventsFailed')]: nothing,
  }),
  cause('the processor can apply no event', NOT_APPLIED, 30, {
    ...notApplied,
    [ofFunction('processor', 'EventsFailed')]: every(1, 1, BUSY),
  }),
  cause('the webhook function crashes', 'webhookDelivery-critical', 15, {
    ...silent(({ by }) => by === 'webhook'),
    ...notArriving,
    [ofApi('5XXError', true)]: every(1, 1, BUSY),
    [ofLambda('webhook', 'Errors')]: every(1, 1, BUSY),
  }),
  cause('events cannot be queued', 'webhookDelivery-critical', 15, {
    ...notArriving,
    [ofFunction('webhook', 'WebhookFailed')]: every(1, 1, BUSY),
    [ofApi('5XXError', true)]: every(1, 1, BUSY),
  }),
  cause('the firewall blocks the deliveries', ['deliveriesBlocked-page', 'canaryFailed-page'], 15, {
    ...silent(({ by }) => by === 'webhook'),
    ...notArriving,
    [ofFirewall('AdmittedDeliveries')]: nothing,
    [ofApi('4XXError', true)]: every(1, 1, BUSY),
  }),
  cause(
    'somebody sends what looks signed, and genuine deliveries are throttled',
    ['deliveriesBlocked-page', 'deliveriesThrottled-page'],
    15,
    {
      [ofFirewall('SignedDeliveries')]: every(1, 1, BUSY + 60),
      [ofApi('4XXError', true)]: every(1, 1, 60 + 30),
    },
  ),
  cause(
    'the webhook function crashes for ten minutes, and half an hour later the processor does',
    ['webhookDelivery-critical', 'canaryFailed-page', 'eventQueueAge-page'],
    15,
    {
      [ofApi('5XXError', true)]: (minute) => (minute < 10 ? { value: BUSY } : undefined),
      [ofLambda('webhook', 'Errors')]: (minute) => (minute < 10 ? { value: BUSY } : undefined),
      ...Object.fromEntries(
        Object.entries(notApplied).map(([key, emit]) => [
          key,
          (minute: number) => (minute < 40 ? usual.get(key)?.(minute) : emit(minute - 40)),
        ]),
      ),
    },
  ),
  cause('Stripe is down for a day, and its next reconciliation fails', 'reconciliationMissing-page', 80, {
    ...silent(({ by }) => ['webhook', 'processor', 'AWS/WAFV2'].includes(by)),
    [ofFunction('collector', 'ReconciliationAge')]: every(5, 26 * 3_600),
    [ofFunction('reconciliation', 'ReconciliationFailed')]: (minute) => (minute === 5 ? { value: 1 } : undefined),
    [ofFunction('collector', 'RefreshAge')]: every(5, 3_600),
  }),
];
