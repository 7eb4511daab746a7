import { metricKey } from '../cloudwatch/samples';
import { each, type Failure, once, pair, run, single } from './failure';
import {
  BUSY,
  every,
  FAILURE_QUEUES,
  failureQueue,
  nothing,
  ofApi,
  ofFirewall,
  ofFunction,
  ofLambda,
  ofQueue,
  REPLICATION,
  storedQueue,
} from './published';

/** Of the way of an event, from delivery to the messages about it. */
export function eventFailures(): Failure[] {
  const queue = (name: string) => ofQueue('ApproximateNumberOfMessagesVisible', name);
  return [
    ...pair('webhookFailures', '… % of the deliveries are refused', { warning: 7, critical: 12 }, 15, (percent) => ({
      [ofFunction('webhook', 'WebhookRejected')]: each(1, (BUSY * percent) / 100),
    })),
    ...pair('queryLatency', 'round trips to the database take … ms', { warning: 600, critical: 1200 }, 15, (ms) => ({
      [ofFunction('processor', 'QueryDuration')]: each(ms, 2 * BUSY),
    })),
    ...pair(
      'webhookDelivery',
      '… % of the deliveries are answered 5xx',
      { warning: 2, critical: 20 },
      45,
      (percent) => ({
        [ofApi('5XXError', true)]: each(percent / 100, BUSY),
      }),
    ),
    ...pair('webhookAnswer', 'deliveries are answered after … ms', { warning: 3000, critical: 6000 }, 15, (ms) => ({
      [ofApi('Latency', true)]: each(ms, BUSY),
    })),
    ...pair(
      'apiFailed',
      '… requests in a minute crash the API, or are answered 503',
      { warning: 2, critical: 20 },
      10,
      // Either half alone is not above the critical threshold.
      (failed) => ({
        [ofLambda('api', 'Errors')]: each(1, failed / 2),
        [ofFunction('api', 'ApiFailed')]: each(1, failed / 2),
      }),
    ),
    single('throttled-api', 'the instances of the API are all at work', 10, ofLambda('api', 'Throttles'), once()),
    single('apiKeysRejected', 'a client asks with a wrong key', 10, ofFunction('api', 'ApiKeysRejected'), each(1, 60)),
    ...pair('responseTime', 'deliveries are answered after … ms', { warning: 600, critical: 1100 }, 15, (ms) => ({
      [ofApi('Latency')]: each(ms, BUSY),
    })),
    ...pair(
      'eventQueueAge',
      'nothing takes events from the queue',
      { warning: 0, critical: 0 },
      { warning: 30, critical: 50 },
      () => ({
        [ofQueue('ApproximateAgeOfOldestMessage', storedQueue('events'))]: (minute) => ({ value: 60 * minute }),
      }),
    ),
    single('webhookErrors', 'a delivery cannot be queued', 5, ofFunction('webhook', 'WebhookFailed'), once()),
    {
      alarm: 'webhooksAllRefused',
      fault: 'every one of few deliveries is refused',
      within: 6 * 60 + 15,
      published: {
        [ofFunction('webhook', 'WebhookReceived')]: every(60, 1),
        [ofFunction('webhook', 'WebhookRejected')]: every(60, 1),
      },
    },
    single('processorErrors', 'a batch fails as a whole', 5, ofLambda('processor', 'Errors'), once()),
    single('throttled-webhook', 'a start of the webhook is refused', 5, ofLambda('webhook', 'Throttles'), once()),
    single('throttled-processor', 'a start of the processor is refused', 5, ofLambda('processor', 'Throttles'), once()),
    single('eventsParked', 'an event is parked', 5, queue(storedQueue('parked')), each(1)),
    single('apiVersionDrift', 'an event has another version', 5, ofFunction('processor', 'ApiVersionDrift'), once()),
    single(
      'accountsRestricted',
      'an account is restricted',
      5,
      ofFunction('processor', 'ConnectAccountsRestricted'),
      once(),
    ),
    single('cacheUnavailable', 'the cache does not answer', 5, ofFunction('processor', 'CacheUnavailable'), each(1)),
    single('canaryFailed', 'test events do not arrive', 20, ofFunction('canary', 'CanarySucceeded'), nothing),
    single('canaryLost', 'every other event is lost', 20, ofFunction('canary', 'CanaryLost'), every(10, 1)),
    single('canarySlow', 'test events take 40 s', 20, ofFunction('canary', 'CanaryLatency'), run(40_000)),
    single('refreshOverdue', 'an object waits for 20 minutes', 20, ofFunction('collector', 'RefreshAge'), run(20 * 60)),
    single('payoutsFailed', 'a bank returns a payout', 20, ofFunction('collector', 'PayoutsFailed'), each(1)),
    single('payoutLate', 'a payout is three days late', 20, ofFunction('collector', 'PayoutLateness'), run(3 * 86_400)),
    ...FAILURE_QUEUES.map((stem) =>
      single(`failedStarts-${stem}`, 'a request fails for good', 5, queue(failureQueue(stem)), each(1)),
    ),
    single('eventsUndelivered', 'an event reaches no topic', 5, queue('UndeliveredF3CF66A9'), each(1)),
    ...(['AlertsCriticalD98B8922', 'AlertsWarning25141039'] as const).map((TopicName, index) =>
      single(
        index === 0 ? 'criticalAlertsUndelivered' : 'warningsUndelivered',
        'a subscriber cannot be reached',
        5,
        metricKey('AWS/SNS', 'NumberOfNotificationsFailed', { TopicName }),
        once(),
      ),
    ),
  ];
}

/** Of the firewall, the limits of API Gateway and the copies of archives. */
export function edgeFailures(): Failure[] {
  return [
    ...pair('deliveriesBlocked', '… of 100 deliveries are blocked', { warning: 2, critical: 50 }, 15, (blocked) => ({
      [ofFirewall('AdmittedDeliveries')]: each(1, BUSY - blocked),
    })),
    ...pair(
      'deliveriesThrottled',
      '… of 100 deliveries are throttled',
      { warning: 6, critical: 20 },
      15,
      (refused) => ({
        [ofApi('4XXError', true)]: each(refused / 100, BUSY),
      }),
    ),
    single('archiveCopiesFailed', 'S3 gives up a copy', 5, REPLICATION, once()),
    single(
      'archiveCopiesLate',
      'copies are 70 minutes behind',
      60,
      ofFunction('collector', 'ReplicationLatency'),
      run(4_200),
    ),
  ];
}
