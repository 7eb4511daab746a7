import { backupsView } from '../../../lambdas/api/admin/views/backups';
import { overviewView } from '../../../lambdas/api/admin/views/overview';
import type { Job } from '../../../lambdas/api/jobs';
import { startApi, type ApiUnderTest } from '../../factories/api';

const FINDINGS = '1 not as archived, 0 to compare: see docs/runbook.md#restore-drill-findings';
const now = new Date();

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.stop());

test('a drill with findings is a job that succeeded, and says what it did not restore and where to read on', async () => {
  const status = (lastDrill: object | null) => ({
    databases: [
      {
        database: 'main',
        newestArchive: null,
        archiveLimitSeconds: 60,
        lastDrill,
        madeAt: now.toISOString(),
        maintenance: [],
      },
    ],
    problems: [],
  });
  api.answers.inspect = () => status({ startedAt: now.toISOString(), outcome: 'passed', findings: FINDINGS });
  const { jobs } = (await (await api.get('/health/jobs')).json()) as { readonly jobs: readonly Job[] };
  expect(jobs.filter(({ findings }) => findings !== null)).toEqual([
    expect.objectContaining({ job: 'drill-main', status: 'ok', findings: FINDINGS }),
  ]);
});

test('the Stability page says which drill has findings, and not that all is well', async () => {
  const activity = {
    at: now.toISOString(),
    hours: [],
    lag: { p95Seconds: null, oldestOpenSeconds: null },
    providers: [],
  };
  const overview = async (findings: string | null) => {
    const job = { job: 'drill-main', status: 'ok', lastSuccess: null, ageSeconds: null, limitSeconds: 60 } as const;
    const alarms = { isEvaluated: false, alarms: null, problem: null };
    const view = overviewView({ status: 'not asked', activity, alarms, jobs: [{ ...job, findings }] }, now);
    return (await view).toString();
  };
  const text = await overview(FINDINGS);
  expect(text).toMatch(/Needs attention:<\/strong> 1 drill with findings/);
  expect(text).toContain(FINDINGS);
  expect(await overview(null)).not.toMatch(/findings|Needs attention/);
});

test.each([
  ['passed', 'badge warn">passed with findings<'],
  ['failed', 'badge bad">failed<'],
])('the list of drills of the Stability page has one that %s with an error as it is', async (outcome, badge) => {
  const drill = { startedAt: now.toISOString(), outcome, rows: 1, durationMs: 1, targetMs: 1, error: FINDINGS };
  const view = backupsView([{ database: 'main', archives: 'not asked', drills: { drills: [drill] } }], now);
  expect((await view).toString()).toContain(badge);
});
