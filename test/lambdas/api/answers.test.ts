import type { ApiDependencies } from '../../../lambdas/api/dependencies';
import { createJobReader } from '../../../lambdas/api/jobs';
import { startApi, type ApiUnderTest } from '../../factories/api';
import { charge, customer, refund, stripeEvent, subscription } from '../../factories/stripe-objects';
import { silentLog } from '../../support/log';
import { applyWithEntitlements, putRules, RULES } from '../../support/entitlements';

let api: ApiUnderTest;
let admin: string;
beforeAll(async () => {
  api = await startApi();
  admin = await api.key(['admin']);
});
afterAll(() => api.stop());

const json = async (response: Response): Promise<unknown> => response.json();
const status = async (url: string, key = admin) => (await api.get(url, key)).status;

describe('health', () => {
  const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString();
  const inspected = (archive: string | null, madeAt = daysAgo(400)) => ({
    databases: [
      {
        database: 'billing',
        newestArchive: archive,
        archiveLimitSeconds: 8 * 3_600,
        lastDrill: { startedAt: new Date().toISOString(), outcome: 'passed' },
        madeAt,
        maintenance: [
          { task: 'sizes', at: daysAgo(8) },
          { task: 'vacuum', at: daysAgo(10) },
          { task: 'report', at: daysAgo(32) },
        ],
      },
    ],
    problems: [],
  });

  test.each(['/health', '/healthz', '/live'])('%s answers without a database', async (url) => {
    expect([(await api.get(url)).status, await json(await api.get(url))]).toEqual([200, { status: 'ok' }]);
  });

  test.each(['/ready', '/health/db'])('%s says whether the database answers', async (url) => {
    expect(await json(await api.get(url))).toEqual({ status: 'ok', db: 'ok' });
  });

  test('/health/jobs has each job with its last success, age and limit, and is 503 while one is late', async () => {
    api.answers.inspect = () => inspected(daysAgo(9 / 24));
    await api.client.query(
      `INSERT INTO billing.job_successes VALUES ('collector', now() - interval '14 min'), ('refresh', now() - interval '6 min')`,
    );
    const response = await api.get('/health/jobs');
    const body = (await response.json()) as {
      status: string;
      jobs: { job: string; status: string; ageSeconds: number }[];
    };
    expect([response.status, body.status]).toEqual([503, 'late']);
    expect(body.jobs.map((job) => [job.job, job.status])).toEqual([
      ['reconciliation', 'late'],
      ['canary', 'late'],
      ['collector', 'ok'],
      ['refresh', 'late'],
      ['cleanup', 'late'],
      ['confirmations', 'late'],
      ['backup-billing', 'late'],
      ['drill-billing', 'ok'],
      ['maintenance-sizes-billing', 'ok'],
      ['maintenance-vacuum-billing', 'late'],
      ['maintenance-indexes-billing', 'late'],
      ['maintenance-cards-billing', 'late'],
      ['maintenance-logs-billing', 'late'],
      ['maintenance-residency-billing', 'late'],
      ['maintenance-report', 'ok'],
    ]);
    expect(body.jobs[6]).toMatchObject({ limitSeconds: 28_800, ageSeconds: expect.any(Number) });
  });

  test('a job that never ran is late only when the database is older than its limit', async () => {
    const young = await startApi();
    young.answers.inspect = () => ({ ...inspected(null, daysAgo(0.5)), problems: [] });
    const { jobs } = (await json(await young.get('/health/jobs'))) as { jobs: { job: string; status: string }[] };
    const health = await json(await young.get('/api/health'));
    await young.stop();
    const late = jobs.filter((job) => job.status === 'late').map(({ job }) => job);
    expect(late).toEqual([
      'canary',
      'collector',
      'refresh',
      'confirmations',
      'backup-billing',
      'maintenance-vacuum-billing',
    ]);
    expect(health).toMatchObject({ stripe: 'stale' });
  });

  test('/api/health is degraded until everything was compared with Stripe, of which only the database is asked', async () => {
    const own = await startApi();
    own.answers.inspect = () => new Promise(() => undefined);
    expect(await json(await own.get('/api/health'))).toEqual({ status: 'degraded', db: 'ok', stripe: 'stale' });
    const run = (hoursAgo: number) =>
      own.client.query(
        `INSERT INTO billing.reconciliation_runs (status, dry_run, window_start, started_at, finished_at)
         VALUES ('complete', false, now(), now() - make_interval(hours => $1), now())`,
        [hoursAgo],
      );
    await run(27);
    expect(await json(await own.get('/api/health'))).toMatchObject({ stripe: 'stale' });
    await run(1);
    expect(await json(await own.get('/api/health'))).toEqual({ status: 'ok', db: 'ok', stripe: 'ok' });
    await own.stop();
  });

  test('a job whose record does not answer in time is unknown beside the others, and asked for again soon', async () => {
    let now = Date.now();
    let asked = 0;
    const read = createJobReader(
      {
        database: api.connection,
        ask: () => ((asked += 1) === 1 ? new Promise(() => (now += 8_000)) : Promise.resolve(inspected(daysAgo(0)))),
        hasCanary: false,
        bitcoin: undefined,
        clock: () => new Date(now),
        log: silentLog,
      } as unknown as ApiDependencies,
      50,
    );
    const states = async () => Object.fromEntries((await read()).map((each) => [each.job, each.status]));
    expect(await states()).toMatchObject({ collector: 'ok', backup: 'unknown', drill: 'unknown' });
    now += 4_000;
    expect([(await states()).backup, asked]).toEqual(['unknown', 1]);
    now += 2_000;
    expect(await states()).toMatchObject({ 'backup-billing': 'ok' });
    now += 59_000;
    await states();
    expect(asked).toBe(2);
  });
});

