import type { Client } from 'pg';
import { applyEvents } from '../../../core/billing/apply-events';
import { stripeProvider } from '../../../core/providers/stripe/provider';
import { readEvent } from '../../../core/providers/stripe/shapes';
import { createStripe } from '../../../core/providers/stripe/client';
import { pacedCaller } from '../../../core/providers/stripe/paced-caller';
import type { EventDependencies } from '../../../lambdas/replay/dependencies';
import { walkRange } from '../../../lambdas/replay/event-range';
import { retryEvents, retryFailed } from '../../../lambdas/replay/retry';
import { startStripeStandIn, type StripeStandIn } from '../../../local/stripe/stand-in';
import { createTestDatabase, type TestDatabase } from '../../support/database';

let database: TestDatabase;
let stripe: StripeStandIn;
let client: Client;

beforeEach(async () => {
  [database, stripe] = await Promise.all([createTestDatabase('billing'), startStripeStandIn()]);
  client = await database.client();
});
afterEach(() => Promise.all([database.drop(), stripe.stop()]));

const dependencies = (stop = new AbortController().signal): EventDependencies => ({
  client,
  stripe: createStripe('sk_test_1', stripe.url),
  call: pacedCaller({ callsPerSecond: 10_000, firstBackoffMs: 1 }),
  clock: () => new Date(),
  apply: {},
  stop,
});
const hoursAgo = (hours: number) => new Date(Date.now() - hours * 3_600_000);
const secondsOf = (date: Date) => Math.floor(date.getTime() / 1000);
const deliver = (...changes: { event: object }[]) =>
  applyEvents(
    client,
    stripeProvider,
    changes.map(({ event }) => ({ event: readEvent(event), source: 'webhook', receivedAt: new Date() })),
  );
const rows = async (sql: string) => (await client.query(sql)).rows;
const ledger = () => rows('SELECT id, status FROM billing.webhook_events ORDER BY occurred_at, id');

/** Three subscriptions at Stripe: one that was received, one that failed, and one whose event was never received. */
async function story() {
  const made = [3, 2, 1].map((hours) => stripe.state.createSubscription({ created: secondsOf(hoursAgo(hours)) }));
  const [received, failed, missing] = made.map(({ event }) => event);
  if (received === undefined || failed === undefined || missing === undefined) throw new Error('unreachable');
  await deliver({ event: received });
  // Its effect was refused when it came, for a reason that is gone now.
  await client.query(
    `INSERT INTO billing.webhook_events (id, type, livemode, source, status, attempts, error, occurred_at, received_at, payload)
     VALUES ($1, $2, false, 'webhook', 'failed', 3, 'it was refused', to_timestamp($3), now(), $4)`,
    [failed.id, failed.type, failed.created, failed],
  );
  return { received, failed, missing };
}

describe('gaps', () => {
  test('names what is missing and what failed in the range, and changes nothing', async () => {
    const { failed, missing } = await story();

    const report = await walkRange(dependencies(), { action: 'gaps', from: hoursAgo(24), dryRun: true });

    expect(report).toMatchObject({ checked: 3, outcomes: { already_processed: 1, failed: 1, missing: 1 } });
    expect(report.events).toEqual([
      expect.objectContaining({ id: missing.id, type: missing.type, outcome: 'missing' }),
      expect.objectContaining({ id: failed.id, outcome: 'failed', error: 'it was refused' }),
    ]);
    expect(await rows('SELECT count(*)::int FROM billing.subscriptions')).toEqual([{ count: 1 }]);
  });

  test('the range includes its start and excludes its end', async () => {
    const { event } = stripe.state.createSubscription({ created: secondsOf(hoursAgo(2)) });
    const at = new Date(event.created * 1000);
    const checked = async (from: Date, to: Date) =>
      (await walkRange(dependencies(), { action: 'gaps', from, to, dryRun: true })).checked;

    expect(await checked(at, new Date(at.getTime() + 1_000))).toBe(1);
    expect(await checked(hoursAgo(5), at)).toBe(0);
  });

  test('a range that begins before what Stripe still lists is refused, with the earliest moment', async () => {
    const asked = walkRange(dependencies(), { action: 'gaps', from: hoursAgo(31 * 24), dryRun: true });

    await expect(asked).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringMatching(/^from: Stripe lists the events of the last 30 days only, so from \d{4}-/),
    });
  });
});

