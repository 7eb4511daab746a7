import { ADMIN_ROUTES } from '../../../lambdas/api/admin/contract';
import { overviewView } from '../../../lambdas/api/admin/views/overview';
import { duration } from '../../../lambdas/api/admin/views/parts';
import { startApi, type ApiUnderTest } from '../../factories/api';

const HOSTILE = '"><script>alert(1)</script>';

let api: ApiUnderTest;
let key: string;
beforeAll(async () => {
  api = await startApi();
  key = await api.key(['admin']);
});
afterAll(() => api.stop());
beforeEach(() => {
  api.asked.length = 0;
  for (const stem of Object.keys(api.answers)) delete api.answers[stem];
});

const event = (id: string) => ({
  id,
  provider: 'stripe',
  type: 'invoice.paid',
  status: 'failed',
  attempts: 3,
  error: HOSTILE,
  source: 'webhook',
  objectId: HOSTILE,
  customerId: HOSTILE,
  subscriptionId: null,
  appId: HOSTILE,
  occurredAt: '2026-11-21T12:00:00.000Z',
  receivedAt: '2026-11-21T12:00:00.000Z',
  processedAt: null,
});

test('the page itself holds no data and may load its own script and style only', async () => {
  const response = await api.get('/admin');
  const text = await response.text();
  expect(response.headers.get('content-security-policy')).toBe(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  );
  expect(response.headers.get('set-cookie')).toBeNull();
  expect(text).not.toMatch(/<script(?! src="admin\/page\.js")|<style| style=| on\w+=/);
  expect(api.asked).toEqual([]);
  for (const [file, type] of [
    ['page.js', 'text/javascript'],
    ['style.css', 'text/css'],
  ]) {
    expect((await api.get(`/admin/${file}`)).headers.get('content-type')).toContain(type);
  }
});

test('nothing but the page and its files is public', () => {
  const open = ADMIN_ROUTES.filter(({ access }) => access !== 'admin').map(({ path }) => path);
  expect(open).toEqual(['/admin', '/admin/page.js', '/admin/style.css']);
});

test('texts of events are escaped, also in attributes and addresses', async () => {
  api.answers.inspect = () => ({ events: [event('evt_1')], next: null });
  const text = await (await api.get('/admin/view/events', key)).text();
  expect(text).toContain('&lt;script&gt;');
  expect(text).not.toContain('<script');
  api.answers.inspect = (request) =>
    (request as { action: string }).action === 'events'
      ? { events: [], next: null }
      : {
          event: {
            ...event('evt_1'),
            apiVersion: HOSTILE,
            livemode: true,
            dismissedBy: HOSTILE,
            dismissalReason: HOSTILE,
            changedFields: [HOSTILE],
            objects: [{ kind: HOSTILE, id: HOSTILE, status: HOSTILE, isOfThisEvent: false, originEvents: [HOSTILE] }],
            entitlements: [{ userId: HOSTILE, projectId: HOSTILE, feature: HOSTILE, validUntil: null }],
          },
        };
  expect(await (await api.get('/admin/view/event/evt_1', key)).text()).not.toContain('<script');
});

test.each([
  ['/admin/view/events?status=odd', 'query.status'],
  ['/admin/view/events?before=1', 'query.before'],
  ['/admin/view/events?about=%00', 'query.about'],
  ['/admin/view/events?colour=%3Cscript%3E', 'query'],
  ['/admin/view/event/%00', 'path.id'],
  ['/admin/view/reconciliation?run=x', 'query.run'],
  ['/admin/view/entitlements?user=%00', 'query.user'],
])('%s is refused with the field, and nothing is asked', async (path, field) => {
  const response = await api.get(path, key);
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ code: 'invalid_request', errors: [{ field }] });
  expect(api.asked).toEqual([]);
});

test('what the reader searched for is not repeated by the answer', async () => {
  api.answers.inspect = () => ({ events: [], next: null });
  expect(await (await api.get('/admin/view/events?about=needle', key)).text()).not.toContain('needle');
});

test('a retry is recorded before and after, names the events, and answers with the outcome', async () => {
  api.answers.audit = () => ({ id: '20261121T061500Z-1f0c9a3e' });
  api.answers.replay = () => ({ checked: 1, outcomes: { processed: 1 }, events: [] });
  const response = await api.post('/admin/retry', key, { events: ['evt_1'] });
  expect(await response.text()).toContain('1 applied');
  expect(api.asked.map(({ stem, request }) => [stem, request])).toEqual([
    ['audit', expect.objectContaining({ action: 'begin', command: 'API: retry evt_1' })],
    ['replay', { action: 'retry', provider: 'stripe', events: ['evt_1'], dryRun: false }],
    ['audit', expect.objectContaining({ action: 'finish', result: 'done' })],
  ]);
});

