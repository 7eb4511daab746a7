import type { Client } from 'pg';
import type { CallStripe } from '../../../core/providers/stripe/paced-caller';
import { unpacedCaller } from '../../factories/stripe-work';
import { daysAgoSeconds, useStripeAndDatabase } from '../../support/stripe';

/** The events are listed by three calls, of 20 types at most each, before anything else. */
const EVENT_CALLS = 3;
/** Where a page differs, the events that are still on their way are listed. The page behind it is being read meanwhile. */
const CALLS_PER_PAGE = 1 + EVENT_CALLS;

const { client, database, deliver, reconcile, rows, stripe } = useStripeAndDatabase();

/** Creates subscriptions before the window, so that only their comparison finds them. */
function createSubscriptions(count: number): void {
  const newest = daysAgoSeconds(30);
  for (let index = 0; index < count; index += 1) stripe().state.createSubscription({ created: newest - index * 60 });
}

/** Overrides by which the time is up when the given call is due. */
function timeIsUpAtCall(number: number): { call: CallStripe; stop: AbortSignal } {
  const [call, timeIsUp] = [unpacedCaller(), new AbortController()];
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

const listCalls = () => stripe().requests.filter(({ path }) => path === '/v1/subscriptions').length;

test('a run out of time is interrupted, and the next invocation continues where it stopped', async () => {
  createSubscriptions(450);
  // The first 300 subscriptions, and the fourth page; judging that is cut off.
  const first = await reconcile({}, timeIsUpAtCall(EVENT_CALLS + 3 * CALLS_PER_PAGE + 2));

  expect(first).toMatchObject({ status: 'interrupted', subscriptions_checked: 300, corrected: 300 });
  expect(await rows('SELECT status, finished_at FROM billing.reconciliation_runs')).toEqual([
    { status: 'interrupted', finished_at: null },
  ]);

  const second = await reconcile();

  expect(second).toMatchObject({ runId: first.runId, status: 'complete', subscriptions_checked: 450, corrected: 450 });
  expect(listCalls()).toBe(6);
  expect(await rows('SELECT status, invocations FROM billing.reconciliation_runs')).toEqual([
    { status: 'complete', invocations: 2 },
  ]);
  expect(await rows('SELECT count(*)::int FROM billing.reconciliation_listed_objects')).toEqual([{ count: 0 }]);
});

test('a run that is interrupted several times becomes complete, and counts and corrects everything once', async () => {
  createSubscriptions(450);
  let invocations = 0;
  let status = '';
  while (status !== 'complete') {
    invocations += 1;
    ({ status } = await reconcile({}, timeIsUpAtCall(EVENT_CALLS + CALLS_PER_PAGE + 2)));
  }

  expect(invocations).toBeGreaterThan(3);
  expect(await rows('SELECT subscriptions_checked, corrected FROM billing.reconciliation_runs')).toEqual([
    { subscriptions_checked: 450, corrected: 450 },
  ]);
  expect(await rows('SELECT count(*)::int FROM billing.reconciliation_findings')).toEqual([{ count: 450 }]);
});

test('a run whose process was killed continues after its last page, and reports nothing as missing at Stripe', async () => {
  createSubscriptions(450);
  const killed = await database().client();
  const call = unpacedCaller();
  let made = 0;
  const dying = reconcile(
    {},
    {
      client: killed,
      call: async (request) => {
        const number = (made += 1);
        const answer = await call(request);
        if (number === EVENT_CALLS + 3 * CALLS_PER_PAGE) await endConnection(killed);
        return answer;
      },
    },
  );
  await expect(dying).rejects.toThrow(/terminat|connection|ECONNRESET|EPIPE/i);
  const before = listCalls();

  expect(await reconcile()).toMatchObject({
    status: 'complete',
    subscriptions_checked: 450,
    drift_detected: 450,
    corrected: 450,
  });
  expect(listCalls() - before).toBeLessThan(4);
});

async function endConnection(connection: Client): Promise<void> {
  await client().query(`SELECT pg_terminate_backend($1)`, [(connection as { processID?: number }).processID]);
}

test('a dry run leaves the interrupted one open, and one of its own continues without correcting', async () => {
  createSubscriptions(250);
  const interrupted = await reconcile({}, timeIsUpAtCall(EVENT_CALLS + CALLS_PER_PAGE + 2));

  expect(await reconcile({ dryRun: true }, timeIsUpAtCall(EVENT_CALLS + CALLS_PER_PAGE + 2))).toMatchObject({
    status: 'interrupted',
  });
  expect(await reconcile({ dryRun: true })).toMatchObject({ drift_detected: 150, corrected: 0 });
  expect(await reconcile()).toMatchObject({ runId: interrupted.runId, subscriptions_checked: 250 });
});

test('an interrupted run of two days ago is closed as failed, and a new one begins', async () => {
  createSubscriptions(150);
  const clock = () => new Date(daysAgoSeconds(2) * 1_000);
  await reconcile({}, { clock, ...timeIsUpAtCall(EVENT_CALLS + CALLS_PER_PAGE + 2) });

  expect(await reconcile()).toMatchObject({ status: 'complete', subscriptions_checked: 150, corrected: 50 });
  expect(await rows('SELECT status, error FROM billing.reconciliation_runs ORDER BY id')).toEqual([
    { status: 'failed', error: 'The run was interrupted and not continued' },
    { status: 'complete', error: null },
  ]);
});

test('a run whose position names an unknown list fails instead of skipping what it has not read', async () => {
  createSubscriptions(150);
  await reconcile({}, timeIsUpAtCall(EVENT_CALLS + CALLS_PER_PAGE + 2));
  await client().query(`UPDATE billing.reconciliation_runs SET progress = jsonb_set(progress, '{phase}', '"payouts"')`);

  await expect(reconcile()).rejects.toThrow('The run stopped in a list that is not read any more: payouts');
  expect(await reconcile()).toMatchObject({ status: 'complete', subscriptions_checked: 150 });
});

test('a long list is read in four lanes at once, and each subscription once', async () => {
  createSubscriptions(4_300);
  await deliver(
    ...stripe()
      .state.events.newestFirst()
      .map((event) => ({ event })),
  );
  const call = unpacedCaller();
  let underWay = 0;
  let most = 0;
  const counting: CallStripe = async (request) => {
    underWay += 1;
    most = Math.max(most, underWay);
    return call(request).finally(() => {
      underWay -= 1;
    });
  };

  expect(await reconcile({}, { call: counting })).toMatchObject({ subscriptions_checked: 4_300, drift_detected: 0 });
  expect(most).toBe(4);
  expect(listCalls()).toBeLessThanOrEqual(43 + 4);
});
