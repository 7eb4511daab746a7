import type { Client } from 'pg';
import { recompute, type RecomputeDependencies } from '../../../lambdas/entitlements/recompute';
import type { RecomputeScope } from '../../../lambdas/entitlements/contract';
import type { StripeEvent } from '../../../core/providers/stripe/shapes';
import { createEntitlementCache, type EntitlementCache } from '../../../core/entitlements/entitlement-cache';
import { createCache, type Cache } from '../../../core/cache/connection';
import { readEntitlements } from '../../../core/entitlements/read';
import { recomputeEntitlements } from '../../../core/entitlements/recompute';
import { inTransaction } from '../../../core/database/transaction';
import { checkoutSession, customer, EPOCH, stripeEvent, subscription } from '../../factories/stripe-objects';
import { startCacheServer, type EmptiableCacheServer } from '../../support/cache-server';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import {
  applyWithEntitlements,
  at,
  DAY,
  putRules,
  RULES,
  storedEntitlements,
  unlikeGranted,
} from '../../support/entitlements';
import { silentLog } from '../../support/log';

let database: TestDatabase;
let client: Client;
let server: EmptiableCacheServer;
let connection: Cache;
let cache: EntitlementCache;

beforeAll(async () => {
  server = await startCacheServer();
});
afterAll(() => server.close());

beforeEach(async () => {
  database = await createTestDatabase('billing');
  client = await database.client();
  // A long deadline, so that a busy machine does not look like an unavailable cache.
  connection = createCache({ url: server.url, deadlineMs: 20_000, onUnavailable: () => undefined });
  cache = createEntitlementCache(connection);
  await putRules(client, RULES);
});
afterEach(async () => {
  connection.close();
  await Promise.all([database.drop(), server.empty()]);
});

const subscribed = (fields: Record<string, unknown> = {}, seconds = 0) =>
  stripeEvent('customer.subscription.updated', subscription(fields), { created: EPOCH + seconds });
const ofUser = (user: string, project = 'project_1') => ({ metadata: { user_id: user, project_id: project } });