describe('replay', () => {
  test('applies what is missing or failed in the range, and a second time nothing', async () => {
    await story();
    const replay = () => walkRange(dependencies(), { action: 'replay', from: hoursAgo(24), dryRun: false });

    expect(await replay()).toMatchObject({ checked: 3, outcomes: { already_processed: 1, processed: 2 } });
    expect(await rows('SELECT count(*)::int FROM billing.subscriptions')).toEqual([{ count: 3 }]);
    expect(await replay()).toMatchObject({ outcomes: { already_processed: 3 }, events: [] });
  });

  test('a dry run says what it would apply, and applies nothing', async () => {
    await story();
    const before = await ledger();

    expect(await walkRange(dependencies(), { action: 'replay', from: hoursAgo(24), dryRun: true })).toMatchObject({
      dry_run: true,
      outcomes: { already_processed: 1, would_apply: 2 },
    });
    expect(await ledger()).toEqual(before);
  });

  test('out of time, it answers with the range that is left, and going on with it misses nothing', async () => {
    const newest = secondsOf(hoursAgo(1));
    for (let index = 0; index < 250; index += 1) stripe.state.createSubscription({ created: newest - (index >> 1) });
    const timeIsUp = new AbortController();
    const base = dependencies(timeIsUp.signal);
    let calls = 0;
    const report = await walkRange(
      {
        ...base,
        call: (request) => {
          calls += 1;
          // Each of the type lists answers once; the second page of the one that has more does not come in time.
          if (stripe.requests.filter(({ query }) => query.includes('starting_after')).length === 0 && calls < 5) {
            return base.call(request);
          }
          timeIsUp.abort();
          return new Promise(() => undefined);
        },
      },
      { action: 'replay', from: hoursAgo(24), dryRun: false },
    );

    expect(report.outcomes.processed).toBeLessThan(250);
    if (report.next?.action !== 'replay') throw new Error('expected a request that goes on');
    const { from, to } = report.next;
    await walkRange(dependencies(), {
      action: 'replay',
      from: new Date(from),
      to: new Date(to ?? ''),
      dryRun: false,
    });
    expect(await rows('SELECT count(*)::int FROM billing.subscriptions')).toEqual([{ count: 250 }]);
  });
});

describe('retry', () => {
  test('applies a failed event from the ledger, without asking Stripe', async () => {
    const { failed } = await story();

    expect(await retryEvents(dependencies(), { events: [failed.id], dryRun: false })).toMatchObject({
      outcomes: { processed: 1 },
    });
    expect(stripe.requests).toEqual([]);
    expect(await rows(`SELECT status, error, attempts FROM billing.webhook_events WHERE id = '${failed.id}'`)).toEqual([
      { status: 'processed', error: null, attempts: 4 },
    ]);
  });

  test('fetches what the ledger lacks, leaves alone what was processed, and names what nobody knows', async () => {
    const { received, missing } = await story();

    const report = await retryEvents(dependencies(), {
      events: [received.id, missing.id, 'evt_nobody'],
      dryRun: false,
    });

    expect(report.outcomes).toEqual({ already_processed: 1, processed: 1, not_found: 1 });
    expect(await rows('SELECT count(*)::int FROM billing.subscriptions')).toEqual([{ count: 2 }]);
  });

  test('fetches an event that could not be stored when it came', async () => {
    const { failed } = await story();
    await client.query(`UPDATE billing.webhook_events SET payload = '{}' WHERE id = $1`, [failed.id]);

    expect(await retryFailed(dependencies(), { dryRun: false })).toMatchObject({ outcomes: { processed: 1 } });
    expect(stripe.requests).toHaveLength(1);
  });

  test('all failed are tried once each; what fails again is reported with its reason', async () => {
    const { object } = stripe.state.createSubscription();
    for (let index = 0; index < 150; index += 1) {
      const { event } = stripe.state.updateSubscription(object.id, { currency: index === 70 ? 'euro' : 'usd' });
      await client.query(
        `INSERT INTO billing.webhook_events (id, type, livemode, source, status, attempts, error, occurred_at, received_at, payload)
         VALUES ($1, $2, false, 'webhook', 'failed', 1, 'it was refused', now(), now(), $3)`,
        [event.id, event.type, event],
      );
    }

    const report = await retryFailed(dependencies(), { dryRun: false });

    expect(report).toMatchObject({ checked: 150, outcomes: { processed: 149, failed: 1 } });
    expect(report.events.filter(({ outcome }) => outcome === 'failed')).toEqual([
      expect.objectContaining({ error: 'subscription.currency: expected a three-letter currency' }),
    ]);
  });

  test('a dry run names what it would apply, and applies nothing', async () => {
    const { failed } = await story();

    expect(await retryFailed(dependencies(), { dryRun: true })).toMatchObject({
      dry_run: true,
      events: [{ id: failed.id, outcome: 'would_apply' }],
    });
    expect(await rows(`SELECT status FROM billing.webhook_events WHERE id = '${failed.id}'`)).toEqual([
      { status: 'failed' },
    ]);
  });

  test('out of time, it answers with the request that goes on after the last event', async () => {
    await story();
    const timeIsUp = new AbortController();
    timeIsUp.abort();

    expect(await retryFailed(dependencies(timeIsUp.signal), { after: 'evt_0', dryRun: false })).toMatchObject({
      checked: 0,
      next: { action: 'retry', events: 'failed', after: 'evt_0', dryRun: false },
    });
  });
});
