import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ClientBase } from 'pg';
import { keyId } from '../../../core/keys/key';
import { MAX_FAILURES_PER_ADDRESS, MAX_FAILURES_PER_KEY } from '../../../core/keys/authenticate';
import { ROUTES } from '../../../lambdas/api/app';
import { API_ROUTES, BITCOIN_ROUTES } from '../../../lambdas/api/contract';
import { counted } from '../../../lambdas/api/counted';
import { openApiDocument } from '../../../lambdas/api/document';
import { keysRequest } from '../../../lambdas/keys/contract';
import { startApi, type ApiUnderTest } from '../../factories/api';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.stop());
beforeEach(() => api.client.query('DELETE FROM billing.api_key_failures'));

const concrete = (path: string) => path.replaceAll(/\{\w+\}/g, 'x1');
const routes = ROUTES.map((route) => [`${route.method} ${route.path}`, route] as const);
const call = ({ method, path }: (typeof ROUTES)[number], key?: string) =>
  method === 'GET' ? api.get(concrete(path), key) : api.post(concrete(path), key, {});

test('every operation of the OpenAPI document is in the table of routes, and asks for a key unless the table says public', () => {
  const { paths = {} } = openApiDocument(api.app);
  const documented = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods as Record<string, { security?: unknown }>).map(
      ([method, { security }]) => `${method.toUpperCase()} ${path} ${security === undefined ? 'public' : 'key'}`,
    ),
  );
  const table = ROUTES.flatMap(({ method, path, access, isProbe }) =>
    (isProbe ? [method, 'HEAD'] : [method]).map((each) => `${each} ${path} ${access === 'public' ? 'public' : 'key'}`),
  );
  expect(table).toEqual(expect.arrayContaining(documented));
  expect(documented).toHaveLength(
    API_ROUTES.length + BITCOIN_ROUTES.length + API_ROUTES.filter(({ isProbe }) => isProbe).length,
  );
});

test('the README has every route, with the scope that it needs', () => {
  const readme = readFileSync(resolve(__dirname, '../../../README.md'), 'utf8');
  const rows = [...readme.matchAll(/^\| `((?:GET|POST) [^`]+)` +\| (anybody|`[^`]+`)/gm)];
  expect(rows.map(([, route, who]) => [route, who === 'anybody' ? 'public' : who?.replaceAll('`', '')])).toEqual(
    [...API_ROUTES, ...BITCOIN_ROUTES].map(({ method, path: route, access }) => [`${method} ${route}`, access]),
  );
});

test.each(routes.filter(([, { access }]) => access !== 'public'))('%s is refused without a key', async (_, route) => {
  const response = await call(route);
  expect(response.status).toBe(401);
  expect(response.headers.get('www-authenticate')).toBe('Bearer');
  expect(await response.json()).toMatchObject({ status: 401, code: 'unauthenticated' });
});

test.each(routes.filter(([, { access }]) => access !== 'public'))(
  '%s is refused to a key of another scope',
  async (_, route) => {
    const other = route.access === 'metrics:read' ? 'entitlements:read' : 'metrics:read';
    expect((await call(route, await api.key([other]))).status).toBe(403);
  },
);

test('a route that is in no table is answered 404, also where a handler exists', async () => {
  const own = await startApi();
  const { app } = own;
  app.get('/forgotten', (context) => context.text('secret'));
  for (const path of ['/forgotten', '/nothing', '/api/v1', '/api/v1/entitlements']) {
    const response = await app.request(path);
    expect([path, response.status]).toEqual([path, 404]);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
  }
  await own.stop();
  expect((await api.post('/health')).status).toBe(404);
});

test('answers carry the headers that keep a browser from using them for anything else', async () => {
  const { headers } = await api.get('/health');
  expect(Object.fromEntries(headers)).toMatchObject({
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'referrer-policy': 'no-referrer',
    'strict-transport-security': 'max-age=63072000; includeSubDomains',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
  });
  expect(headers.has('x-powered-by')).toBe(false);
});

