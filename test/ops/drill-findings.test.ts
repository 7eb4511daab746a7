import { runAnswered } from './run-answered';

const AT = '2026-11-21T06:00:00Z';
const FINDINGS = '2 not as archived, 1 to compare: see docs/runbook.md#restore-drill-findings';
const row = { startedAt: AT, outcome: 'passed', slot: AT, rows: 1, durationMs: 60_000, targetMs: 3_600_000 };
const record = {
  ...row,
  database: 'billing',
  tables: 1,
  restoredBytes: 1,
  bytesPerSecond: 1,
  liveBytes: 1,
  projectedMs: 60_000,
  targetPercent: 2,
  error: null,
};
const listed = (drill: object) => ({ action: 'drills', database: 'billing', drills: [drill] });

const ops = async (line: string, answer: object) => {
  const { status, stdout } = await runAnswered([...line.split(' '), '--env', 'dev'], answer);
  return { status, stdout };
};

test('a drill with findings says so, counts them, and is a finding', async () => {
  const { status, stdout } = await ops('drill billing --without-audit', {
    ...record,
    deviations: 2,
    schemaDifferences: 1,
  });
  expect(status).toBe(1);
  expect(stdout).toMatch(/^outcome +passed with findings$/m);
  expect(stdout).toMatch(new RegExp(`^findings +${FINDINGS}$`, 'm'));
});

test('a drill without findings, or of a proof that did not count them, passes', async () => {
  for (const count of [0, null]) {
    const { status, stdout } = await ops('drill billing --without-audit', {
      ...record,
      deviations: count,
      schemaDifferences: count,
    });
    expect([status, stdout]).toEqual([0, expect.stringMatching(/^outcome +passed$/m)]);
    expect(stdout).not.toContain('findings');
  }
});

test('lists of drills and of runs name the findings of a drill that passed', async () => {
  const drills = await ops('drills list billing', listed({ ...row, error: FINDINGS }));
  expect(drills.status).toBe(1);
  expect(drills.stdout).toMatch(new RegExp(`passed with findings .+${FINDINGS}`));
  const runs = await ops(`runs --follow drill:billing:${AT}`, listed({ ...row, error: FINDINGS }));
  expect(runs).toEqual({ status: 0, stdout: `drill:billing:${AT}: done, passed with findings: ${FINDINGS}\n` });
});

test('a drill that failed is listed with its error', async () => {
  const failed = { ...row, outcome: 'failed', error: 'archive_damaged: a part' };
  const drills = await ops('drills list billing', listed(failed));
  expect([drills.status, drills.stdout]).toEqual([1, expect.stringMatching(/ failed .+archive_damaged: a part/)]);
  expect((await ops(`runs --follow drill:billing:${AT}`, listed(failed))).stdout).toContain(
    'failed, archive_damaged: a part',
  );
});

const statusOf = (lastDrill: object) => ({
  action: 'status',
  at: new Date().toISOString(),
  databases: [
    {
      database: 'billing',
      sizeBytes: 1,
      connectionsPercent: 1,
      schemaVersion: '0001_x',
      newestArchive: new Date().toISOString(),
      archiveLimitSeconds: 3_600,
      lastDrill: { startedAt: new Date().toISOString(), ...lastDrill },
      madeAt: AT,
      maintenance: [],
    },
  ],
  events: null,
  queues: null,
  reconciliation: null,
  money: null,
  secrets: [],
  problems: [],
});

test('the status counts the findings of the last drill, says where to read on, and they are a finding', async () => {
  const found = await ops('status', statusOf({ outcome: 'passed', findings: FINDINGS }));
  expect(found.status).toBe(1);
  expect(found.stdout).toMatch(/^billing .+ passed with findings, /m);
  expect(found.stdout).toMatch(new RegExp(`^Findings of the last drill of billing: ${FINDINGS}$`, 'm'));
  const sound = await ops('status', statusOf({ outcome: 'passed', findings: null }));
  expect([sound.status, sound.stdout]).toEqual([0, expect.not.stringContaining('findings')]);
});

test.each(['slow', 'failed', 'interrupted'])(
  'a last drill that ended as %s is a finding of the status',
  async (outcome) => {
    const { status, stdout } = await ops('status', statusOf({ outcome, findings: null }));
    expect(status).toBe(1);
    expect(stdout).toMatch(
      new RegExp(`^The last drill of billing did not pass \\(${outcome}\\): ops drills list billing$`, 'm'),
    );
  },
);

test.each<[string, string | null, string, RegExp]>([
  ['passed', FINDINGS, 'wrong', /^passed with findings, .+ ago\): 2 not as archived, 1 to compare/],
  ['slow', FINDINGS, 'wrong', /^slow with findings, .+ ago\): 2 not as archived, 1 to compare/],
  ['passed', null, 'good', /^passed, .+ ago\)$/],
])('the doctor calls a drill that %s with findings %s %s', async (outcome, findings, state, detail) => {
  const { stdout } = await ops('doctor --quick --json', statusOf({ outcome, findings }));
  const checks = JSON.parse(stdout) as { readonly check: string }[];
  const fix = 'docs/runbook.md#restore-drill-findings, then ops drill billing';
  expect(checks.find(({ check }) => check === 'drill of billing')).toEqual({
    check: 'drill of billing',
    state,
    detail: expect.stringMatching(detail) as string,
    fix: findings === null ? null : fix,
  });
});
