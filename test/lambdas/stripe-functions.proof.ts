import { randomBytes } from 'node:crypto';
import { CreateQueueCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { createCache } from '../../core/cache/connection';
import { createEntitlementCache } from '../../core/entitlements/entitlement-cache';
import { startCacheServer } from '../support/cache-server';
import { putRules, RULES } from '../support/entitlements';
import { testServices } from '../support/services';
import { metricsOf, useStripeHandlers, type Surroundings } from '../support/stripe-handlers';

/** The handlers of the functions that read from Stripe and look after what was stored, with everything around them real. */
const { start, surroundings } = useStripeHandlers();
let client: Surroundings['client'];
let secrets: Surroundings['secrets'];
let stripe: Surroundings['stripe'];
beforeEach(() => {
  ({ client, secrets, stripe } = surroundings());
});
const cleanUp: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(cleanUp.splice(0).map((action) => action()));
});

const hoursAgo = (hours: number) => Math.floor(Date.now() / 1000) - hours * 3_600;
const rows = async (sql: string) => (await client.query(sql)).rows;

describe('reconciliation', () => {
  test('leaves the last quarter of an hour out unless the request says otherwise, and publishes what it found', async () => {
    stripe.state.createSubscription({ created: hoursAgo(5) });
    stripe.state.createSubscription();
    const reconciliation = await start('reconciliation');

    const first = reconciliation.invoke({ dryRun: false });
    expect(await first.result).toMatchObject({ status: 'complete', eventsMissed: 1, subscriptions_checked: 1 });
    expect(metricsOf(first.records, 'reconciliation')).toEqual({
      ReconciliationSucceeded: 1,
      DriftDetected: 1,
      MissedEvents: 1,
      ReconciliationDuration: expect.any(Number),
    });

    const second = reconciliation.invoke({ dryRun: false, settleSeconds: 0 });
    expect(await second.result).toMatchObject({ eventsMissed: 1, subscriptions_checked: 2 });
  });

  test('out of time is interrupted, neither succeeded nor failed', async () => {
    const { result, records } = (await start('reconciliation')).invoke({ dryRun: false }, 0);

    expect(await result).toMatchObject({ status: 'interrupted' });
    expect(metricsOf(records, 'reconciliation')).toMatchObject({ ReconciliationInterrupted: 1 });
    expect(Object.keys(metricsOf(records, 'reconciliation'))).not.toContain('ReconciliationSucceeded');
  });

  test.each([
    ['false', 'a live key', 'rk_live_secret', 'holds a live key, and this environment takes test events'],
    ['true', 'a test key', 'sk_test_secret', 'holds a test key, and this environment takes live events'],
    ['true', 'no key', 'placeholder-secret', "holds no API key of Stripe's, and this environment takes live events"],
  ])('where LIVEMODE is %s, %s is refused before anything is asked or stored', async (livemode, _, apiKey, reason) => {
    secrets.put('stripe', { apiKey });
    stripe.state.createSubscription({ created: hoursAgo(5) });
    const { result, records, logLines } = (await start('reconciliation', { LIVEMODE: livemode })).invoke({
      dryRun: false,
    });

    await expect(result).rejects.toMatchObject({ code: 'configuration', message: expect.stringContaining(reason) });
    await expect(result).rejects.toThrow(/Secret stripe .* begins with rk_(live|test)_$/);
    await expect(result).rejects.not.toThrow('secret_');
    expect(logLines.join('')).not.toContain(apiKey);
    expect(stripe.requests).toEqual([]);
    expect(await rows('SELECT count(*)::int FROM billing.reconciliation_runs')).toEqual([{ count: 0 }]);
    expect(metricsOf(records, 'reconciliation')).toEqual({ ReconciliationFailed: 1 });
  });

  test('that fails invalidates what is cached of what it corrected before, and counts as failed', async () => {
    const server = await startCacheServer();
    // Patient, so that a busy machine is not taken for a cache that is away.
    const connection = createCache({ url: server.url, deadlineMs: 20_000, onUnavailable: () => undefined });
    cleanUp.push(() => {
      connection.close();
      return server.close();
    });
    const cached = createEntitlementCache(connection);
    const bought = stripe.state.createSubscription({ created: hoursAgo(5), metadata: { user_id: 'user_1' } });
    const priceId = bought.object.items.data[0]?.price.id ?? '';
    await putRules(client, [
      { id: 'pro', grants: { source: 'subscription', priceId, graceDays: 3 }, features: ['pro'] },
    ]);
    await cached.put('user_1', '', { version: 0, entitlements: [] });
    const { object } = stripe.state.createSubscription({ created: hoursAgo(2_000) });
    stripe.state.subscriptions.put({ ...object, currency: 'euro' });
    const { result, records } = (await start('reconciliation', { CACHE_URL: server.url })).invoke({
      dryRun: false,
    });

    await expect(result).rejects.toMatchObject({ code: 'reconciliation_incomplete' });
    const metrics = metricsOf(records, 'reconciliation');
    expect(metrics).toMatchObject({ ReconciliationFailed: 1 });
    // On a busy machine the cache may not have answered in time, which the function tells.
    const left = 'CacheUnavailable' in metrics ? undefined : await cached.get('user_1', '');
    expect(left).toBeUndefined();
    expect(await rows('SELECT status FROM billing.reconciliation_runs')).toEqual([{ status: 'failed' }]);
  });

  test.each([
    [{ settleSeconds: -1 }, 'settleSeconds: expected a whole number of seconds up to 900'],
    [{ settleSeconds: 901 }, 'settleSeconds: expected a whole number of seconds up to 900'],
    [{ dryRun: 'yes' }, 'dryRun: expected true or false'],
  ])('refuses %j with the field and the form', async (request, reason) => {
    const { result } = (await start('reconciliation')).invoke(request);
    await expect(result).rejects.toMatchObject({ code: 'invalid_request', message: expect.stringContaining(reason) });
  });
});

