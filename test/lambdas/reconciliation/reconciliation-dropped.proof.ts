import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import type { Client } from 'pg';
import { readEvent } from '../../../core/providers/stripe/shapes';
import { createStripe } from '../../../core/providers/stripe/client';
import { reconcile } from '../../../lambdas/reconciliation/core';
import { createDeliverer } from '../../../local/stripe/delivery';
import { startStripeStandIn } from '../../../local/stripe/stand-in';
import type { StripeState } from '../../../local/stripe/state';
import { deliver, RECONCILE_NOW, stripeWork } from '../../factories/stripe-work';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { silentLog } from '../../support/log';

const SECRET = 'whsec_dropped';
const RUNS = 25;

let database: TestDatabase;
let client: Client;
let endpoint: Server;
let url: string;

beforeAll(async () => {
  database = await createTestDatabase('billing');
  client = await database.client();
  const verifier = createStripe('sk_test_1', 'http://127.0.0.1:1');
  endpoint = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      const event = verifier.webhooks.constructEvent(body, request.headers['stripe-signature'] ?? '', SECRET);
      void deliver(client, [{ event }]).then(() => response.end());
    });
  });
  await new Promise<void>((resolve) => endpoint.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}`;
});
afterAll(async () => {
  endpoint.closeAllConnections();
  await new Promise<void>((resolve) => endpoint.close(() => resolve()));
  await database.drop();
});

const stepArbitrary = fc.record({
  change: fc.constantFrom('subscribe', 'update', 'cancel', 'pay', 'buy', 'charge', 'refund'),
  /** Selects the object that is changed. */
  pick: fc.nat(99),
  dropped: fc.boolean(),
  /** Seconds since the step before; at zero several changes share one second. */
  pauseSeconds: fc.nat(2),
});
type Step = typeof stepArbitrary extends fc.Arbitrary<infer T> ? T : never;

/** Makes one change at Stripe; `undefined` when there is no object to change. */
function applyStep(state: StripeState, { change, pick }: Step, atSeconds: number): { event: object } | undefined {
  const active = state.subscriptions.newestFirst().filter(({ status }) => status !== 'canceled');
  const subscription = active[pick % active.length]?.id;
  const refundable = state.charges.newestFirst().filter(({ amount, amount_refunded: done }) => done < amount);
  const charge = refundable[pick % refundable.length]?.id;
  if (change === 'subscribe') return state.createSubscription({ created: atSeconds });
  if (change === 'buy') return state.completeCheckout({ created: atSeconds });
  if (change === 'charge') return state.createCharge({ created: atSeconds, amount: 5_000 });
  if (change === 'refund') return charge === undefined ? undefined : state.refundCharge(charge, 100, { atSeconds });
  if (subscription === undefined) return undefined;
  if (change === 'cancel') return state.cancelSubscription(subscription, { atSeconds });
  if (change === 'pay') return state.payInvoice(subscription, { created: atSeconds });
  return state.updateSubscription(subscription, { status: pick % 2 === 0 ? 'past_due' : 'active' }, { atSeconds });
}

const rows = async (sql: string) => (await client.query(sql)).rows;

async function clear(): Promise<void> {
  const { rows: tables } = await client.query<{ name: string }>(
    `SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'billing'`,
  );
  await client.query('SET session_replication_role = replica');
  await client.query(`TRUNCATE ${tables.map(({ name }) => `billing.${name}`).join(', ')} CASCADE`);
  await client.query('SET session_replication_role = origin');
}

test('one reconciliation corrects the database whichever deliveries were dropped, and a second finds nothing', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(stepArbitrary, { minLength: 1, maxLength: 25 }), async (steps) => {
      await clear();
      const stripe = await startStripeStandIn();
      try {
        const deliverer = createDeliverer({ url, secret: SECRET });
        // A minute ago: the pages of the comparison are newer than every event.
        let atSeconds = Math.floor(Date.now() / 1000) - 60 - steps.length * 2;
        for (const step of steps) {
          atSeconds += step.pauseSeconds;
          const change = applyStep(stripe.state, step, atSeconds);
          if (change === undefined) continue;
          if (step.dropped) deliverer.dropNext(1);
          await deliverer.send(readEvent(change.event) as never);
        }
        const run = () =>
          reconcile({ ...stripeWork(stripe, client), log: silentLog }, { ...RECONCILE_NOW, daysBack: 1 });

        expect(await run()).toMatchObject({ eventsMissed: deliverer.dropped.length });
        expect(await run()).toMatchObject({ eventsMissed: 0, drift_detected: 0 });
        const { state } = stripe;
        const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);
        expect(await rows('SELECT id, status FROM billing.subscriptions ORDER BY id COLLATE "C"')).toEqual(
          state.subscriptions
            .newestFirst()
            .map(({ id, status }) => ({ id, status }))
            .toSorted(byId),
        );
        const refunded = state.refunds.newestFirst().reduce((sum, { amount }) => sum + amount, 0);
        expect(await rows('SELECT coalesce(sum(amount), 0)::int AS sum FROM billing.refund_entries')).toEqual([
          { sum: refunded },
        ]);
        expect(await rows('SELECT count(*)::int FROM billing.webhook_events')).toEqual([{ count: state.events.size }]);
      } finally {
        await stripe.stop();
      }
    }),
    { numRuns: RUNS },
  );
}, 120_000);
