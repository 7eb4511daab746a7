import { applyEvents } from '../../../core/billing/apply-events';
import { createTilled, type OpenTilled } from '../../../core/providers/tilled/client';
import { tilledProvider } from '../../../core/providers/tilled/provider';
import { startTilledStandIn, type TilledStandIn } from '../../../local/tilled/stand-in';
import { tilledEvent, tilledSubscription } from '../../factories/tilled-objects';
import { useStripeAndDatabase } from '../../support/stripe';

const { client, replay, rows } = useStripeAndDatabase();

let tilled: TilledStandIn;
beforeEach(async () => {
  tilled = await startTilledStandIn({ apiKey: 'sk_tilled', maxLimit: 2 });
});
afterEach(() => tilled.stop());

const open: OpenTilled = () => {
  const secret = { apiKey: 'sk_tilled', accounts: ['acct_1', 'acct_2'] };
  return Promise.resolve(createTilled(secret, { apiBase: tilled.url, firstBackoffMs: 1, callsPerSecond: 10_000 }));
};

const provider = 'tilled';
const from = new Date(Date.now() - 86_400_000).toISOString();

/** A subscription that began so many hours ago. */
function subscribed(number: number, account_id = 'acct_1') {
  const created_at = new Date(Date.now() - number * 3_600_000).toISOString();
  const data = tilledSubscription({ id: `sub_${number}`, account_id, created_at, updated_at: created_at });
  return { ...tilledEvent('subscription.created', data), id: `evt_${number}`, account_id, created_at };
}

/** Events of 1, 2 and 3 hours ago: never received, failed for a reason that has gone, and applied. */
async function createThree() {
  const [missing, failed, received] = [subscribed(1), subscribed(2), subscribed(3, 'acct_2')];
  tilled.record(missing, failed, received);
  await applyEvents(client(), tilledProvider, [{ event: received, source: 'webhook', receivedAt: new Date() }]);
  await record('tilled', failed, 'failed');
  // Events of Stripe's may have the same ids.
  await record('stripe', failed, 'failed');
  await record('stripe', missing, 'processed');
}

async function record(name: string, event: { readonly id: string; readonly created_at: string }, status: string) {
  await client().query(
    `INSERT INTO billing.webhook_events
       (provider, id, type, livemode, source, status, attempts, error, occurred_at, received_at, processed_at, payload)
     VALUES ($1, $2, 'subscription.created', true, 'webhook', $3, 3,
       CASE $3 WHEN 'failed' THEN 'it was refused' END, $4, now(), CASE $3 WHEN 'processed' THEN now() END, $5)`,
    [name, event.id, status, event.created_at, event],
  );
}

const ledger = async () =>
  (await rows('SELECT provider, id, status FROM billing.webhook_events ORDER BY provider, id')).map(
    (row) => `${row.provider} ${row.id} ${row.status}`,
  );

test('gaps of Tilled names what it lists and the ledger lacks or has as failed; replay applies these alone', async () => {
  await createThree();
  const gaps = await replay({ action: 'gaps', provider, from }, { tilled: open });
  expect(gaps.outcomes).toEqual({ missing: 1, failed: 1, alreadyProcessed: 1 });
  expect(gaps.events).toMatchObject([
    { id: 'evt_1', type: 'subscription.created', created: expect.any(String), outcome: 'missing' },
    { id: 'evt_2', outcome: 'failed', error: 'it was refused' },
  ]);

  const applied = await replay({ action: 'replay', provider, from, dryRun: false }, { tilled: open });
  expect(applied.outcomes).toEqual({ processed: 2, alreadyProcessed: 1 });
  expect(await ledger()).toEqual([
    'stripe evt_1 processed',
    'stripe evt_2 failed',
    'tilled evt_1 processed',
    'tilled evt_2 processed',
    'tilled evt_3 processed',
  ]);
});

test('a failed event of Tilled is applied by a retry, from the ledger; what it lacks, from Tilled', async () => {
  await createThree();
  const dry = await replay({ action: 'retry', provider, events: 'failed' }, { tilled: open });
  expect(dry.outcomes).toEqual({ wouldApply: 1 });
  const failed = await replay({ action: 'retry', provider, events: 'failed', dryRun: false }, { tilled: open });
  expect(failed.events).toMatchObject([{ id: 'evt_2', outcome: 'processed' }]);
  expect(tilled.requests).toEqual([]);

  // Of the second account: the first one is asked before it.
  tilled.record(subscribed(4, 'acct_2'));
  const events = ['evt_1', 'evt_3', 'evt_4', 'evt_9'];
  const named = await replay({ action: 'retry', provider, events, dryRun: false }, { tilled: open });
  expect(named.outcomes).toEqual({ processed: 2, alreadyProcessed: 1, notFound: 1 });
  expect(await rows('SELECT id, status FROM billing.subscriptions ORDER BY id')).toEqual(
    [1, 2, 3, 4].map((number) => ({ id: `tilled:sub_${number}`, status: 'active' })),
  );
  expect(await ledger()).toContain('stripe evt_2 failed');
});

test('a dismissal closes the event of the provider that it names', async () => {
  await createThree();
  const dismissal = {
    action: 'dismiss',
    events: ['evt_2'],
    reason: 'made by a test',
    by: 'Ann',
    dryRun: false,
  } as const;
  expect((await replay({ ...dismissal, provider })).outcomes).toEqual({ dismissed: 1 });
  expect((await ledger()).filter((row) => row.includes('evt_2'))).toEqual([
    'stripe evt_2 failed',
    'tilled evt_2 dismissed',
  ]);
});

test('a range that takes longer than an invocation continues behind its last page', async () => {
  tilled.record(subscribed(1), subscribed(2), ...[3, 4, 5].map((number) => subscribed(number, 'acct_2')));
  const stop = new AbortController();
  const stopping: OpenTilled = async () => {
    const api = await open();
    return (
      api && {
        ...api,
        async listEvents(...query) {
          const page = await api.listEvents(...query);
          if (query[0] === 'acct_2') stop.abort();
          return page;
        },
      }
    );
  };
  const request = { action: 'replay', provider, from, dryRun: false } as const;
  const first = await replay(request, { tilled: stopping, stop: stop.signal });
  expect(first).toMatchObject({ checked: 4, next: { position: { account: 'acct_2', offset: 2 } } });
  const second = await replay(first.next as typeof request, { tilled: open });
  expect(second).toMatchObject({ checked: 1, outcomes: { processed: 1 } });
  expect(second.next).toBeUndefined();
});

test('an environment that takes no Tilled refuses to look for its events', async () => {
  await expect(replay({ action: 'gaps', provider, from })).rejects.toThrow(
    'provider: this environment takes no Tilled',
  );
});
