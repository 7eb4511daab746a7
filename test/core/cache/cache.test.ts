import { createCache, type Cache, type CacheOptions } from '../../../core/cache/connection';
import { cacheUrlSetting } from '../../../core/cache/settings';
import { createEntitlementCache, type EntitlementEntry } from '../../../core/entitlements/entitlement-cache';
import {
  startCacheServer,
  startRelay,
  startSilentServer,
  type CacheServer,
  type EmptiableCacheServer,
} from '../../support/cache-server';

let server: EmptiableCacheServer;
beforeAll(async () => {
  server = await startCacheServer();
});
afterAll(() => server.close());
afterEach(() => server.empty());

const open: (Cache | CacheServer)[] = [];
/** Closed after the test, newest first: connections before their server. */
function closing<T extends Cache | CacheServer>(resource: T): T {
  open.unshift(resource);
  return resource;
}
afterEach(async () => {
  for (const resource of open.splice(0)) await resource.close();
});

const reasons: string[] = [];
beforeEach(() => reasons.splice(0));
/** With a long deadline, so that a busy machine does not look like an unavailable cache. */
const cacheAt = (url: string, options: Partial<CacheOptions> = {}) =>
  closing(createCache({ url, onUnavailable: (reason) => reasons.push(reason), deadlineMs: 20_000, ...options }));

const entry = (version: number): EntitlementEntry => ({
  version,
  entitlements: [
    {
      feature: `of version ${version}`,
      source: 'purchase',
      sourceId: 'cs_1',
      validFrom: '2026-11-01T00:00:00.000Z',
      validUntil: null,
    },
  ],
});
const changed = (version: number) => [{ userId: 'user_1', projectId: 'project_1', version }];

describe('cache entries', () => {
  function entitlementCache() {
    const cache = cacheAt(server.url);
    return { cache, entries: createEntitlementCache(cache) };
  }

  test('are returned as stored, by user and project, and expire within a minute', async () => {
    const { cache, entries } = entitlementCache();
    await entries.put('user_1', 'project_1', entry(3));

    expect(await entries.get('user_1', 'project_1')).toEqual(entry(3));
    expect(await entries.get('user_1', 'project_2')).toBeUndefined();
    const lifetime = await cache.use((commands) =>
      commands.evaluate(`return redis.call('TTL', KEYS[1])`, 'entitlements:user_1:project_1', []),
    );
    expect(lifetime).toBeGreaterThan(0);
    expect(lifetime).toBeLessThanOrEqual(60);
  });

  test('are kept apart for users whose ids contain the separator', async () => {
    const { entries } = entitlementCache();
    await entries.put('a:b', 'c', entry(1));
    expect(await entries.get('a', 'b:c')).toBeUndefined();
    expect(await entries.get('a:b', 'c')).toEqual(entry(1));
  });

  test('that were invalidated are missing until the new version is stored', async () => {
    const { entries } = entitlementCache();
    await entries.put('user_1', 'project_1', entry(9));
    await entries.invalidate(changed(10));
    expect(await entries.get('user_1', 'project_1')).toBeUndefined();

    await entries.put('user_1', 'project_1', entry(10));
    expect(await entries.get('user_1', 'project_1')).toEqual(entry(10));
  });

  test('from a slow writer never replace a newer version', async () => {
    const { entries } = entitlementCache();
    await entries.invalidate(changed(10));
    await entries.put('user_1', 'project_1', entry(9));
    expect(await entries.get('user_1', 'project_1')).toBeUndefined();

    await entries.put('user_1', 'project_1', entry(10));
    await entries.put('user_1', 'project_1', entry(9));
    expect(await entries.get('user_1', 'project_1')).toEqual(entry(10));
  });

  test('survive a late invalidation of their own version', async () => {
    const { entries } = entitlementCache();
    await entries.put('user_1', 'project_1', entry(10));
    await entries.invalidate(changed(10));
    await entries.invalidate(changed(9));
    expect(await entries.get('user_1', 'project_1')).toEqual(entry(10));
  });

  test('of an unknown form count as missing and are replaced', async () => {
    const { cache, entries } = entitlementCache();
    for (const value of ['{', '[]', '{"version":"1"}', '{"version":1,"entitlements":[{}]}']) {
      const store = `return redis.call('SET', KEYS[1], ARGV[1])`;
      await cache.use((commands) => commands.evaluate(store, 'entitlements:user_1:project_1', [value]));
      expect(await entries.get('user_1', 'project_1')).toBeUndefined();
      await entries.put('user_1', 'project_1', entry(1));
      expect(await entries.get('user_1', 'project_1')).toEqual(entry(1));
    }
    expect(reasons).toEqual([]);
  });

  test('are all invalidated when there are more changes than one batch holds', async () => {
    const { entries } = entitlementCache();
    const users = Array.from({ length: 1_001 }, (_, index) => `user_${index}`);
    await entries.put('user_1000', 'project_1', entry(1));
    await entries.invalidate(users.map((userId) => ({ userId, projectId: 'project_1', version: 2 })));
    expect(await entries.get('user_1000', 'project_1')).toBeUndefined();
    expect(reasons).toEqual([]);
  });
});

