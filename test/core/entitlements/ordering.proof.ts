import fc from 'fast-check';
import type { Client } from 'pg';
import { applyEvents, type ReceivedEvent } from '../../../core/billing/apply-events';
import { stripeProvider } from '../../../core/providers/stripe/provider';
import type { StripeEvent } from '../../../core/providers/stripe/shapes';
import { gatherEntitlementUpdates } from '../../../core/entitlements/recompute';
import { charge, checkoutSession, EPOCH, refund, stripeEvent, subscription } from '../../factories/stripe-objects';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import {
  applyWithEntitlements,
  DAY,
  putRules,
  RULES,
  storedEntitlements,
  unlikeGranted,
} from '../../support/entitlements';

let database: TestDatabase;
let client: Client;

beforeEach(async () => {
  database = await createTestDatabase('billing');
  client = await database.client();
  await putRules(client, RULES);
});
afterEach(async () => {
  await database.drop();
});

const subscribed = (fields: Record<string, unknown>, seconds: number) =>
  stripeEvent('customer.subscription.updated', subscription(fields), { created: EPOCH + seconds });

/** A subscription moves to another user, is renewed late and canceled; of two refunded courses one refund fails. */
const STORY: readonly StripeEvent[] = [
  subscribed({ status: 'trialing', trial_end: EPOCH + DAY }, 0),
  subscribed({ metadata: { project_id: 'project_1', user_id: 'user_2' } }, 1),
  subscribed({ status: 'past_due' }, 1),
  subscribed({ id: 'sub_2', status: 'past_due' }, 0),
  subscribed({ id: 'sub_2' }, 2),
  subscribed({ id: 'sub_3' }, 0),
  subscribed({ id: 'sub_3', status: 'canceled', ended_at: EPOCH + DAY }, 3),
  stripeEvent('checkout.session.completed', checkoutSession({ payment_status: 'unpaid' })),
  stripeEvent('checkout.session.async_payment_succeeded', checkoutSession(), { created: EPOCH + 1 }),
  stripeEvent('charge.succeeded', charge()),
  stripeEvent('refund.created', refund({ amount: 9_900 }), { created: EPOCH + 2 }),
  stripeEvent('refund.failed', refund({ amount: 9_900, status: 'failed' }), { created: EPOCH + 3 }),
  stripeEvent('checkout.session.completed', checkoutSession({ id: 'cs_2', payment_intent: 'pi_2' })),
  stripeEvent('charge.refunded', charge({ id: 'ch_2', payment_intent: 'pi_2', amount_refunded: 9_900 })),
];

async function forget(): Promise<void> {
  await client.query(`
    TRUNCATE billing.webhook_events, billing.customers, billing.refunds, billing.entitlements,
      billing.entitlement_versions CASCADE;
    ALTER TABLE billing.refund_ledger DISABLE TRIGGER USER;
    TRUNCATE billing.refund_ledger;
    ALTER TABLE billing.refund_ledger ENABLE TRIGGER USER`);
}

test('events in any order, duplicated and in batches of any size, end in the same entitlements', async () => {
  await applyWithEntitlements(client, ...STORY);
  const expected = await storedEntitlements(client);
  expect(expected).toHaveLength(4);

  const deliveries = fc.tuple(
    fc.shuffledSubarray([...STORY, ...STORY.slice(0, 4)], { minLength: STORY.length + 4 }),
    fc.integer({ min: 1, max: STORY.length }),
  );
  await fc.assert(
    fc.asyncProperty(deliveries, async ([events, size]) => {
      await forget();
      for (let start = 0; start < events.length; start += size) {
        await applyWithEntitlements(client, ...events.slice(start, start + size));
      }
      expect(await storedEntitlements(client)).toEqual(expected);
      expect(await unlikeGranted(client)).toEqual([]);
    }),
    { numRuns: 40 },
  );
}, 60_000);

test('a purchase and its refund that are stored at the same time leave nothing granted', async () => {
  const other = await database.client();
  const observer = await database.client();
  const received = (event: StripeEvent): ReceivedEvent<StripeEvent> => ({
    event,
    source: 'webhook',
    receivedAt: new Date(),
  });
  const bought = stripeEvent('checkout.session.completed', checkoutSession());
  // Without a common customer, only the payment intent serialises the two transactions.
  const refunded = stripeEvent('charge.refunded', charge({ customer: null, amount_refunded: 9_900 }));
  let refunding: Promise<unknown> = Promise.resolve();
  await applyEvents(client, stripeProvider, [received(bought)], {
    async afterStore(run, states) {
      const finish = await gatherEntitlementUpdates().afterStore(run, states);
      let over = false;
      refunding = applyWithEntitlements(other, refunded).finally(() => (over = true));
      const waits = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
      while (!over && (await observer.query(waits)).rowCount === 0);
      return finish;
    },
  });
  await refunding;

  expect(await storedEntitlements(client)).toEqual([]);
});
