import type { Client } from 'pg';
import { verifyDatabase } from '../../lambdas/verify/core';
import { startStripeStandIn, type StripeStandIn } from '../../local/stripe/stand-in';
import { type ArchiveSite, contentOf, createArchiveSite } from '../factories/archive';
import { businessOf, compareWithStripe } from '../factories/recovery';
import { deliver, replayEvents, stripeWork, type Deliveries } from '../factories/stripe-work';
import { createTestDatabase, type TestDatabase } from '../support/database';

const SLOT = '2026-11-21T06:00:00Z';

let site: ArchiveSite;
let stripe: StripeStandIn;
/** Received every event and had no incident. */
let spared: TestDatabase;
let live: Client;
let untouched: Client;

beforeEach(async () => {
  [site, stripe, spared] = await Promise.all([
    createArchiveSite('billing'),
    startStripeStandIn(),
    createTestDatabase('billing'),
  ]);
  [live, untouched] = await Promise.all([site.source.client(), spared.client()]);
});
afterEach(() => Promise.all([site.remove(), stripe.stop(), spared.drop()]));

async function deliverToBoth(deliveries: Deliveries): Promise<void> {
  await Promise.all([deliver(live, deliveries), deliver(untouched, deliveries)]);
}

/** A morning's business: ordinary subscriptions, their invoices, and a charge that is refunded later. */
function morning() {
  const { state } = stripe;
  const subscriptions = Array.from({ length: 5 }, () => state.createSubscription());
  const charge = state.createCharge();
  const invoices = subscriptions.map(({ object }) => state.payInvoice(object.id));
  return { subscriptions, charge, deliveries: [...subscriptions, charge, ...invoices] };
}

test('scenario 1: a corrupted billing database is restored, verified, taken into use, and catches up as if nothing had happened', async () => {
  const { state } = stripe;
  const { subscriptions, charge, deliveries } = morning();
  await deliverToBoth(deliveries);
  await site.backup(SLOT);

  // After the backup: some of it was delivered before the corruption, and is lost with it.
  const [first, second, third] = subscriptions.map(({ object }) => object.id) as [string, string, string];
  const beforeIncident = [state.updateSubscription(first, { status: 'past_due' }), state.createSubscription()];
  await deliverToBoth(beforeIncident);
  await live.query(
    `UPDATE billing.subscriptions SET status = 'active', customer_id = (SELECT min(id) FROM billing.customers)`,
  );
  await live.query(`DELETE FROM billing.invoices; DELETE FROM billing.webhook_events`);

  // Writes are stopped: what arrives waits in the queue. One delivery never arrives at all.
  const waiting = [
    state.cancelSubscription(second),
    state.failInvoice(third),
    state.refundCharge(charge.object.id, 100),
  ];
  const neverArrived = [state.completeCheckout({ mode: 'setup' })];
  await deliver(untouched, [...waiting, ...neverArrived]);
  expect(await businessOf(site.source.name)).not.toEqual(await businessOf(spared.name));
  const corrupted = await contentOf(site.source.name);

  // Restore into a new database, and verify it where it is.
  const restored = await site.restore('latest');
  expect(restored).toMatchObject({ slot: SLOT, kept: true });
  const { targetDatabase } = restored;
  const verified = await verifyDatabase(
    { connector: site.source.connector, migrationsDirectory: site.migrations.directory, clock: () => new Date() },
    { targetDatabase },
  );
  expect(verified).toMatchObject({ sound: true, problems: [], ageSeconds: expect.any(Number) as number });

  const recovered = await site.source.connector.connect(targetDatabase);
  try {
    // Writes continue in the restored database: first the waiting events, then new ones.
    await deliver(recovered, waiting);
    const resumed = [state.createSubscription(), state.updateSubscription(first, { cancel_at_period_end: true })];
    await deliver(recovered, resumed);
    await deliver(untouched, resumed);

    // Find the gaps that the backup leaves, and replay them.
    const dependencies = stripeWork(stripe, recovered);
    // Stripe's times are whole seconds, and an event may be a while under way.
    const from = new Date(Date.parse(restored.archivedAt) - 3_600_000).toISOString();
    const missed = [...beforeIncident, ...neverArrived].map(({ event }) => event.id).toSorted();

    const gaps = await replayEvents(dependencies, { action: 'gaps', from });
    expect(
      gaps.events
        .filter(({ outcome }) => outcome === 'missing')
        .map(({ id }) => id)
        .toSorted(),
    ).toEqual(missed);

    const replayed = await replayEvents(dependencies, { action: 'replay', from, dryRun: false });
    const received = deliveries.length + waiting.length + resumed.length;
    expect(replayed.outcomes).toEqual({ processed: missed.length, alreadyProcessed: received });

    // As if nothing had happened; and once more changes nothing.
    expect(await businessOf(targetDatabase)).toEqual(await businessOf(spared.name));
    // The corrupted database is still there, as it was, to find out what happened.
    expect(await contentOf(site.source.name)).toEqual(corrupted);
    const again = await replayEvents(dependencies, { action: 'replay', from, dryRun: false });
    expect(again.outcomes).toEqual({ alreadyProcessed: missed.length + received });
    expect((await compareWithStripe(stripe, recovered)).drift_detected).toBe(
      (await compareWithStripe(stripe, untouched)).drift_detected,
    );
  } finally {
    await recovered.end();
  }
});
