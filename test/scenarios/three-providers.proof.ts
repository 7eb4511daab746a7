import type { Client } from 'pg';
import Stripe from 'stripe';
import { applyEvents } from '../../core/billing/apply-events';
import { gatherEntitlementUpdates } from '../../core/entitlements/recompute';
import { WEBHOOK_ENDPOINTS, type ProviderName } from '../../core/providers/contract';
import { stripeProvider } from '../../core/providers/stripe/provider';
import type { StripeEvent } from '../../core/providers/stripe/shapes';
import { createTilled } from '../../core/providers/tilled/client';
import { tilledProvider } from '../../core/providers/tilled/provider';
import { readEvent as readTilled } from '../../core/providers/tilled/shapes';
import type { ReconciliationReport } from '../../lambdas/reconciliation/contract';
import { reconcile } from '../../lambdas/reconciliation/core';
import type { EventSource } from '../../local/aws/event-source';
import { waitUntil } from '../../local/pass/check';
import { signatureOf, startTilledStandIn, type SentEvent, type TilledStandIn } from '../../local/tilled/stand-in';
import { expectPayment, statusOf } from '../factories/bitcoin-payments';
import { startBundledFunctions, type BundledFunctions } from '../factories/bundled-functions';
import { createFastQueue, drainQueue, Mortal } from '../factories/chaos-endpoint';
import { stripeStory, tilledStory } from '../factories/chaos-stories';
import { RECONCILE_NOW, stripeWork } from '../factories/stripe-work';
import { spend, startBtcd, type Btcd } from '../proof/btcd';
import { BTCD, goTool } from '../proof/tools';
import { seededRandom, type Random } from '../simulation/random';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { putRules, RULES, unlikeGranted } from '../support/entitlements';
import { silentLog } from '../support/log';

/**
 * Stripe, Tilled and Bitcoin at the same time, through the bundles that are deployed, each in a process that is killed now and
 * then: events are dropped, doubled, late, reordered and forged, and the chain is reorganised. After reconciliation the
 * database is as one that got each event once and in order. `CHAOS_SEED` repeats a run.
 */
const SEED = Number(process.env.CHAOS_SEED ?? 20261129);
const SECRETS = { stripe: 'whsec_test', tilled: 'whsec_tilled' } as const;
const ACCOUNT = 'acct_chaos';
const TILLED_KEY = 'sk_tilled';
const RULES_OF_ALL = [
  ...RULES,
  { id: 'tilled', grants: { source: 'subscription', priceId: 'tilled:2900:usd:1month' }, features: ['pro'] },
] as const;
/** A mined coin can be spent 100 blocks later. */
const MATURE = 110;
const binary = goTool(BTCD);

let bundled: BundledFunctions;
let tilled: TilledStandIn;
let client: Client;
let calm: TestDatabase;
let source: EventSource;
let webhook: Mortal;
let processor: Mortal;
let reconciliation: Mortal;
let nodes: readonly [Btcd, Btcd] | undefined;
let random: Random;

beforeAll(async () => {
  random = seededRandom(SEED);
  [bundled, tilled, calm, nodes] = await Promise.all([
    startBundledFunctions(),
    startTilledStandIn({ apiKey: TILLED_KEY, maxLimit: 20 }),
    createTestDatabase('billing'),
    binary === undefined ? undefined : Promise.all([startBtcd(binary), startBtcd(binary)]),
  ]);
  const { secrets, environments, databases } = bundled;
  client = await databases.billing.client();
  await putRules(client, RULES_OF_ALL);
  await putRules(await calm.client(), RULES_OF_ALL);
  secrets.put('tilled-signing', { current: SECRETS.tilled });
  secrets.put('tilled-api', { apiKey: TILLED_KEY, accounts: [ACCOUNT] });
  const QUEUE_URL = await createFastQueue(`chaos-${process.pid}`);
  const mortal = (stem: string, changes: Readonly<Record<string, string>> = {}) =>
    new Mortal(() => bundled.start(stem, { ...environments[stem], ...changes }));
  webhook = mortal('webhook', { QUEUE_URL, TILLED_SIGNING_SECRET_ARN: 'tilled-signing' });
  processor = mortal('processor');
  reconciliation = mortal('reconciliation', { TILLED_API_SECRET_ARN: 'tilled-api', TILLED_API_BASE: tilled.url });
  let batches = 0;
  source = drainQueue(QUEUE_URL, (event) => {
    batches += 1;
    // Killed while it works: before its commit or after it, and before the queue hears of it.
    return processor.invoke(event, [2, 4, 7].includes(batches) ? 5 + random.integer(0, 60) : undefined);
  });
}, 120_000);
afterAll(async () => {
  await source?.stop();
  await Promise.all([bundled?.stop(), tilled?.stop(), calm?.drop(), ...(nodes ?? []).map((node) => node.stop())]);
});