test('errors carry the same headers, and the answer of a key is never kept for another', async () => {
  const reader = await api.key(['entitlements:read'], ['p1']);
  const entitlements = '/api/v1/entitlements/x1';
  const answers = await Promise.all([
    api.get(`${entitlements}?project=p1`, reader),
    api.get(`${entitlements}?project=`, reader),
    api.get(`${entitlements}?project=p1`),
    api.get(`${entitlements}?project=p2`, reader),
    api.get('/nothing'),
    api.post(`${entitlements}/recompute`, await api.key(['admin']), { filler: 'x'.repeat(70_000) }),
  ]);
  expect(answers.map(({ status }) => status)).toEqual([200, 400, 401, 403, 404, 413]);
  for (const [index, { headers }] of answers.entries()) {
    expect([index, Object.fromEntries(headers)]).toEqual([
      index,
      expect.objectContaining({
        'cache-control': index === 0 ? 'private, no-cache' : 'no-store',
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
        'strict-transport-security': 'max-age=63072000; includeSubDomains',
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
      }),
    ]);
  }
  expect(answers[0]?.headers.get('vary')).toBe('Authorization');
});

describe('a key', () => {
  const url = '/api/v1/entitlements/x1?project=p1';
  const status = async (key: string) => (await api.get(url, key)).status;

  test('that was revoked is refused from the next request on', async () => {
    const key = await api.key(['entitlements:read']);
    expect(await status(key)).toBe(200);
    const revoked = await api.administer({ action: 'revoke', id: keyId(key) ?? '', by: 'ann', dryRun: false });
    expect(revoked).toMatchObject({ revoked: { state: 'revoked', revokedBy: 'ann' } });
    expect(await status(key)).toBe(401);
    // Who did it first stays on record.
    const again = await api.administer({ action: 'revoke', id: keyId(key) ?? '', by: 'bob', dryRun: false });
    expect(again).toEqual(revoked);
  });

  test('that expired is refused, with the answer that an unknown one gets', async () => {
    const key = await api.key(['entitlements:read'], null, new Date(Date.now() + 60_000).toISOString());
    expect(await status(key)).toBe(200);
    await api.client.query('UPDATE billing.api_keys SET expires_at = now() WHERE id = $1', [keyId(key)]);
    const expired = await api.get(url, key);
    const unknown = await api.get(url, `bok_${'0'.repeat(12)}_${'0'.repeat(43)}`);
    expect(expired.status).toBe(401);
    expect(await expired.json()).toEqual(await unknown.json());
  });

  test('with another secret behind its id is refused', async () => {
    const key = await api.key(['entitlements:read']);
    expect(await status(`${key.slice(0, -2)}${key.endsWith('AA') ? 'BB' : 'AA'}`)).toBe(401);
  });

  test('for other projects is refused, whether or not the project exists', async () => {
    expect(await status(await api.key(['entitlements:read'], ['p2']))).toBe(403);
    expect(await status(await api.key(['entitlements:read'], ['p1']))).toBe(200);
    const reader = await api.key(['metrics:read'], ['p2']);
    for (const figures of ['subscriptions', 'revenue']) {
      const statusOf = async (id: string) => (await api.get(`/api/v1/metrics/project/${id}/${figures}`, reader)).status;
      expect([figures, await statusOf('p1'), await statusOf('p2')]).toEqual([figures, 403, 200]);
    }
  });

  test('that is guessed again and again is refused from that address, the right one too, until the window ends', async () => {
    const key = await api.key(['entitlements:read']);
    const wrong = `${key.slice(0, -2)}${key.endsWith('AA') ? 'BB' : 'AA'}`;
    for (let guess = 0; guess < MAX_FAILURES_PER_KEY; guess += 1) expect(await status(wrong)).toBe(401);
    const refused = await api.get(url, key);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    await api.client.query("UPDATE billing.api_key_failures SET window_started_at = now() - interval '6 minutes'");
    expect(await status(key)).toBe(200);
    // Another guess begins to count again.
    expect([await status(wrong), await status(key)]).toEqual([401, 200]);
  });

  test('is refused from an address with too many wrong keys, whichever they were, and accepted from another', async () => {
    const key = await api.key(['entitlements:read']);
    await api.client.query(`INSERT INTO billing.api_key_failures VALUES ('address 192.0.2.1', $1, now())`, [
      MAX_FAILURES_PER_ADDRESS - 1,
    ]);
    expect(await status(key)).toBe(200);
    expect(await status('nonsense')).toBe(401);
    expect(await status(key)).toBe(429);
    const elsewhere = { requestContext: { identity: { sourceIp: '192.0.2.2' } } };
    const headers = { authorization: `Bearer ${key}` };
    expect((await api.app.request(url, { headers }, { event: elsewhere as never })).status).toBe(200);
  });

  test('is stored as a digest, and when it was last used', async () => {
    const key = await api.key(['entitlements:read']);
    await status(key);
    const { rows } = await api.client.query(
      'SELECT t::text AS row, last_used_at FROM billing.api_keys t WHERE id = $1',
      [keyId(key)],
    );
    expect(rows[0].row).not.toContain(key.slice(17));
    expect(rows[0].last_used_at).toBeInstanceOf(Date);
  });
});