test('a retry that outlasts the request is recorded as interrupted, and the answer says that it may be running', async () => {
  api.answers.audit = () => ({ id: '20261121T061500Z-1f0c9a3e' });
  api.answers.replay = (_, signal) =>
    new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(new Error('Request aborted'))));
  const startedMs = performance.now();
  const lambdaContext = { getRemainingTimeInMillis: () => 3_100 - (performance.now() - startedMs) };
  const response = await api.app.request(
    '/admin/retry',
    {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ events: ['evt_1'] }),
    },
    {
      event: { requestContext: { identity: { sourceIp: '192.0.2.1' } } } as never,
      lambdaContext: lambdaContext as never,
    },
  );
  expect(response.status).toBe(504);
  expect(await response.json()).toMatchObject({
    code: 'still_running',
    detail: expect.stringContaining('may still be'),
  });
  expect(lambdaContext.getRemainingTimeInMillis()).toBeGreaterThan(1_000);
  expect(api.asked.at(-1)).toEqual({
    stem: 'audit',
    request: expect.objectContaining({
      action: 'finish',
      result: 'interrupted',
      message: expect.stringContaining('may still be'),
    }),
  });
});

test('a retry that cannot be recorded is not made', async () => {
  expect((await api.post('/admin/retry', key, { events: ['evt_1'] })).status).toBe(500);
  expect(api.asked.map(({ stem }) => stem)).toEqual(['audit']);
});

test('all that failed are retried batch by batch, by the ids that the ledger has', async () => {
  api.answers.audit = () => ({ id: '20261121T061500Z-1f0c9a3e' });
  api.answers.replay = () => ({ checked: 1, outcomes: { failed: 1 }, events: [{ id: 'evt_1', outcome: 'failed' }] });
  const tilled = { ...event('evt_2'), provider: 'tilled' };
  api.answers.inspect = () => ({ events: [event('evt_1'), event('not one of Stripe'), tilled], next: '17.evt_1' });
  const text = await (await api.post('/admin/retry', key, { events: 'failed', before: '18.evt_0' })).text();
  expect(text).toContain('data-next="17.evt_1"');
  expect(text).toContain('2 failed again');
  expect(api.asked.at(-1)?.request).toMatchObject({ action: 'finish', result: 'finding' });
  expect(api.asked.filter(({ stem }) => stem !== 'audit').map(({ request }) => request)).toEqual([
    { action: 'events', status: 'failed', limit: 25, before: '18.evt_0' },
    { action: 'retry', provider: 'stripe', events: ['evt_1'], dryRun: false },
    { action: 'retry', provider: 'tilled', events: ['evt_2'], dryRun: false },
  ]);
  const records = api.asked.filter(({ stem }) => stem === 'audit').map(({ request }) => request);
  expect(records.at(-2)).toMatchObject({ command: 'API: retry --provider tilled evt_2' });
});

const IDS = 'expected `failed`, or one to 25 ids of events such as evt_123';
const ONLY = 'expected a JSON object whose fields are `events`, `provider` and `before`, and no other';
test.each([
  [undefined, 'body', ONLY],
  [[], 'body', ONLY],
  [{}, 'body.events', IDS],
  [{ events: [] }, 'body.events', IDS],
  [{ events: ['evt_1', 'cus_1'] }, 'body.events.1', IDS],
  [{ events: 'all' }, 'body.events', IDS],
  [{ events: 'failed', before: 7 }, 'body.before', 'expected `next` of the answer before'],
  [{ events: ['evt_1'], provider: 'paypal' }, 'body.provider', 'expected stripe or tilled'],
  [{ events: 'failed', x: 1 }, 'body', ONLY],
])('a retry of %j is refused with the field and its form, and nothing is changed', async (body, field, detail) => {
  const response = await api.post('/admin/retry', key, body);
  expect([response.status, await response.json()]).toEqual([
    400,
    expect.objectContaining({ code: 'invalid_request', errors: [{ field, detail }] }),
  ]);
  expect(api.asked).toEqual([]);
});

test('a part of the overview that cannot be looked up says so beside the rest', async () => {
  api.answers.inspect = (request) => {
    if ((request as { action: string }).action === 'status') {
      return {
        events: { failed: 2, unfinished: 0, newestAt: null },
        queues: { waiting: 0, parked: 0 },
        problems: [],
        databases: [],
      };
    }
    throw new Error('host db-1.internal refused');
  };
  const text = await (await api.get('/admin/view/overview', key)).text();
  expect(text).toMatch(/2 events failed, 6 jobs late\. Could not be looked up: success over time, alarms\./);
  expect(text.match(/Could not be looked up/g)).toHaveLength(3);
  expect(text).not.toContain('db-1');
});