describe('a cache', () => {
  test('without a URL is never used and never reported', async () => {
    const entries = createEntitlementCache(cacheAt(''));
    await entries.put('user_1', 'project_1', entry(1));
    expect(await entries.get('user_1', 'project_1')).toBeUndefined();
    expect(reasons).toEqual([]);
  });

  test('that refuses connections is reported once and then not used for a while', async () => {
    const gone = await startSilentServer();
    await gone.close();
    let now = 0;
    const entries = createEntitlementCache(cacheAt(gone.url, { clock: () => now }));

    expect(await entries.get('user_1', 'project_1')).toBeUndefined();
    await entries.invalidate(changed(1));
    expect(reasons).toEqual([expect.stringContaining('ECONNREFUSED')]);

    now += 5_000;
    expect(await entries.get('user_1', 'project_1')).toBeUndefined();
    expect(reasons).toHaveLength(2);
  });

  test('that never answers costs one deadline and one connection', async () => {
    const silent = closing(await startSilentServer());
    const entries = createEntitlementCache(cacheAt(silent.url, { deadlineMs: undefined }));
    for (let ask = 0; ask < 20; ask += 1) expect(await entries.get('user_1', 'project_1')).toBeUndefined();

    expect(reasons).toHaveLength(1);
    // The kernel accepts a connection before the server's process hears of it.
    await silent.connected();
    expect(silent.connections()).toBe(1);
  });

  test('that closed the connection between two uses is reconnected without an error', async () => {
    const relay = closing(await startRelay(server.url));
    const entries = createEntitlementCache(cacheAt(relay.url));
    await entries.put('user_1', 'project_1', entry(1));
    relay.cut();

    expect(await entries.get('user_1', 'project_1')).toEqual(entry(1));
    expect(reasons).toEqual([]);
  });

  test('answers many concurrent callers over one connection', async () => {
    const entries = createEntitlementCache(cacheAt(server.url));
    await Promise.all(Array.from({ length: 50 }, (_, index) => entries.put(`user_${index}`, 'p', entry(index))));
    const found = await Promise.all(Array.from({ length: 50 }, (_, index) => entries.get(`user_${index}`, 'p')));
    expect(found.map((each) => each?.version)).toEqual(Array.from({ length: 50 }, (_, index) => index));
    expect(reasons).toEqual([]);
  });
});

test.each([
  ['', true],
  ['rediss://cache.example.com:6379', true],
  ['redis://127.0.0.1:6379', true],
  ['https://cache.example.com', false],
  ['rediss://', false],
])('the CACHE_URL %j is accepted: %s', (value, accepted) => {
  expect(cacheUrlSetting.safeParse(value).success).toBe(accepted);
});
