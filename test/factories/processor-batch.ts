import type { SQSRecord } from 'aws-lambda';
import type { Client } from 'pg';
import { processBatch } from '../../lambdas/processor/core';
import { createReusableConnection } from '../../core/database/reusable-connection';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { silentLog } from '../support/log';
import { EPOCH, stripeEvent, subscription } from './stripe-objects';

/** Messages of a batch. */
export const SIZE = 20;

/** Twenty subscriptions, each in a state of the given second. */
export function batch(second: number): SQSRecord[] {
  return Array.from({ length: SIZE }, (_, index) => {
    const object = subscription({ id: `sub_${index}`, status: second === 0 ? 'trialing' : 'active' });
    const event = stripeEvent('customer.subscription.updated', object, {
      id: `evt_${second}_${index}`,
      created: EPOCH + second,
    });
    const attributes = { SentTimestamp: String(EPOCH * 1000), ApproximateReceiveCount: '7' };
    return {
      messageId: `m${index}`,
      body: JSON.stringify(event),
      attributes,
      messageAttributes: {},
    } as unknown as SQSRecord;
  });
}

/** A processor with a database of its own. */
export interface ProcessorSite {
  readonly database: TestDatabase;
  readonly client: Client;
  /** Processes a batch of which no message is to be parked. */
  processMessages(records: readonly SQSRecord[]): ReturnType<typeof processBatch>;
  /** Events of the second batch that the ledger has and that are not processed. */
  ledger(): Promise<{ id: string; status: string; attempts: number }[]>;
  remove(): Promise<void>;
}

export async function createProcessorSite(): Promise<ProcessorSite> {
  const database = await createTestDatabase('billing');
  const client = await database.client();
  const connection = createReusableConnection(database.connector);
  return {
    database,
    client,
    processMessages: (records) =>
      processBatch(records, {
        connection,
        log: silentLog,
        park: () => Promise.reject(new Error('Nothing is to be parked')),
      }),
    async ledger() {
      const { rows } = await client.query<{ id: string; status: string; attempts: number }>(
        `SELECT id, status, attempts FROM billing.webhook_events WHERE id LIKE 'evt_1_%' AND status <> 'processed' ORDER BY id`,
      );
      return rows;
    },
    async remove() {
      await connection.close();
      await database.drop();
    },
  };
}