describe('recomputing', () => {
  const dependencies = (changes: Partial<RecomputeDependencies> = {}): RecomputeDependencies => ({
    client,
    cache,
    hasTime: () => true,
    log: silentLog,
    ...changes,
  });

  /** Gives three users in two projects entitlements, then deletes these without invalidating caches. */
  async function loseEntitlements(): Promise<void> {
    await applyWithEntitlements(
      client,
      subscribed({ id: 'sub_1', ...ofUser('user_1') }),
      subscribed({ id: 'sub_2', ...ofUser('user_2') }),
      subscribed({ id: 'sub_3', ...ofUser('user_3', 'project_2') }),
      stripeEvent('checkout.session.completed', checkoutSession()),
    );
    await client.query('DELETE FROM billing.entitlements');
  }
  const owners = async () => [...new Set((await storedEntitlements(client)).map((text) => text.split(' ')[0]))];

  test('all users restores lost entitlements, and changes nothing when repeated', async () => {
    await loseEntitlements();
    expect(await recompute(dependencies(), 'all')).toEqual({ sources: 4, changed: 3 });
    expect(await unlikeGranted(client)).toEqual([]);
    expect(await recompute(dependencies(), 'all')).toEqual({ sources: 4, changed: 0 });
  });

  test('one user, or one project, leaves the others alone', async () => {
    await loseEntitlements();
    expect(await recompute(dependencies(), { userId: 'user_1' })).toEqual({ sources: 2, changed: 1 });
    expect(await owners()).toEqual(['user_1/project_1']);
    expect(await recompute(dependencies(), { projectId: 'project_2' })).toEqual({ sources: 1, changed: 1 });
    expect(await owners()).toEqual(['user_1/project_1', 'user_3/project_2']);
  });

  const nobodys = { metadata: {} };
  const started = (fields: Record<string, unknown>) =>
    stripeEvent('checkout.session.completed', checkoutSession({ metadata: {}, payment_intent: null, ...fields }));
  test.each<[named: string, scope: RecomputeScope, events: StripeEvent[]]>([
    [
      'the session that started it',
      { userId: 'user_7' },
      [started({ mode: 'subscription', subscription: 'sub_1', ...ofUser('user_7') })],
    ],
    [
      'the reference of that session',
      { userId: 'user_7' },
      [started({ mode: 'subscription', subscription: 'sub_1', client_reference_id: 'user_7' })],
    ],
    ['its customer', { userId: 'user_7' }, [stripeEvent('customer.updated', customer(ofUser('user_7')))]],
    ['its customer', { projectId: 'project_7' }, [stripeEvent('customer.updated', customer(ofUser('u', 'project_7')))]],
  ])('reaches what only %s says to belong to %o', async (_named, scope, events) => {
    await applyWithEntitlements(client, subscribed(nobodys), ...events);
    const granted = await storedEntitlements(client);
    expect(granted).toHaveLength(1);
    await client.query('DELETE FROM billing.entitlements');
    expect(await recompute(dependencies(), scope)).toMatchObject({ changed: 1 });
    expect(await storedEntitlements(client)).toEqual(granted);
  });

  test('reaches what an operator assigned to a user, and a purchase with nothing but a reference', async () => {
    const bought = { metadata: { kind: 'course', item_id: 'course_1' }, client_reference_id: 'user_7' };
    await applyWithEntitlements(
      client,
      subscribed(),
      stripeEvent('checkout.session.completed', checkoutSession(bought)),
    );
    await client.query(
      `INSERT INTO billing.owner_assignments (object_id, user_id, reason, assigned_by) VALUES ('sub_1', 'user_7', 'test', 'ada')`,
    );
    await client.query('DELETE FROM billing.entitlements');
    await recompute(dependencies(), { userId: 'user_7' });
    expect((await storedEntitlements(client)).map((text) => text.split(' ')[2])).toEqual(['cs_1', 'sub_1']);
  });

  test('removes the entitlements of a source that no longer exists', async () => {
    await applyWithEntitlements(client, subscribed());
    await client.query('DELETE FROM billing.subscriptions');
    expect(await recompute(dependencies(), 'all')).toEqual({ sources: 1, changed: 1 });
    expect(await storedEntitlements(client)).toEqual([]);
  });

  test('stops when the time is up, and the next call continues there', async () => {
    await loseEntitlements();
    expect(await recompute(dependencies({ hasTime: () => false }), 'all')).toEqual({
      sources: 0,
      changed: 0,
      cursor: '',
    });
    expect(await recompute(dependencies(), 'all', { cursor: 'sub_2' })).toEqual({ sources: 1, changed: 1 });
    expect(await owners()).toEqual(['user_3/project_2']);
  });

  test('more sources than one transaction holds reaches all of them', async () => {
    const events = Array.from({ length: 1_001 }, (_, index) =>
      subscribed({ id: `sub_${index}`, ...ofUser(`user_${index}`) }),
    );
    await applyWithEntitlements(client, ...events);
    await client.query('DELETE FROM billing.entitlements');
    expect(await recompute(dependencies({ cache: createEntitlementCache(away) }), 'all')).toEqual({
      sources: 1_001,
      changed: 1_001,
    });
    expect(await unlikeGranted(client)).toEqual([]);
  });

  test('after a change of the rules applies the new ones and invalidates the caches', async () => {
    await applyWithEntitlements(client, subscribed());
    await cache.put('user_1', 'project_1', { version: 1, entitlements: [] });
    await putRules(client, [
      { id: 'pro', grants: { source: 'subscription', productId: 'prod_pro', graceDays: 0 }, features: ['premium'] },
    ]);
    await recompute(dependencies(), 'all');
    expect(await storedEntitlements(client)).toEqual([`user_1/project_1 premium sub_1 ${at(0)}..${at(30 * DAY)}`]);
    expect(await cache.get('user_1', 'project_1')).toBeUndefined();
  });
});

