import { Client, Pool } from 'pg';
import Stripe from 'stripe';
import { countQueries } from '../support/count-queries';
import type { Contender } from './contender';
import { SIGNING_SECRET } from './workload';

/** The least work possible with one event at a time: verify it and insert it. */
export function floor(): Contender {
  return {
    name: 'floor (verify + one INSERT)',
    batchSize: 1,
    queries: countQueries(Client),
    evidence: { sql: 'SELECT count(*)::integer AS rows FROM events', per: 'event' },
    async prepare(database) {
      const client = await database.connect();
      await client.query('CREATE TABLE events (id text PRIMARY KEY, type text NOT NULL, payload jsonb NOT NULL)');
      await client.end();
    },
    async open(database, concurrency) {
      const pool = new Pool({ connectionString: database.url, ssl: database.ssl, max: concurrency });
      // The pool is ended before its connections are, and the database is dropped in between.
      pool.on('error', () => undefined);
      const apply = async ({ body, signature }: { body: string; signature: string }): Promise<void> => {
        const event = Stripe.webhooks.constructEvent(body, signature, SIGNING_SECRET);
        await pool.query('INSERT INTO events (id, type, payload) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING', [
          event.id,
          event.type,
          body,
        ]);
      };
      return {
        workers: Array.from({ length: concurrency }, () => async (deliveries) => {
          for (const delivery of deliveries) await apply(delivery);
        }),
        close: () => pool.end(),
      };
    },
  };
}
