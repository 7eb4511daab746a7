import type { Client } from 'pg';
import { applyEvents } from '../../../core/billing/apply-events';
import { stripeProvider } from '../../../core/providers/stripe/provider';
import { readEvent } from '../../../core/providers/stripe/shapes';
import { createStripe } from '../../../core/providers/stripe/client';
import { pacedCaller, type CallStripe } from '../../../core/providers/stripe/paced-caller';
import { reconcile } from '../../../lambdas/reconciliation/core';
import { startStripeStandIn, type StripeStandIn } from '../../../local/stripe/stand-in';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { silentLog } from '../../support/log';

const DAY_SECONDS = 86_400;
/** The events are listed by two calls, of 20 types at most each, before anything else. */
const EVENT_CALLS = 2;

let database: TestDatabase;
let stripe: StripeStandIn;

beforeEach(async () => {
  [database, stripe] = await Promise.all([createTestDatabase('billing'), startStripeStandIn()]);
});
afterEach(() => Promise.all([database.drop(), stripe.stop()]));

interface Invocation {
  readonly client: Client;
  readonly call?: CallStripe;
  readonly stop?: AbortSignal;
  readonly dryRun?: boolean;
  readonly now?: Date;
}

const calls = () => pacedCaller({ callsPerSecond: 10_000, firstBackoffMs: 1 });

const invoke = ({ client, call = calls(), stop, dryRun = false, now = new Date() }: Invocation) =>
  reconcile(
    { client, stripe: createStripe('sk_test_1', stripe.url), call, clock: () => now, log: silentLog, stop },
    { daysBack: 7, dryRun, settleSeconds: 0 },
  );

/** Makes subscriptions that are older than the window, so that only their comparison finds them. */
function makeSubscriptions(count: number): void {
  const newest = Math.floor(Date.now() / 1000) - 30 * DAY_SECONDS;
  for (let index = 0; index < count; index += 1) stripe.state.createSubscription({ created: newest - index * 60 });
}

/** Calls of which the given one is never made: the time is up. */
function timeIsUpAtCall(number: number): { call: CallStripe; stop: AbortSignal } {
  const [call, timeIsUp] = [calls(), new AbortController()];
  let made = 0;
  return {
    stop: timeIsUp.signal,
    call: (request) => {
      made += 1;
      if (made < number) return call(request);
      timeIsUp.abort();
      return new Promise(() => undefined);
    },
  };
}

const listCalls = () => stripe.requests.filter(({ path }) => path === '/v1/subscriptions').length;
const rows = async (client: Client, sql: string) => (await client.query(sql)).rows;

test('a run out of time is interrupted, and the next invocation goes on where it stopped', async () => {
  makeSubscriptions(450);
  const client = await database.client();
  // Three calls for the first 300 subscriptions; the one for the fourth page is cut off.
  const first = await invoke({ client, ...timeIsUpAtCall(EVENT_CALLS + 4) });

  expect(first).toMatchObject({ status: 'interrupted', subscriptions_checked: 300, corrected: 300 });
  expect(await rows(client, 'SELECT status, finished_at FROM billing.reconciliation_runs')).toEqual([
    { status: 'interrupted', finished_at: null },
  ]);

  const second = await invoke({ client });

  expect(second).toMatchObject({ runId: first.runId, status: 'complete', subscriptions_checked: 450, corrected: 450 });
  expect(listCalls()).toBe(5);
  expect(await rows(client, 'SELECT status, invocations FROM billing.reconciliation_runs')).toEqual([
    { status: 'complete', invocations: 2 },
  ]);
  expect(await rows(client, 'SELECT count(*)::int FROM billing.reconciliation_listed_subscriptions')).toEqual([
    { count: 0 },
  ]);
});

test('a run that is stopped again and again becomes complete, and counts and corrects everything once', async () => {
  makeSubscriptions(450);
  const client = await database.client();
  let invocations = 0;
  let status = '';
  while (status !== 'complete') {
    invocations += 1;
    ({ status } = await invoke({ client, ...timeIsUpAtCall(3) }));
  }

  expect(invocations).toBeGreaterThan(3);
  expect(await rows(client, 'SELECT subscriptions_checked, corrected FROM billing.reconciliation_runs')).toEqual([
    { subscriptions_checked: 450, corrected: 450 },
  ]);
  expect(await rows(client, 'SELECT count(*)::int FROM billing.reconciliation_findings')).toEqual([{ count: 450 }]);
});

test('a run whose process was killed goes on after its last page, and reports nothing as missing at Stripe', async () => {
  makeSubscriptions(450);
  const [killed, client] = [await database.client(), await database.client()];
  const call = calls();
  let made = 0;
  const dying = invoke({
    client: killed,
    call: async (request) => {
      made += 1;
      const answer = await call(request);
      if (made === EVENT_CALLS + 4)
        await client.query(`SELECT pg_terminate_backend($1)`, [(killed as { processID?: number }).processID]);
      return answer;
    },
  });
  await expect(dying).rejects.toThrow(/terminat|connection|ECONNRESET|EPIPE/i);
  const before = listCalls();

  const resumed = await invoke({ client });

  expect(resumed).toMatchObject({
    status: 'complete',
    subscriptions_checked: 450,
    drift_detected: 450,
    corrected: 450,
  });
  expect(listCalls() - before).toBeLessThan(4);
});

test('a dry run leaves the interrupted one open, and one of its own goes on without correcting', async () => {
  makeSubscriptions(250);
  const client = await database.client();
  const interrupted = await invoke({ client, ...timeIsUpAtCall(EVENT_CALLS + 2) });

  expect(await invoke({ client, dryRun: true, ...timeIsUpAtCall(EVENT_CALLS + 3) })).toMatchObject({
    status: 'interrupted',
  });
  expect(await invoke({ client, dryRun: true })).toMatchObject({ drift_detected: 150, corrected: 0 });
  expect(await invoke({ client })).toMatchObject({ runId: interrupted.runId, subscriptions_checked: 250 });
});

test('an interrupted run of two days ago is closed as failed, and a new one begins', async () => {
  makeSubscriptions(150);
  const client = await database.client();
  const now = new Date(Date.now() - 2 * DAY_SECONDS * 1_000);
  await invoke({ client, now, ...timeIsUpAtCall(EVENT_CALLS + 2) });

  expect(await invoke({ client })).toMatchObject({ status: 'complete', subscriptions_checked: 150, corrected: 50 });
  expect(await rows(client, 'SELECT status, error FROM billing.reconciliation_runs ORDER BY id')).toEqual([
    { status: 'failed', error: 'The run was interrupted and not continued' },
    { status: 'complete', error: null },
  ]);
});

test('a list that is long enough is read in four lanes at once, and each subscription once', async () => {
  makeSubscriptions(4_300);
  const client = await database.client();
  await applyEvents(
    client,
    stripeProvider,
    stripe.state.events
      .newestFirst()
      .map((event) => ({ event: readEvent(event), source: 'webhook', receivedAt: new Date() })),
  );
  const call = calls();
  let underWay = 0;
  let most = 0;
  const summary = await invoke({
    client,
    call: async (request) => {
      underWay += 1;
      most = Math.max(most, underWay);
      return call(request).finally(() => {
        underWay -= 1;
      });
    },
  });

  expect(summary).toMatchObject({ subscriptions_checked: 4_300, drift_detected: 0 });
  expect(most).toBe(4);
  expect(listCalls()).toBeLessThanOrEqual(43 + 4);
});