type Genuine =
  | { readonly provider: 'stripe'; readonly event: StripeEvent }
  | { readonly provider: 'tilled'; readonly event: SentEvent };

interface Delivery {
  readonly provider: ProviderName;
  readonly body: string;
  readonly header: string;
  readonly expected: 200 | 400;
}

const stripeHeader = (payload: string, secret: string): string =>
  Stripe.webhooks.generateTestHeaderString({ payload, secret });
const headerOf = (provider: ProviderName, body: string): string =>
  provider === 'stripe' ? stripeHeader(body, SECRETS.stripe) : signatureOf(body, SECRETS.tilled, Date.now());

const deliveryOf = ({ provider, event }: Genuine): Delivery => {
  const body = JSON.stringify(event);
  return { provider, body, header: headerOf(provider, body), expected: 200 };
};

/** Events that no provider made: signed by another secret, by the other provider's scheme, at a time in the wrong unit. */
function forgeries({ event }: Genuine): Delivery[] {
  const body = JSON.stringify({ ...event, id: `${event.id}_forged` });
  const forged = (provider: ProviderName, header: string): Delivery => ({ provider, body, header, expected: 400 });
  return [
    forged('stripe', stripeHeader(body, 'whsec_forged')),
    forged('stripe', signatureOf(body, SECRETS.stripe, Date.now())),
    forged('tilled', signatureOf(body, 'whsec_forged', Date.now())),
    forged('tilled', stripeHeader(body, SECRETS.tilled)),
    forged('tilled', signatureOf(body, SECRETS.tilled, Math.floor(Date.now() / 1000))),
  ];
}

/** Sends until it is answered, as providers do. @returns the status */
async function send({ provider, body, header }: Delivery, killAfterMs?: number): Promise<number> {
  const { path, signatureHeader } = WEBHOOK_ENDPOINTS[provider];
  const event = {
    resource: path,
    isBase64Encoded: true,
    body: Buffer.from(body).toString('base64'),
    headers: { [signatureHeader]: header },
  };
  const invoke = (kill?: number) => webhook.invoke(event, kill) as Promise<{ statusCode: number }>;
  const { statusCode } = await invoke(killAfterMs).catch(() => invoke());
  return statusCode;
}

async function sendAll(deliveries: readonly Delivery[], kills: readonly number[]): Promise<void> {
  for (const [index, delivery] of deliveries.entries()) {
    const status = await send(delivery, kills.includes(index) ? random.integer(0, 4) : undefined);
    expect([index, delivery.provider, status]).toEqual([index, delivery.provider, delivery.expected]);
  }
}

/** Waits until the ledger has settled each of the events. */
async function settled(events: readonly Genuine[]): Promise<void> {
  await waitUntil(async () => {
    const { rows } = await client.query<{ key: string }>(
      `SELECT provider || ' ' || id AS key FROM billing.webhook_events WHERE status IN ('processed', 'ignored')`,
    );
    const known = new Set(rows.map(({ key }) => key));
    const open = events.filter(({ provider, event }) => !known.has(`${provider} ${event.id}`));
    return open.length === 0 ? undefined : `${open.length} of ${events.length} events are not settled`;
  }, 40_000);
}