describe('the entitlements of a user', () => {
  const url = '/api/v1/entitlements/user_1?project=project_1';
  beforeAll(async () => {
    await putRules(api.client, RULES);
    const metadata = { user_id: 'user_1', project_id: 'project_1' };
    await applyWithEntitlements(
      api.client,
      stripeEvent('customer.created', customer()),
      stripeEvent('customer.subscription.created', subscription({ metadata, status: 'active' })),
    );
    await api.client.query(
      "UPDATE billing.entitlements SET valid_from = now() - interval '1 hour', valid_until = '2999-01-01Z'",
    );
  });

  test('say what, until when and why', async () => {
    const response = await api.get(url, await api.key(['entitlements:read'], ['project_1']));
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      user: 'user_1',
      project: 'project_1',
      version: 1,
      features: [
        {
          feature: 'pro',
          until: '2999-01-01T00:00:00.000Z',
          because: [
            { source: 'subscription', id: 'sub_1', from: expect.any(String), until: '2999-01-01T00:00:00.000Z' },
          ],
        },
      ],
    });
  });

  test('are 304 for who has them, and 200 again once they changed', async () => {
    const etag = (await api.get(url, admin)).headers.get('etag') ?? '';
    expect(etag).toMatch(/^"[\w-]{43}"$/);
    const again = await api.get(url, admin, { 'if-none-match': `"other", W/${etag}` });
    expect([again.status, await again.text()]).toEqual([304, '']);
    await api.client.query("UPDATE billing.entitlements SET valid_until = '2998-01-01Z'");
    expect((await api.get(url, admin, { 'if-none-match': etag })).status).toBe(200);
  });

  test('are empty for who has none', async () => {
    expect(await json(await api.get('/api/v1/entitlements/nobody?project=project_1', admin))).toEqual({
      user: 'nobody',
      project: 'project_1',
      version: 0,
      features: [],
    });
  });

  test('are computed again by the function of operators, between two records of the audit log', async () => {
    api.asked.length = 0;
    api.answers.audit = () => ({ action: 'begin', id: '20261121T061500Z-1f0c9a3e' });
    api.answers.entitlements = () => ({ dryRun: false, sources: 1, changed: 0 });
    const response = await api.post('/api/v1/entitlements/user_1/recompute', admin);
    expect([response.status, await response.json()]).toEqual([200, { sources: 1, changed: 0 }]);
    expect(api.asked).toEqual([
      {
        stem: 'audit',
        request: { action: 'begin', who: expect.stringMatching(/^API key /), command: expect.any(String) },
      },
      { stem: 'entitlements', request: { action: 'recompute', scope: { userId: 'user_1' }, dryRun: false } },
      { stem: 'audit', request: expect.objectContaining({ action: 'finish', result: 'done' }) },
    ]);
  });

  test('are not computed again where that cannot be recorded', async () => {
    api.asked.length = 0;
    delete api.answers.audit;
    expect((await api.post('/api/v1/entitlements/user_1/recompute', admin)).status).toBe(500);
    expect(api.asked.map(({ stem }) => stem)).toEqual(['audit']);
  });
});

