import { applyEvents } from '../../../core/billing/apply-events';
import { createTilled, type OpenTilled } from '../../../core/providers/tilled/client';
import { tilledProvider } from '../../../core/providers/tilled/provider';
import { readEvent } from '../../../core/providers/tilled/shapes';
import { tilledWebhooks } from '../../../core/providers/tilled/webhooks';
import { readBody, startHttpServer } from '../../../local/runtime/http-server';
import { startTilledStandIn, type TilledStandIn } from '../../../local/tilled/stand-in';
import { tilledEvent, tilledSubscription } from '../../factories/tilled-objects';
import { useStripeAndDatabase } from '../../support/stripe';

const { client, reconcile, rows } = useStripeAndDatabase();

const KEY = 'sk_tilled';
const SECRET = 'whsec_tilled';
const ACCOUNTS = ['acct_partner', 'acct_merchant'];
const HOUR_MS = 3_600_000;

let tilled: TilledStandIn;
beforeEach(async () => {
  tilled = await startTilledStandIn({ apiKey: KEY, maxLimit: 2 });
});
afterEach(() => tilled.stop());

const opened =
  (apiKey = KEY, stop?: AbortSignal): OpenTilled =>
  () =>
    Promise.resolve(
      createTilled(
        { apiKey, accounts: ACCOUNTS },
        { apiBase: tilled.url, firstBackoffMs: 1, callsPerSecond: 10_000, ...(stop && { stop }) },
      ),
    );

/** A subscription that began so many hours ago, in an account. */
function subscribed(number: number, hoursAgo: number, account = 'acct_merchant') {
  const created_at = new Date(Date.now() - hoursAgo * HOUR_MS).toISOString();
  const data = tilledSubscription({ id: `sub_${number}`, account_id: account, created_at, updated_at: created_at });
  return { ...tilledEvent('subscription.created', data), id: `evt_${number}`, account_id: account, created_at };
}

/** An event of Stripe's with the same id, which is in the ledger. */
const receiveOfStripe = (id: string) =>
  client().query(
    `INSERT INTO billing.webhook_events (provider, id, type, livemode, source, status, attempts, occurred_at, received_at, processed_at, payload)
     VALUES ('stripe', $1, 'plan.created', false, 'webhook', 'ignored', 1, now(), now(), now(), '{}')`,
    [id],
  );
const inLedger = () => rows(`SELECT id, source FROM billing.webhook_events WHERE provider = 'tilled' ORDER BY id`);
const subscriptions = async () => (await rows('SELECT id FROM billing.subscriptions ORDER BY id')).map(({ id }) => id);

/** An endpoint that verifies deliveries and applies them, or refuses. */
async function startEndpoint() {
  return startHttpServer(async (request, response) => {
    const body = (await readBody(request, 100_000))?.toString() ?? '';
    const header = request.headers['tilled-signature'] as string;
    const isSigned = tilledWebhooks.isSigned(body, header, { current: SECRET }, new Date());
    if (isSigned) {
      const event = readEvent(JSON.parse(body));
      await applyEvents(client(), tilledProvider, [{ event, source: 'webhook', receivedAt: new Date() }]);
    }
    response.writeHead(isSigned ? 200 : 400).end();
  });
}

test('events that Tilled listed and never delivered are applied once; delivered, forged and repeated ones change nothing', async () => {
  const endpoint = await startEndpoint();
  tilled.record(...[1, 2, 3, 4, 5].map((number) => subscribed(number, number)));
  tilled.record(subscribed(6, 1, 'acct_partner'), subscribed(7, 1, 'acct_of_another_partner'));
  const payment = subscribed(8, 1);
  tilled.record({ ...payment, type: 'platform_fee.created' });
  await receiveOfStripe('evt_4');
  expect(await tilled.deliver('evt_2', endpoint.url, SECRET)).toBe(200);
  expect(await tilled.deliver('evt_2', endpoint.url, SECRET)).toBe(200);
  expect(await tilled.deliver('evt_3', endpoint.url, 'whsec_forged')).toBe(400);
  await endpoint.stop();

  const dry = await reconcile({ dryRun: true }, { tilled: opened() });
  expect(dry).toMatchObject({ status: 'complete', eventsChecked: 6, eventsMissed: 5, corrected: 0 });
  expect(await subscriptions()).toEqual(['tilled:sub_2']);

  const healed = await reconcile({}, { tilled: opened() });
  expect(healed).toMatchObject({
    status: 'complete',
    eventsMissed: 5,
    corrected: 5,
    errors: 0,
    kinds: { event: { checked: 0, drift: 0 }, tilled_event: { checked: 6, drift: 5 } },
  });
  expect(await inLedger()).toEqual(
    [1, 2, 3, 4, 5, 6].map((number) => ({
      id: `evt_${number}`,
      source: number === 2 ? 'webhook' : 'reconciliation',
    })),
  );
  expect(await subscriptions()).toEqual([1, 2, 3, 4, 5, 6].map((number) => `tilled:sub_${number}`));
  expect(
    await rows(
      `SELECT object_id, corrected FROM billing.reconciliation_findings WHERE run_id = ${healed.runId} ORDER BY object_id`,
    ),
  ).toEqual([1, 3, 4, 5, 6].map((number) => ({ object_id: `tilled:evt_${number}`, corrected: true })));

  expect(await reconcile({}, { tilled: opened() })).toMatchObject({ eventsMissed: 0, drift_detected: 0 });
});