/** What events and snapshots decide, without versions and times of arrival. Bitcoin's purchases are apart. */
async function stateOf(database: Client): Promise<unknown> {
  const table = (name: string, columns: string): string =>
    `(SELECT json_agg(to_json(t) ORDER BY t::text COLLATE "C")
      FROM (SELECT ${columns} FROM billing.${name} WHERE id NOT LIKE 'btc\\_%') AS t) AS ${name}`;
  const { rows } = await database.query(
    `SELECT ${[
      table('subscriptions', 'id, customer_id, user_id, project_id, status, cancel_at_period_end, canceled_at'),
      table('invoices', 'id, subscription_id, status, amount_paid'),
      table('purchases', 'id, user_id, project_id, kind, item_id, payment_status, amount_total, currency'),
      table('charges', 'id, status, amount, amount_refunded, currency'),
      table('refunds', 'id, charge_id, amount, status'),
    ].join(', ')},
     (SELECT json_agg(json_build_array(charge_id, total) ORDER BY charge_id) FROM (
        SELECT charge_id, sum(amount) AS total FROM billing.refund_entries GROUP BY charge_id) AS sums) AS refunded,
     (SELECT json_agg(json_build_array(provider, id, status) ORDER BY provider, id) FROM billing.webhook_events) AS ledger,
     (SELECT json_agg(json_build_array(user_id, project_id, feature, source_id, valid_until) ORDER BY user_id, feature, source_id)
        FROM billing.entitlements WHERE source_id NOT LIKE 'btc\\_%') AS entitlements`,
  );
  return rows[0];
}

/** A database that got each event once and in order, and was reconciled. */
async function calmState(events: readonly Genuine[]): Promise<unknown> {
  const database = await calm.client();
  const received = (event: unknown) => ({ event, source: 'webhook' as const, receivedAt: new Date() });
  for (const { provider, event } of events) {
    const { afterStore } = gatherEntitlementUpdates();
    if (provider === 'stripe') await applyEvents(database, stripeProvider, [received(event) as never], { afterStore });
    else await applyEvents(database, tilledProvider, [received(readTilled(event)) as never], { afterStore });
  }
  const opened = () =>
    Promise.resolve(createTilled({ apiKey: TILLED_KEY, accounts: [ACCOUNT] }, { apiBase: tilled.url }));
  const report = await reconcile(
    { ...stripeWork(bundled.stripe, database, { tilled: opened }), log: silentLog },
    RECONCILE_NOW,
  );
  expect(report).toMatchObject({ status: 'complete', eventsMissed: 0 });
  return stateOf(database);
}

/** Bitcoin's side: replaced, underpaid, reorganised out, double-spent; the function is killed now and then. */
async function liveBitcoin([a, b]: readonly [Btcd, Btcd]): Promise<readonly string[]> {
  bundled.secrets.put('node', a.credentials);
  const environment = { ...bundled.environments.confirmations, NODE_URL: a.url };
  const confirmations = new Mortal(() => bundled.start('confirmations', environment));
  const look = async (killAfterMs?: number): Promise<void> => {
    await confirmations.invoke({ dryRun: false }, killAfterMs).catch(() => confirmations.invoke({ dryRun: false }));
  };
  await a.mine(MATURE);
  await a.connect(b);
  await look();
  const expected = (blocks = 1) => expectPayment(client, { confirmations: blocks, item: 'b' });
  const payments = [await expected(2), await expected(), await expected(), await expected(), await expected()] as const;
  const [plain, low, bumped, stolen, reorganised] = payments;
  const late = await expectPayment(client, { confirmations: 1, expiresInSeconds: -60 });
  const coins = await Promise.all([1, 2, 3, 4, 5, 6, 7].map((height) => a.coin(height)));
  const pay = (coin: number, ...outputs: { address: string; amount: number }[]) => spend(coins[coin]!, outputs);
  await a.send(pay(0, plain));
  await a.send(pay(1, { ...low, amount: low.amount - 1_000 }));
  await a.send(pay(2, bumped));
  await a.send(pay(6, late));
  await look(20 + random.integer(0, 200));
  await a.send(spend(coins[2]!, [bumped], { fee: 90_000 }));
  await a.send(pay(3, { ...low, amount: 1_000 }));
  await a.mine(1);
  await look();
  await a.disconnect(b);
  await a.send(pay(4, stolen));
  await a.send(pay(5, reorganised));
  await a.mine(2);
  await look();
  const before = await Promise.all([stolen, reorganised].map((payment) => statusOf(client, payment)));
  // The other branch spends the coins of one payment elsewhere, has not the other, and is longer.
  await b.send(spend(coins[4]!, [], { fee: 50_000 }));
  await b.mine(4);
  await a.connect(b);
  await look(20 + random.integer(0, 200));
  const during = await Promise.all([stolen, reorganised].map((payment) => statusOf(client, payment)));
  await a.mine(2);
  await look();
  const { rows } = await client.query<{ depth: number }>('SELECT depth FROM billing.bitcoin_reorganisations');
  const after = await Promise.all([...payments, late].map((payment) => statusOf(client, payment)));
  const { rows: granted } = await client.query<{ source_id: string }>(
    `SELECT source_id FROM billing.entitlements WHERE source_id LIKE 'btc\\_%'`,
  );
  expect(new Set(granted.map(({ source_id: id }) => id))).toEqual(
    new Set([plain, low, bumped, reorganised].map(({ id }) => id)),
  );
  expect([before, during, after, rows.map(({ depth }) => depth)]).toEqual([
    ['settled block', 'settled block'],
    ['failed double_spent', 'seen mempool'],
    [
      'settled block',
      'settled block block',
      expect.stringMatching(/^settled (block replaced|replaced block)$/),
      'failed double_spent',
      'settled block',
      'late block',
    ],
    [2],
  ]);
  return [`confirmations killed ${confirmations.killed} times`, 'one reorganisation of 2 blocks'];
}