describe('the figures of a project', () => {
  const base = '/api/v1/metrics/project/project_2';
  const range = 'from=2020-01-01&to=2020-12-31';
  beforeAll(async () => {
    const metadata = { user_id: 'user_2', project_id: 'project_2' };
    const made = { created: Date.parse('2020-06-01') / 1_000, status: 'succeeded', metadata, payment_intent: null };
    await applyWithEntitlements(
      api.client,
      stripeEvent('customer.created', customer()),
      stripeEvent('customer.subscription.created', subscription({ id: 'sub_2', metadata })),
      stripeEvent('charge.succeeded', charge({ ...made, id: 'ch_1', amount: 5_000, amount_captured: 4_000 })),
      stripeEvent(
        'charge.succeeded',
        charge({ ...made, id: 'ch_2', amount: 700, amount_captured: 700, currency: 'jpy' }),
      ),
      stripeEvent(
        'charge.succeeded',
        charge({ ...made, id: 'ch_3', amount: 900, metadata: { project_id: 'project_3' } }),
      ),
      stripeEvent('charge.failed', charge({ ...made, id: 'ch_4', amount: 1, status: 'failed' })),
      stripeEvent('charge.succeeded', charge({ ...made, id: 'ch_5', captured: false, amount_captured: 0 })),
      stripeEvent('charge.pending', charge({ ...made, id: 'ch_6', status: 'pending' })),
      stripeEvent('refund.created', refund({ id: 're_6', charge: 'ch_6', payment_intent: null, status: 'pending' })),
      stripeEvent(
        'refund.created',
        refund({ id: 're_1', charge: 'ch_1', payment_intent: null, amount: 1_500, status: 'succeeded' }),
      ),
    );
    await api.client.query('ALTER TABLE billing.refund_ledger DISABLE TRIGGER USER');
    await api.client.query("UPDATE billing.refund_ledger SET recorded_at = '2020-07-01Z'");
  });

  test('are what was captured by currency, less what was given back of it, in the smallest unit', async () => {
    const { currencies } = (await json(await api.get(`${base}/revenue?${range}`, admin))) as { currencies: unknown };
    expect(currencies).toEqual([
      { currency: 'eur', gross: 4_000, refunded: 1_500, net: 2_500, charges: 1 },
      { currency: 'jpy', gross: 700, refunded: 0, net: 700, charges: 1 },
    ]);
  });

  test('leave out what lies outside of the range, whose end is not part of it', async () => {
    const revenue = async (span: string) =>
      (
        (await json(await api.get(`${base}/revenue?${span}`, admin))) as {
          currencies: { gross: number; refunded: number }[];
        }
      ).currencies;
    expect(await revenue('from=2020-01-01&to=2020-06-01')).toEqual([]);
    expect(await revenue('from=2020-07-02&to=2020-12-31')).toEqual([]);
    expect(await revenue('from=2020-07-01&to=2020-07-02')).toMatchObject([{ gross: 0, refunded: 1_500, net: -1_500 }]);
    expect(await revenue('from=2020-06-01&to=2020-06-02')).toMatchObject([
      { gross: 4_000, refunded: 0 },
      { gross: 700 },
    ]);
  });

  test('count its subscriptions', async () => {
    expect(await json(await api.get(`${base}/subscriptions`, admin))).toMatchObject({
      project: 'project_2',
      byStatus: { active: 1 },
      ending: 0,
    });
  });

  test('are those of a project that only an assignment names', async () => {
    const url = '/api/v1/metrics/project/project_assigned/subscriptions';
    expect(await json(await api.get(url, admin))).toMatchObject({ byStatus: {} });
    await api.client.query(
      `INSERT INTO billing.owner_assignments (object_id, project_id, reason, assigned_by)
       VALUES ('sub_2', 'project_assigned', 'test', 'test')`,
    );
    expect(await json(await api.get(url, admin))).toMatchObject({ byStatus: { active: 1 } });
  });

  test('are none of a project that nothing names, whatever the key', async () => {
    const url = '/api/v1/metrics/project/project_new/revenue';
    for (const key of [admin, await api.key(['metrics:read'], ['project_new'])]) {
      const answer = (await json(await api.get(url, key))) as { from: string; to: string };
      expect(answer).toMatchObject({ project: 'project_new', currencies: [] });
      expect(Date.parse(answer.to) - Date.parse(answer.from)).toBe(30 * 86_400_000);
    }
  });
});

