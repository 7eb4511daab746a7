import type { SQSRecord } from 'aws-lambda';
import { Client } from 'pg';
import { BATCH_SIZE } from '../../lambdas/processor/contract';
import { processBatch } from '../../lambdas/processor/core';
import { createReusableConnection } from '../../core/database/reusable-connection';
import { gatherEntitlementUpdates } from '../../core/entitlements/recompute';
import { entitlementRules } from '../../core/entitlements/contract';
import { replaceRules } from '../../core/entitlements/rules';
import { stripeWebhooks } from '../../core/providers/stripe/webhooks';
import { verify } from '../../lambdas/webhook/core';
import { countQueries } from '../support/count-queries';
import { migrate, silentLog } from '../support/server';
import type { Contender } from './contender';
import { PRICE_IDS } from './bodies';
import { SIGNING_SECRET, type Delivery } from './workload';

/** Every item of the workload's subscriptions grants a feature. */
const RULES = entitlementRules.parse(
  PRICE_IDS.map((priceId) => ({
    id: priceId,
    grants: { source: 'subscription', priceId, graceDays: 3 },
    features: [priceId],
  })),
);

/** The processor's core on batches of queue messages. */
export function processor(): Contender {
  return contender('this platform (drain the queue)', BATCH_SIZE, ({ body }) => body);
}

/** The same with the webhook function's part, in one process: what the peers do in theirs. */
export function verifyingProcessor(): Contender {
  return contender('this platform (verify + drain)', BATCH_SIZE, verified);
}

/** One event at a time, as they arrive in quiet hours, and as the peers take them. */
export function singleEventProcessor(): Contender {
  return contender('this platform (verify + drain, single events)', 1, verified);
}

function verified({ body, signature }: Delivery): string {
  const verdict = verify(
    stripeWebhooks,
    { body: Buffer.from(body), signature },
    { current: SIGNING_SECRET },
    false,
    new Date(),
  );
  if ('message' in verdict) return verdict.message;
  throw new Error(verdict.accepted ? verdict.ignored : verdict.reason);
}

function contender(name: string, batchSize: number, receive: (delivery: Delivery) => string): Contender {
  return {
    name,
    batchSize,
    queries: countQueries(Client),
    evidence: { sql: 'SELECT count(*)::integer AS rows FROM billing.webhook_events', per: 'event' },
    async prepare(database) {
      await migrate(database, 'billing');
      const client = await database.connect();
      try {
        await replaceRules(client, RULES);
      } finally {
        await client.end();
      }
    },
    async open({ connector }, concurrency) {
      const connections = Array.from({ length: concurrency }, () => createReusableConnection(connector));
      return {
        workers: connections.map((connection) => async (deliveries) => {
          const records = deliveries.map((delivery, index) => record(receive(delivery), index));
          // As the processor's handler does; the cache, which is asked after the commit, is left out.
          const { afterStore } = gatherEntitlementUpdates();
          const summary = await processBatch(records, {
            connection,
            log: silentLog,
            park: () => Promise.reject(new Error('No event of the benchmark is to be parked')),
            observe: () => undefined,
            afterStore,
          });
          if (summary.failed > 0) throw new Error(`${summary.failed} events were not applied`);
        }),
        async close() {
          await Promise.all(connections.map((connection) => connection.close()));
        },
      };
    },
  };
}

function record(body: string, index: number): SQSRecord {
  return {
    messageId: String(index),
    receiptHandle: String(index),
    body,
    attributes: {
      ApproximateReceiveCount: '1',
      SentTimestamp: String(Date.now()),
      SenderId: 'bench',
      ApproximateFirstReceiveTimestamp: String(Date.now()),
    },
    messageAttributes: {},
    md5OfBody: '',
    eventSource: 'aws:sqs',
    eventSourceARN: 'bench',
    awsRegion: 'bench',
  };
}