describe('replay', () => {
  test('publishes what it applied, and of a gap report nothing that failed', async () => {
    stripe.state.createSubscription({ created: hoursAgo(5) });
    const replay = await start('replay');
    const from = new Date(hoursAgo(24) * 1_000).toISOString();

    const gaps = replay.invoke({ action: 'gaps', from });
    expect(await gaps.result).toMatchObject({ outcomes: { missing: 1 } });
    expect(metricsOf(gaps.records, 'replay')).toEqual({ EventsReplayed: 0 });

    const applied = replay.invoke({ action: 'replay', from, dryRun: false });
    expect(await applied.result).toMatchObject({ outcomes: { processed: 1 } });
    expect(metricsOf(applied.records, 'replay')).toEqual({ EventsReplayed: 1, EventsReplayFailed: 0 });
    expect(await rows('SELECT source, status FROM billing.webhook_events')).toEqual([
      { source: 'reconciliation', status: 'processed' },
    ]);
  });

  test('refuses a key of the other mode, and moves parked messages without any', async () => {
    secrets.put('stripe', { apiKey: 'sk_live_1' });
    const sqs = new SQSClient({ endpoint: testServices().awsEndpoint });
    const [queueUrl, deadLetterQueueUrl] = await Promise.all([createQueue(sqs), createQueue(sqs)]);
    await sqs.send(new SendMessageCommand({ QueueUrl: deadLetterQueueUrl, MessageBody: 'parked' }));
    sqs.destroy();
    const replay = await start('replay', { QUEUE_URL: queueUrl, DEAD_LETTER_QUEUE_URL: deadLetterQueueUrl });

    const failed = replay.invoke({ action: 'retry', events: ['evt_1'], dryRun: false });
    await expect(failed.result).rejects.toMatchObject({ code: 'configuration' });
    expect(metricsOf(failed.records, 'replay')).toEqual({ ReplayFailed: 1 });

    const moved = replay.invoke({ action: 'redrive', dryRun: false });
    expect(await moved.result).toMatchObject({ parked: 1, moved: 1 });
    expect(metricsOf(moved.records, 'replay')).toEqual({ EventsReplayed: 1 });
  });
});

async function createQueue(sqs: SQSClient): Promise<string> {
  const name = `stripe-functions-${randomBytes(6).toString('hex')}`;
  await sqs.send(new CreateQueueCommand({ QueueName: name }));
  // By address: the SDK sends to the host of the queue's URL, and the server's own names are unknown here.
  return `${testServices().awsEndpoint}/000000000000/${name}`;
}