test('where nothing evaluates alarms the panel says so, and that is no part that is missing', async () => {
  const overview = {
    status: { events: { failed: 0, unfinished: 0, newestAt: null }, queues: { waiting: 0, parked: 0 }, problems: [] },
    activity: {
      at: new Date().toISOString(),
      hours: [],
      lag: { p95Seconds: null, oldestOpenSeconds: null },
      providers: [],
    },
    jobs: [],
  };
  const alarms = { isEvaluated: false, alarms: null, problem: 'The local platform has no alarms' };
  const render = async (change: object) =>
    (await overviewView({ ...overview, alarms: { ...alarms, ...change } }, new Date())).toString();
  const local = await render({});
  expect(local).toContain('All is well.');
  expect(local).toMatch(/<strong>No alarms here<\/strong>[^]+The local platform has no alarms/);
  const refused = await render({ isEvaluated: true });
  expect(refused).toMatch(/Not everything could be looked up:<\/strong> alarms\. All else is well/);
});

test.each([
  [0.9996, '1 s'],
  [0.04, '40 ms'],
  [119.9, '119 s'],
  [120, '2 min'],
])('%s seconds read %s', (seconds, words) => {
  expect(duration(seconds)).toBe(words);
});

const provider = (name: string, failed = 0) => ({
  provider: name,
  received: 1284,
  settled: 1280,
  failed,
  parked: failed,
  waiting: 0,
  p95Seconds: 2,
  oldestOpenSeconds: null,
  newestAt: null,
});
const payouts = {
  payouts: [
    {
      id: HOSTILE,
      account: HOSTILE,
      status: 'failed',
      amount: '12050',
      currency: 'eur',
      createdAt: '2026-11-21T12:00:00.000Z',
      arrivesAt: null,
      isLate: false,
      failureCode: HOSTILE,
      failureMessage: HOSTILE,
    },
  ],
  restrictedAccounts: [{ id: 'acct_2', cause: HOSTILE, requirementsDue: ['external_account'] }],
  restrictedTotal: 7,
  totals: { underWay: 4, late: 0, failed: 1, paid: 2 },
};

test('payments are shown by provider, with payouts that need attention; a part that cannot be looked up says so', async () => {
  const activity = {
    at: '2026-11-21T12:00:00.000Z',
    hours: [],
    lag: { p95Seconds: null, oldestOpenSeconds: null },
    providers: [provider('stripe'), provider('tilled', 3)],
  };
  const answer = (request: object) => {
    const { action } = request as { action: string };
    if (action === 'bitcoin') throw new Error('host db-1.internal refused');
    return action === 'activity' ? activity : payouts;
  };
  api.answers.inspect = answer;
  const text = await (await api.get('/admin/view/payments', key)).text();
  for (const part of ['Stripe', 'Tilled', '1,284', '120.50 EUR', 'The first 1 of 7 restricted accounts', 'ops payouts'])
    expect(text).toContain(part);
  expect(text.match(/Could not be looked up/g)).toHaveLength(1);
  expect(text).not.toMatch(/<script|db-1/);
  expect(api.asked.map(({ request }) => request)).toContainEqual({ action: 'payouts', open: true, limit: 50 });

  const without = await startApi({ bitcoin: undefined, providers: ['stripe'] });
  without.answers.inspect = (request) =>
    (request as { action: string }).action === 'activity'
      ? { ...activity, providers: [provider('stripe'), provider('tilled')] }
      : payouts;
  const other = await (await without.get('/admin/view/payments', await without.key(['admin']))).text();
  await without.stop();
  expect(other).not.toMatch(/Tilled|Bitcoin|not be looked up/);
});

test('what a user may use is shown in every project, with the reason', async () => {
  await api.client.query(
    `INSERT INTO billing.entitlements (user_id, project_id, feature, source, source_id, valid_from)
       VALUES ('ada', 'p1', 'videos', 'subscription', 'sub_1', now()), ('ada', '', 'forum', 'purchase', 'cs_1', now());
     INSERT INTO billing.entitlement_versions (user_id, project_id, version, changed_at)
       VALUES ('ada', 'p1', 1, now()), ('ada', '', 1, now()), ('ada', 'p2', 4, now())`,
  );
  const text = await (await api.get('/admin/view/entitlements?user=ada', key)).text();
  for (const part of ['Project p1', 'videos', 'sub_1', 'Without a project', 'cs_1', 'Project p2', 'Nothing now']) {
    expect(text).toContain(part);
  }
  expect(await (await api.get('/admin/view/entitlements?user=bob', key)).text()).toContain('never had anything');
});