test('a key above its limit is told when to come again, which is no rejected key', async () => {
  const key = await api.key(['entitlements:read']);
  // All of this minute and of the next, which may begin meanwhile.
  await api.client.query(
    `INSERT INTO billing.api_key_requests (key_id, minute, taken) VALUES ($1, date_trunc('minute', now()) + interval '1 minute', 15000)`,
    [keyId(key)],
  );
  const response = await api.get('/api/v1/entitlements/x1?project=p1', key);
  const body = await response.text();
  expect([response.status, response.headers.get('content-type')]).toEqual([429, 'application/problem+json']);
  expect(response.headers.get('retry-after')).toMatch(/^([1-9]|[1-5]\d|60)$/);
  expect(JSON.parse(body)).toMatchObject({ status: 429, code: 'too_many_requests' });
  const other = await api.get('/api/v1/entitlements/x1?project=p1', await api.key(['entitlements:read']));
  expect(other.status).toBe(200);

  const metrics = { addMetric: jest.fn(), publishStoredMetrics: jest.fn() };
  const answer = (result: { statusCode: number; body: string }) =>
    counted(async () => result, metrics as never)({ path: '/metrics' } as never);
  await answer({ statusCode: 429, body });
  expect(metrics.addMetric.mock.calls.map(([name]) => name)).toEqual(['ApiRequests']);
  await answer({ statusCode: 429, body: '{"code":"too_many_attempts"}' });
  expect(metrics.addMetric.mock.calls.at(-1)?.[0]).toBe('ApiKeysRejected');
});

test.each([
  ['/metrics', 503, 'ApiFailed'],
  ['/metrics', 500, 'ApiFailed'],
  ['/ready', 503, undefined],
])('%s answered %s is counted as %s: a probe says by itself what is wrong', async (url, statusCode, name) => {
  const metrics = { addMetric: jest.fn(), publishStoredMetrics: jest.fn() };
  await counted(async () => ({ statusCode, body: '{}' }), metrics as never)({ path: url } as never);
  expect(metrics.addMetric.mock.calls.at(-1)?.[0]).toBe(name);
});

