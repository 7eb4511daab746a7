import type { Client } from 'pg';
import { createCache, type Cache } from '../../../core/cache/connection';
import { createEntitlementCache, type EntitlementCache } from '../../../core/entitlements/entitlement-cache';
import { dropCached, showCached } from '../../../lambdas/entitlements/cached';
import { startCacheServer, type EmptiableCacheServer } from '../../support/cache-server';
import { createTestDatabase, type TestDatabase } from '../../support/database';

let server: EmptiableCacheServer;
let connection: Cache;
let cache: EntitlementCache;
let database: TestDatabase;
let client: Client;

beforeAll(async () => {
  [server, database] = await Promise.all([startCacheServer(), createTestDatabase('billing')]);
  client = await database.client();
  connection = createCache({ url: server.url, onUnavailable: () => undefined, deadlineMs: 5_000 });
  cache = createEntitlementCache(connection);
  await client.query(
    `INSERT INTO billing.entitlement_versions (user_id, project_id, version, changed_at)
     VALUES ('ann', 'p1', 3, now()), ('ann', 'p2', 1, now()), ('bob', 'p1', 1, now())`,
  );
});
beforeEach(() => server.empty());
afterAll(async () => {
  connection.close();
  await Promise.all([server.close(), database.drop()]);
});

const show = (userId: string, projectId: string) =>
  showCached({ cache, useDatabase: (work) => work(client) }, userId, projectId);
const drop = (scope: Parameters<typeof dropCached>[1]) =>
  dropCached({ cache, useDatabase: (work) => work(client) }, scope);
const entry = (version: number) => ({
  version,
  entitlements: [
    {
      feature: 'courses',
      source: 'purchase' as const,
      sourceId: 'cs_1',
      validFrom: '2026-01-01T00:00:00Z',
      validUntil: null,
    },
  ],
});

test('an entry is shown beside the version of the database, and one that is behind is outdated', async () => {
  expect(await show('ann', 'p1')).toMatchObject({ state: 'missing', databaseVersion: 3, outdated: false });
  await cache.put('ann', 'p1', entry(2));
  expect(await show('ann', 'p1')).toEqual({
    state: 'stored',
    cachedVersion: 2,
    databaseVersion: 3,
    outdated: true,
    features: ['courses'],
  });
  await cache.put('ann', 'p1', entry(3));
  expect(await show('ann', 'p1')).toMatchObject({ state: 'stored', outdated: false });
});

test('a drop removes an entry of the present version, and keeps older ones out', async () => {
  await cache.put('ann', 'p1', entry(3));
  expect(await drop({ userId: 'ann', projectId: 'p1' })).toEqual({ state: 'dropped', dropped: 1 });
  expect(await show('ann', 'p1')).toMatchObject({ state: 'dropped', cachedVersion: 3 });
  expect(await cache.get('ann', 'p1')).toBeUndefined();
  await cache.put('ann', 'p1', entry(2));
  expect(await show('ann', 'p1')).toMatchObject({ state: 'dropped' });
});

test.each([
  ['all', 3],
  [{ userId: 'ann' }, 2],
  [{ projectId: 'p1' }, 2],
  [{ userId: 'new', projectId: 'p1' }, 1],
] as const)('of %j, %i entries are dropped', async (scope, dropped) => {
  expect(await drop(scope)).toEqual({ state: 'dropped', dropped });
});

test('an environment without a cache says so', async () => {
  const useDatabase = <T>(work: (connected: Client) => Promise<T>) => work(client);
  expect(await showCached({ cache: undefined, useDatabase }, 'ann', 'p1')).toMatchObject({ state: 'none' });
  expect(await dropCached({ cache: undefined, useDatabase }, 'all')).toEqual({ state: 'none', dropped: 0 });
});