test('changing the rules waits for the transactions that compute by the old ones', async () => {
  const other = await database.client();
  const observer = await database.client();
  await client.query('BEGIN');
  await client.query('SELECT pg_advisory_xact_lock_shared(7303015)');
  let changed = false;
  const changing = putRules(other, []).then(() => (changed = true));
  const waits = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'`;
  while (!changed && (await observer.query(waits)).rowCount === 0);
  expect(changed).toBe(false);
  await client.query('COMMIT');
  expect(await changing).toBe(true);
});

test.each([
  [1_000, { ShareLock: 1, ExclusiveLock: 1_000 }],
  [1_001, { ExclusiveLock: 1 }],
])('%i payments take no more locks than a server has for all its sessions', async (count, taken) => {
  await applyWithEntitlements(client, stripeEvent('checkout.session.completed', checkoutSession({ id: 'cs_0' })));
  await client.query(
    `INSERT INTO billing.purchases
     SELECT (jsonb_populate_record(p, jsonb_build_object('id', 'cs_' || n, 'payment_intent_id', 'pi_' || n))).*
     FROM billing.purchases p, generate_series(1, ${count}) n`,
  );
  const ids = Array.from({ length: count }, (_, index) => `cs_${index + 1}`);
  const locks = await inTransaction(client, async (run) => {
    expect(await recomputeEntitlements(run, { sources: ids, payments: ids })).toHaveLength(1);
    const { rows } = await client.query<{ mode: string; count: number }>(
      `SELECT mode, count(*)::int FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() GROUP BY mode`,
    );
    return rows;
  });
  expect(Object.fromEntries(locks.map(({ mode, count: held }) => [mode, held]))).toEqual(taken);
  expect(await unlikeGranted(client)).toEqual([]);
});

const away: Cache = { use: () => Promise.resolve(undefined), close: () => undefined };

describe('reading entitlements', () => {
  const asked: string[] = [];
  beforeEach(() => asked.splice(0));
  const readAt = (seconds: number, from: EntitlementCache = cache) =>
    readEntitlements(
      {
        cache: from,
        clock: () => new Date((EPOCH + seconds) * 1000),
        useDatabase: (work) => {
          asked.push('database');
          return work(client);
        },
      },
      'user_1',
      'project_1',
    );
  const features = async (seconds: number, from?: EntitlementCache) =>
    (await readAt(seconds, from)).entitlements.map(({ feature }) => feature);

  test('queries the database once, then the cache, until something changes', async () => {
    await applyWithEntitlements(client, subscribed());
    expect(await readAt(DAY)).toEqual(await readAt(DAY));
    expect(await features(DAY)).toEqual(['pro']);
    expect(asked).toHaveLength(1);

    await cache.invalidate(
      await applyWithEntitlements(client, subscribed({ status: 'canceled', ended_at: EPOCH + 1 }, 1)),
    );
    expect(await readAt(DAY)).toEqual({ version: 2, entitlements: [] });
    expect(asked).toHaveLength(2);
  });

  test('answers for the current moment, also from the cache and without recomputing', async () => {
    await applyWithEntitlements(client, subscribed());
    expect(await features(33 * DAY - 1)).toEqual(['pro']);
    expect(await features(33 * DAY)).toEqual([]);
    expect(await features(-1)).toEqual([]);
    expect(asked).toHaveLength(1);
  });

  test('returns version 0 for an unknown user', async () => {
    expect(await readAt(0)).toEqual({ version: 0, entitlements: [] });
  });

  test('answers from the database while the cache is unavailable', async () => {
    await applyWithEntitlements(client, subscribed());
    const entries = createEntitlementCache(away);
    expect(await features(DAY, entries)).toEqual(['pro']);
    expect(await features(DAY, entries)).toEqual(['pro']);
    expect(asked).toHaveLength(2);
  });

  test('writes nothing to the cache after so long that the notice of a newer version may have expired', async () => {
    await applyWithEntitlements(client, subscribed());
    let seconds = DAY;
    await readEntitlements(
      {
        cache,
        clock: () => new Date((EPOCH + seconds) * 1000),
        useDatabase: async (work) => {
          const found = await work(client);
          seconds += 30;
          return found;
        },
      },
      'user_1',
      'project_1',
    );
    expect(await cache.get('user_1', 'project_1')).toBeUndefined();
  });
});