describe('entitlements', () => {
  /** A subscription that is stored, and whose entitlements nobody computed. */
  async function subscribe(): Promise<void> {
    await client.query(`
      INSERT INTO billing.customers (id, first_seen_at) VALUES ('cus_1', now());
      INSERT INTO billing.subscriptions (id, customer_id, project_id, user_id, status, currency, cancel_at_period_end,
        created_at, version, raw)
        VALUES ('sub_1', 'cus_1', 'project_1', 'user_1', 'active', 'eur', false, now() - interval '1 day', '0', '{}');
      INSERT INTO billing.subscription_items (id, subscription_id, price_id, currency, current_period_end)
        VALUES ('si_1', 'sub_1', 'price_pro', 'eur', now() + interval '30 days')`);
  }
  const read = { action: 'read', userId: 'user_1', projectId: 'project_1' };

  test('puts rules in force for everybody, and then says what they grant', async () => {
    await subscribe();
    const entitlements = await start('entitlements');

    expect(await entitlements.invoke(read).result).toEqual({ version: 0, entitlements: [] });
    expect(await entitlements.invoke({ action: 'put-rules', rules: RULES }).result).toEqual({
      dryRun: true,
      rules: 2,
      usersGaining: 1,
      usersLosing: 0,
      changes: [{ userId: 'user_1', projectId: 'project_1', gained: ['pro'], lost: [] }],
    });
    expect(await entitlements.invoke({ action: 'get-rules' }).result).toEqual({ rules: [] });

    const put = entitlements.invoke({ action: 'put-rules', rules: RULES, dryRun: false });
    expect(await put.result).toEqual({ dryRun: false, rules: 2, sources: 1, changed: 1 });
    expect(await entitlements.invoke({ action: 'get-rules' }).result).toEqual({
      rules: RULES.toSorted((a, b) => a.id.localeCompare(b.id)).map((rule) => ({
        ...rule,
        grants: { ...rule.grants, onDispute: 'on_loss' },
      })),
    });
    expect(metricsOf(put.records, 'entitlements')).toEqual({
      EntitlementsChanged: 1,
      EntitlementsDuration: expect.any(Number),
    });
    expect(await entitlements.invoke(read).result).toMatchObject({
      version: 1,
      entitlements: [{ feature: 'pro', source: 'subscription', sourceId: 'sub_1' }],
    });
  });

  test('computes those of one user again, and answers where it stopped when the time is up', async () => {
    await subscribe();
    await putRules(client, RULES);
    const entitlements = await start('entitlements');
    const request = { action: 'recompute', scope: { userId: 'user_1' } };

    expect(await entitlements.invoke(request, 0).result).toEqual({ dryRun: true, sources: 0, changed: 0, cursor: '' });
    const dry = entitlements.invoke(request);
    expect(await dry.result).toEqual({ dryRun: true, sources: 1, changed: 1 });
    expect(metricsOf(dry.records, 'entitlements')).toMatchObject({ EntitlementsChanged: 0 });
    expect(await entitlements.invoke(read).result).toEqual({ version: 0, entitlements: [] });
    const applied = { dryRun: false, sources: 1, changed: 1 };
    expect(await entitlements.invoke({ ...request, dryRun: false }).result).toEqual(applied);
  });

  test.each([
    [
      {},
      'action: missing; expected `cached`, `drop-cached`, `recompute`, `put-rules`, `get-rules`, `unowned`, `assign` or `read`',
    ],
    [{ action: 'recompute', scope: 'some' }, 'scope: expected `all`, {userId} or {projectId}'],
    [{ action: 'recompute', scope: { userId: '' } }, 'scope.userId: expected the id of a user'],
    [{ action: 'recompute', scope: { userid: 'user_1' } }, 'scope.userid: unknown; did you mean userId?'],
    [{ action: 'recompute', scope: {} }, 'scope: expected `all`, {userId} or {projectId}'],
    [{ action: 'read', projectId: '' }, 'userId: missing; expected the id of a user'],
    [{ action: 'put-rules', rules: [{ id: 'x' }] }, 'rules.0.grants: missing; expected a `source`'],
  ])('refuses %j with the field and the form, and counts it as failed', async (request, reason) => {
    const { result, records } = (await start('entitlements')).invoke(request);

    await expect(result).rejects.toMatchObject({ code: 'invalid_request', message: expect.stringContaining(reason) });
    expect(metricsOf(records, 'entitlements')).toEqual({
      EntitlementsFailed: 1,
      EntitlementsDuration: expect.any(Number),
    });
  });

  test('answer from the database, and say so, while the cache is away', async () => {
    await subscribe();
    const entitlements = await start('entitlements', { CACHE_URL: 'redis://127.0.0.1:1' });
    const { result, records } = entitlements.invoke(read);

    expect(await result).toEqual({ version: 0, entitlements: [] });
    expect(metricsOf(records, 'entitlements')).toMatchObject({ CacheUnavailable: 1 });
  });
});

describe('cleanup', () => {
  test('publishes what it deleted, and of a dry run that nothing was', async () => {
    await client.query(
      `INSERT INTO billing.webhook_events (id, type, livemode, source, status, attempts, occurred_at, received_at, processed_at, payload)
       SELECT 'evt_' || n, 'invoice.paid', false, 'webhook', 'processed', 1, old, old, old, '{}'
       FROM generate_series(1, 3) AS n, (SELECT now() - interval '91 days' AS old) AS moment`,
    );
    const cleanup = await start('cleanup');

    const dry = cleanup.invoke({});
    expect(await dry.result).toMatchObject({ deleted: 3, dryRun: true });
    expect(metricsOf(dry.records, 'cleanup')).toMatchObject({ CleanupSucceeded: 1, EventsDeleted: 0 });

    const real = cleanup.invoke({ dryRun: false });
    expect(await real.result).toMatchObject({ deleted: 3, complete: true });
    expect(metricsOf(real.records, 'cleanup')).toEqual({
      CleanupSucceeded: 1,
      EventsDeleted: 3,
      CleanupDuration: expect.any(Number),
    });
  });

  test('that cannot reach the database counts as failed', async () => {
    const { result, records } = (await start('cleanup', { BILLING_DATABASE_NAME: 'nowhere' })).invoke({});

    await expect(result).rejects.toMatchObject({ code: 'database_unavailable' });
    expect(metricsOf(records, 'cleanup')).toEqual({ CleanupFailed: 1 });
  });
});
