import type { Client } from 'pg';
import { applyEvents } from '../../core/billing/apply-events';
import { stripeProvider } from '../../core/providers/stripe/provider';
import { readEvent } from '../../core/providers/stripe/shapes';
import { multiplyRows, readTemplates } from '../support/multiply-rows';
import type { BenchDatabase } from '../support/server';
import { progress, whole } from '../support/table';
import { templateDeliveries } from '../webhooks/workload';

/** Copies from which the size of one is measured. */
const SAMPLE = 2_000;
const STEP = 50_000;

/** Fills a migrated billing database with subscriptions and paid invoices up to a size; returns its bytes. */
export async function fillTo(database: BenchDatabase, targetBytes: number): Promise<number> {
  const client = await database.connect();
  try {
    const events = templateDeliveries().map(({ body }) => readEvent(JSON.parse(body)));
    await applyEvents(
      client,
      stripeProvider,
      events.map((event) => ({ event, source: 'webhook', receivedAt: new Date() })),
    );
    const empty = await databaseBytes(client);
    const templates = await readTemplates(client);
    await multiplyRows(client, templates, 1, SAMPLE);
    const bytesPerCopy = ((await databaseBytes(client)) - empty) / SAMPLE;
    const copies = Math.ceil((targetBytes - empty) / bytesPerCopy);
    for (let from = SAMPLE + 1; from <= copies; from += STEP) {
      const to = Math.min(copies, from + STEP - 1);
      await multiplyRows(client, templates, from, to);
      progress(`filled with ${whole(to)} of ${whole(copies)} customers`);
    }
    await client.query('VACUUM (ANALYZE)');
    await client.query('CHECKPOINT');
    return await databaseBytes(client);
  } finally {
    await client.end();
  }
}

/** Size of the connection's database. */
export async function databaseBytes(client: Client): Promise<number> {
  const { rows } = await client.query<{ bytes: number }>(
    'SELECT pg_database_size(current_database())::float8 AS bytes',
  );
  return rows[0]?.bytes ?? 0;
}