test.each([
  ['/api/v1/entitlements/a%00b?project=p', 'path.user'],
  [`/api/v1/entitlements/${'x'.repeat(501)}?project=p`, 'path.user'],
  [`/api/v1/entitlements/${'%E2%82%AC'.repeat(167)}?project=p`, 'path.user'],
  ['/api/v1/entitlements/x?project=', 'query.project'],
  ['/api/v1/entitlements/x?projct=p', 'query'],
  [`/api/v1/entitlements/x?project=${'p'.repeat(5_000)}`, 'query.project'],
  ['/api/v1/metrics/project/p1/revenue?from=yesterday', 'query.from'],
  ['/api/v1/metrics/project/p1/revenue?from=2026-02-30', 'query.from'],
  ['/api/v1/metrics/project/p1/revenue?to=2026-01-01T00:00:00', 'query.to'],
  ['/api/v1/metrics/project/p1/revenue?from=2026-02-01&to=2026-01-01', 'query.from'],
  ['/api/v1/metrics/project/p1/subscriptions?from=2020-01-01&to=2026-01-01', 'query.from'],
])('%# a malformed request is answered with the field, without what was sent', async (url, field) => {
  const response = await api.get(url, admin);
  expect([response.status, response.headers.get('content-type')]).toEqual([400, 'application/problem+json']);
  const text = await response.text();
  expect(JSON.parse(text)).toMatchObject({ code: 'invalid_request', errors: [{ field, detail: expect.any(String) }] });
  expect(text).not.toMatch(/yesterday|projct|x{20}|p{20}/);
});

test('an id has as many bytes as one of metadata may have', async () => {
  expect(await status(`/api/v1/entitlements/${'x'.repeat(500)}?project=${'%E2%82%AC'.repeat(166)}`)).toBe(200);
});

test('a body larger than the limit is refused', async () => {
  const response = await api.post('/api/v1/entitlements/x/recompute', admin, { filler: 'x'.repeat(70_000) });
  expect(await json(response)).toMatchObject({ status: 413, code: 'payload_too_large' });
});

test('a fault says nothing of its cause to the caller', async () => {
  const failing = await startApi({
    keySecret: () => Promise.reject(new Error('connect ECONNREFUSED db.internal:5432')),
  });
  const response = await failing.get('/metrics', admin);
  expect(response.status).toBe(500);
  expect(await response.text()).not.toContain('db.internal');
  await failing.stop();
});

test('Prometheus gets each figure with HELP and TYPE, and a key of some projects gets none', async () => {
  const response = await api.get('/metrics', await api.key(['metrics:read']));
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  const text = await response.text();
  expect(text).toContain('billing_subscriptions{status="active"} 2');
  expect(text).toContain('billing_webhook_events{status="failed"} 0');
  expect(text).toContain('billing_job_late{job="drill-billing"} 0');
  for (const [, name = ''] of text.matchAll(/^(billing_\w+)/gm)) {
    expect(text).toContain(`# HELP ${name} `);
    expect(text).toContain(`# TYPE ${name} gauge`);
  }
  expect(await status('/metrics', await api.key(['metrics:read'], ['p1']))).toBe(403);
});