describe('rotation', () => {
  const url = '/api/v1/entitlements/x1?project=p1';
  const rotate = async (id: string, overlapHours: number) => {
    const report = await api.administer({ action: 'rotate', id, overlapHours, by: 'ann', dryRun: false });
    if (report.action !== 'rotate' || report.key === null) throw new Error('no key was created');
    return { ...report, key: report.key };
  };
  const id = (key: string) => keyId(key) ?? '';

  test('leaves both keys valid for the overlap, and says which replaced which and who did it', async () => {
    const old = await api.key(['entitlements:read'], ['p1'], '2999-01-01T00:00:00Z');
    const { key, previous, created } = await rotate(id(old), 2);
    expect([(await api.get(url, old)).status, (await api.get(url, key)).status]).toEqual([200, 200]);
    expect(previous).toMatchObject({ id: id(old), rotatedTo: id(key), state: 'active' });
    const hours = (Date.parse(previous.expiresAt ?? '') - Date.now()) / 3_600_000;
    expect(hours).toBeGreaterThan(1.9);
    expect(hours).toBeLessThanOrEqual(2);
    expect(created).toMatchObject({ createdBy: 'ann', scopes: ['entitlements:read'], projects: ['p1'] });
    await expect(rotate(id(old), 2)).rejects.toMatchObject({ code: 'key_not_active' });
  });

  test('gives the new key the lifetime of the old one, which the overlap never prolongs', async () => {
    const [hour, now] = [3_600_000, Date.now()];
    const old = await api.key(['entitlements:read'], null, new Date(now + hour).toISOString());
    const { previous, created } = await rotate(id(old), 24);
    expect(Date.parse(previous.expiresAt ?? '')).toBe(now + hour);
    const lifetime = Date.parse(created?.expiresAt ?? '') - Date.parse(created?.createdAt ?? '');
    expect(Math.abs(lifetime - hour)).toBeLessThan(60_000);
  });

  test('without an overlap refuses the old key at once', async () => {
    const old = await api.key(['entitlements:read']);
    const { key } = await rotate(id(old), 0);
    expect([(await api.get(url, old)).status, (await api.get(url, key)).status]).toEqual([401, 200]);
  });

  test('of an unknown key, and a dry run, change nothing', async () => {
    const key = await api.key(['entitlements:read']);
    const before = await api.administer({ action: 'list' });
    await expect(rotate('0'.repeat(12), 0)).rejects.toMatchObject({ code: 'key_not_found' });
    await api.administer({ action: 'rotate', id: id(key), overlapHours: 0, by: 'ann', dryRun: true });
    await api.administer({ action: 'revoke', id: id(key), by: 'ann', dryRun: true });
    const create = { name: 'x', scopes: ['admin'], projects: null, expiresAt: null, by: 'ann' } as const;
    await api.administer({ action: 'create', ...create, dryRun: true });
    const past = { ...create, expiresAt: '2020-01-01T00:00:00Z', dryRun: false };
    await expect(api.administer({ action: 'create', ...past })).rejects.toThrow(
      /^expiresAt: expected a moment to come/,
    );
    expect(await api.administer({ action: 'list' })).toEqual(before);
  });
});

test('a key with the scope `admin`, which opens every project, is not made for some', () => {
  const request = { action: 'create', name: 'x', scopes: ['admin'], by: 'ann' };
  expect(keysRequest.safeParse({ ...request, projects: null }).success).toBe(true);
  expect(keysRequest.safeParse({ ...request, projects: ['p1'] }).error?.issues).toEqual([
    expect.objectContaining({
      path: ['projects'],
      message: expect.stringMatching(/is for every project: expected null$/),
    }),
  ]);
});

test('the sessions of the API read no payload of an event and change no subscription', async () => {
  const refused = (sql: string) =>
    expect(api.connection.use((client) => client.query(sql))).rejects.toThrow(/permission denied/);
  await refused('SELECT payload FROM billing.webhook_events');
  await refused("UPDATE billing.subscriptions SET status = 'active'");
  await refused("UPDATE billing.api_keys SET scopes = '{admin}'");
  await refused('SELECT email FROM billing.customers');
});

test.each([
  [
    'in recovery, where nothing can be written',
    (client: ClientBase) => client.query('SET default_transaction_read_only = on'),
  ],
  [
    'that ends its connections',
    (client: ClientBase) =>
      api.client.query('SELECT pg_terminate_backend($1)', [(client as { readonly processID?: number }).processID]),
  ],
])('with a database %s the answer is 503, and says no more than to try again', async (_, disturb) => {
  const key = await api.key(['entitlements:read']);
  const own = await startApi({
    database: {
      use: (work) => api.connection.use((client) => disturb(client).then(() => work(client))),
      close: () => Promise.resolve(),
    },
  });
  const response = await own.get('/api/v1/entitlements/x1?project=p1', key);
  await api.connection.close();
  await own.stop();
  expect([response.status, await response.json()]).toEqual([
    503,
    expect.objectContaining({ code: 'database_unavailable', detail: 'The database is not available; try again' }),
  ]);
});