test('an event of before the window is not asked for, nor one that may still be delivered', async () => {
  tilled.record(subscribed(1, 8 * 24), subscribed(2, 6 * 24), subscribed(3, 0.01));
  expect(await reconcile({ daysBack: 7, settleSeconds: 900 }, { tilled: opened() })).toMatchObject({ eventsMissed: 1 });
  expect((await inLedger()).map(({ id }) => id)).toEqual(['evt_2']);
});

test('a run whose time is up continues at the page where it stopped', async () => {
  tilled.record(...[1, 2, 3, 4, 5].map((number) => subscribed(number, number)));
  const stop = new AbortController();
  const stopping: OpenTilled = async () => {
    const api = await opened(KEY, stop.signal)();
    return (
      api && {
        ...api,
        async listEvents(...query) {
          const page = await api.listEvents(...query);
          if (query[0] === 'acct_merchant') stop.abort();
          return page;
        },
      }
    );
  };
  const first = await reconcile({}, { tilled: stopping, stop: stop.signal });
  expect(first).toMatchObject({ status: 'interrupted', eventsMissed: 2 });
  expect((await inLedger()).map(({ id }) => id)).toEqual(['evt_1', 'evt_2']);

  const asked = tilled.requests.length;
  const second = await reconcile({}, { tilled: opened() });
  expect(second).toMatchObject({ runId: first.runId, status: 'complete', eventsMissed: 5, corrected: 5 });
  const offsets = tilled.requests.slice(asked).map(({ path }) => new URL(path, tilled.url).searchParams.get('offset'));
  expect(offsets).toEqual(['2', '4']);
});

test('a rate limit and a failure of Tilled are waited out, as long as it says', async () => {
  tilled.record(subscribed(1, 1));
  tilled.failNext(1, 429, 0.3);
  tilled.failNext(2, 500);
  expect(await reconcile({}, { tilled: opened() })).toMatchObject({ status: 'complete', corrected: 1 });
  const [limited, next] = tilled.requests;
  expect(tilled.requests.map(({ status }) => status)).toEqual([429, 500, 500, 200, 200]);
  expect((next?.atMs ?? 0) - (limited?.atMs ?? 0)).toBeGreaterThanOrEqual(290);
});

test.each([
  ['rejects the key', 'tilled_refused', () => opened('sk_old_secret')],
  ['is away', 'tilled_unavailable', () => (tilled.failNext(6, 500), opened())],
])(
  'a run during which Tilled %s fails as %s, after all that is Stripe’s, and names no key',
  async (_what, code, open) => {
    const tilledOf = open();
    const failure = await reconcile({}, { tilled: tilledOf }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code });
    expect(String(failure)).not.toContain('sk_old_secret');
    expect(await rows('SELECT status, progress ->> $$phase$$ AS phase FROM billing.reconciliation_runs')).toEqual([
      { status: 'failed', phase: 'tilled_events' },
    ]);
  },
);

test('an event that cannot be read fails the run, which names it, and the others are applied', async () => {
  tilled.record({ ...subscribed(1, 1), data: [] }, subscribed(2, 1));
  await expect(reconcile({}, { tilled: opened() })).rejects.toThrow(/tilled:evt_1: event.data: expected an object/);
  expect((await inLedger()).map(({ id }) => id)).toEqual(['evt_2']);
});