test(`three providers at once lose, double and alter nothing (CHAOS_SEED=${SEED})`, async () => {
  const started = performance.now();
  const ofStripe = stripeStory(bundled.stripe.state, 90, random);
  const ofTilled = tilledStory(ACCOUNT, 14, random);
  tilled.record(...ofTilled);
  const genuine: readonly Genuine[] = [
    ...ofStripe.map((event) => ({ provider: 'stripe' as const, event })),
    ...ofTilled.map((event) => ({ provider: 'tilled' as const, event })),
  ];
  const fates = genuine.map(() => random.next());
  const dropped = genuine.filter((_, index) => fates[index]! < 0.12);
  // Delivered only after reconciliation has applied them.
  const late = genuine.filter((_, index) => fates[index]! >= 0.12 && fates[index]! < 0.2);
  const delivered = genuine.filter((_, index) => fates[index]! >= 0.2);
  const doubled = delivered.filter(() => random.chance(0.25));
  const forged = [genuine[0]!, genuine.at(-1)!].flatMap(forgeries);
  const inSomeOrder = random.shuffled([...[...delivered, ...doubled].map(deliveryOf), ...forged]);

  const [bitcoin] = await Promise.all([
    nodes === undefined ? ['Bitcoin skipped: no btcd'] : liveBitcoin(nodes),
    sendAll(inSomeOrder, [9, 40, 90]).then(() => settled(delivered)),
  ]);
  const run = (killAfterMs?: number) =>
    reconciliation.invoke({ dryRun: false, settleSeconds: 0 }, killAfterMs) as Promise<ReconciliationReport>;
  await run(600 + random.integer(0, 900)).catch(() => undefined);
  expect(await run()).toMatchObject({ status: 'complete' });
  await sendAll(late.map(deliveryOf), []);
  await settled(genuine);
  expect(await run()).toMatchObject({ status: 'complete', eventsMissed: 0, drift_detected: 0 });

  expect(await stateOf(client)).toEqual(await calmState(genuine));
  expect(await unlikeGranted(client)).toEqual([]);
  const { rows: sources } = await client.query<{ provider: string; source: string; events: number }>(
    'SELECT provider, source, count(*)::int AS events FROM billing.webhook_events GROUP BY 1, 2 ORDER BY 1, 2',
  );
  expect(processor.killed).toBeGreaterThan(0);
  console.info(
    [
      `CHAOS_SEED=${SEED}: ${ofStripe.length} events of Stripe, ${ofTilled.length} of Tilled; ${dropped.length} dropped, ${late.length} after ` +
        `reconciliation, ${doubled.length} twice, ${forged.length} forged, all in a random order`,
      `killed at work: webhook ${webhook.killed}, processor ${processor.killed}, reconciliation ${reconciliation.killed} times`,
      ...bitcoin,
      `ledger: ${sources.map(({ provider, source: by, events }) => `${events} of ${provider} by ${by}`).join(', ')}`,
      `${((performance.now() - started) / 1000).toFixed(1)} s`,
    ].join('\n'),
  );
}, 180_000);
