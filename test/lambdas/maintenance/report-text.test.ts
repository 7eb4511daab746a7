import { reportMonthly } from '../../../lambdas/maintenance/monthly-report';
import { gatherFacts, type ReportFacts } from '../../../lambdas/maintenance/report-facts';
import { writeReport } from '../../../lambdas/maintenance/report-text';
import { AT, drill, facts, key, MIB, records, status } from '../../factories/report-facts';

/** The lines under a heading. */
function sectionOf(text: string, heading: string): string[] {
  const lines = text.split('\n');
  const start = lines.indexOf(heading) + 2;
  return lines.slice(start, lines.indexOf('', start));
}

test('a month without a finding leaves nothing to decide, and the report says how everything is', () => {
  const { subject, text, decisions } = writeReport(facts());
  expect([subject, decisions]).toEqual([
    'Billing operations, production: report of December 2026 - nothing to decide',
    0,
  ]);
  expect(sectionOf(text, 'To decide')).toEqual(['Nothing.']);
  expect(sectionOf(text, 'Backups and drills')[0]).toBe(
    'billing archive 3 h old (limit 8 h); last drill 2026-12-03 passed, 4 min of 60 min',
  );
  expect(sectionOf(text, 'Reconciliation with Stripe')).toEqual([
    '2 runs in 31 days, 1 of them complete; the last one 2026-12-06',
    '3 differences found, 1 missed events',
  ]);
  expect(sectionOf(text, 'API keys in force')).toEqual([
    'shop  used 1 day ago; 61 days old, ends 2027-10-06; metrics:read, entitlements:read',
  ]);
  expect(sectionOf(text, 'Database billing: maintenance').at(-1)).toBe(
    'residency 2026-12-05 done in 1.5 s: 40 resources with data, 4 of the second region, 1 existing instance, and their copies, are in eu-central-1, eu-west-1',
  );
  expect(sectionOf(text, 'Database billing: sizes')).toEqual([
    '           size   in a week  in a month',
    'all   300.0 MiB   +10.0 MiB           –',
  ]);
});

test.each<[string, Partial<ReportFacts>, RegExp]>([
  [
    'an archive that is too old',
    {
      status: {
        ...status,
        databases: [{ database: 'main', newestArchive: '2026-12-01T00:00:00Z', archiveLimitSeconds: 60 }],
      },
    },
    /^- main: no archive since 2026-12-01/,
  ],
  ['parked events', { status: { ...status, queues: { waiting: 0, parked: 2 } } }, /^- events: 2 parked/],
  [
    'failed events',
    { status: { ...status, events: { failed: 4, unfinished: 0, lastHour: 0 } } },
    /^- events: 4 failed/,
  ],
  [
    'an old secret',
    { status: { ...status, secrets: [{ secret: 'stripe-api', changedAt: '2026-08-01T00:00:00Z' }] } },
    /^- secret stripe-api: unchanged since 2026-08-01/,
  ],
  [
    'a key that nothing uses any more',
    { keys: [{ ...key, lastUsedAt: '2026-08-01T00:00:00Z' }] },
    /^- API key shop: not used since 2026-08-01\. Revoke it\? ops keys revoke abcdefghijkl/,
  ],
  [
    'a key that was never used',
    { keys: [{ ...key, lastUsedAt: null }] },
    /^- API key shop: never used since 2026-10-06/,
  ],
  [
    'a key that ends soon',
    { keys: [{ ...key, expiresAt: '2027-01-01T00:00:00Z' }] },
    /^- API key shop: ends on 2027-01-01\. Rotate it\? ops keys rotate abcdefghijkl/,
  ],
  [
    'an old key',
    { keys: [{ ...key, createdAt: '2025-10-06T09:00:00Z', expiresAt: null }] },
    /^- API key shop: in force since 2025-10-06/,
  ],
  ['no drill', { drills: { billing: [], main: [drill] } }, /^- billing: never drilled/],
  [
    'a drill that was slow',
    { drills: { billing: [drill], main: [{ ...drill, outcome: 'slow' }] } },
    /^- main: the drill of 2026-12-03 ended slow/,
  ],
  [
    'a drill with findings',
    { drills: { billing: [drill], main: [{ ...drill, error: '1 not as archived, 0 to compare' }] } },
    /^- main: the drill of 2026-12-03 passed with findings: 1 not as archived, 0 to compare$/,
  ],
  [
    'an old drill',
    { drills: { billing: [{ ...drill, startedAt: '2026-10-03T14:00:00Z' }], main: [drill] } },
    /^- billing: no drill since 2026-10-03/,
  ],
  [
    'a missing index',
    {
      maintenance: {
        billing: records({ indexes: { missing: [{ table: 'a.b', columns: ['c', 'd'], references: 'e', bytes: 1 }] } }),
        main: records(),
      },
    },
    /^- billing: foreign key \(c, d\) of a\.b to e has no index/,
  ],
  [
    'an unused index',
    {
      maintenance: {
        billing: records({ indexes: { unused: [{ index: 'a.i', table: 'a.b', bytes: 8 * MIB }] } }),
        main: records(),
      },
    },
    /^- billing: index a\.i \(8\.0 MiB\) was not used since 2026-10-01/,
  ],
  [
    'bloat',
    {
      maintenance: {
        billing: records(),
        main: records({
          vacuum: {
            bloat: [{ relation: 'a.b', kind: 'table', bytes: 9 * MIB, bloatBytes: 8 * MIB, bloatPercent: 89 }],
          },
        }),
      },
    },
    /^- main: table a\.b: 8\.0 MiB \(89 %\) of bloat/,
  ],
  [
    'a table that the role may not vacuum',
    {
      maintenance: {
        billing: records(),
        main: records({ vacuum: { skipped: [{ relation: 'a.b', reason: 'the role may not maintain it' }] } }),
      },
    },
    /^- main: table a\.b was not vacuumed: the role may not maintain it/,
  ],
  [
    'a card number',
    {
      maintenance: {
        billing: records({
          cards: {
            found: 1,
            findings: [
              { table: 'a.b', column: 'c', row: '1', block: 0, brand: 'Visa', withCode: false, missingSince: null },
            ],
          },
        }),
        main: records(),
      },
    },
    /^- billing: card numbers in a\.b\.c \(1\)/,
  ],
  [
    'a card number in a log',
    { maintenance: { billing: records({ logs: { found: 1, findings: [{ group: 'a-log' }] } }), main: records() } },
    /^- billing: card numbers in 1 line of a-log\. Remove them/,
  ],
  [
    'data in another region',
    {
      maintenance: {
        billing: records({ residency: { outside: [{ what: 'bucket b', region: 'us-east-1' }] } }),
        main: records(),
      },
    },
    /^- residency: bucket b is in us-east-1\. Fix: remove bucket b there, or name the region in allowedRegions, and deploy; runbook, "Data outside/,
  ],
  [
    'growth',
    {
      maintenance: {
        billing: records({ sizes: { databaseBytes: 8192 * MIB, monthAgoBytes: 4096 * MIB } }),
        main: records(),
      },
    },
    /^- billing: grew by 4\.0 GiB in a month/,
  ],
  [
    'a task that failed',
    {
      maintenance: {
        billing: records().map((record) =>
          record.task === 'vacuum' ? { ...record, outcome: 'failed', error: 'why', result: null } : record,
        ),
        main: records(),
      },
    },
    /^- billing: task vacuum of 2026-12-05 failed: why\. ops maintenance run billing --task vacuum/,
  ],
  [
    'a task that is late',
    {
      maintenance: {
        billing: records().map((record) => ({ ...record, startedAt: '2026-11-20T07:00:00Z' })),
        main: records(),
      },
    },
    /^- billing: task sizes last ran on 2026-11-20/,
  ],
  [
    'a task that never ran',
    { maintenance: { billing: records().slice(0, 2), main: records() } },
    /^- billing: task indexes never ran/,
  ],
  ['a source that did not answer', { problems: ['status: refused'] }, /^- Could not be looked up: status: refused/],
])('%s is the first thing to decide', (_case, overrides, line) => {
  const { text, decisions } = writeReport(facts(overrides));
  expect(decisions).toBeGreaterThan(0);
  expect(sectionOf(text, 'To decide')[0]).toMatch(line);
});

test('a slow drill with findings is two things to decide, and one that failed has its error only', () => {
  const decided = (outcome: string) => {
    const drills = { billing: [drill], main: [{ ...drill, outcome, error: '1 not as archived, 0 to compare' }] };
    return sectionOf(writeReport(facts({ drills })).text, 'To decide');
  };
  expect(decided('slow')).toEqual([
    '- main: the drill of 2026-12-03 ended slow. Can it be restored in time?',
    '- main: the drill of 2026-12-03 slow with findings: 1 not as archived, 0 to compare',
  ]);
  expect(decided('failed')).toEqual(['- main: the drill of 2026-12-03 ended failed. Can it be restored in time?']);
});

test('sources that fail cost the report their own lines and nothing else', async () => {
  const gathered = await gatherFacts({
    environment: 'production',
    clock: () => AT,
    ask: async ({ action }) => {
      if (action === 'status') throw new Error('refused');
      return action === 'drills' ? { drills: [drill] } : { runs: [] };
    },
    readRecords: async (database) => {
      if (database === 'main') throw new Error('no connection');
      return records();
    },
    readKeys: async () => {
      throw new Error('no table');
    },
  });
  expect(gathered.problems).toEqual(['status: refused', 'API keys: no table', 'maintenance of main: no connection']);
  const { text } = writeReport(gathered);
  expect(sectionOf(text, 'Events')).toEqual(['unknown: it could not be looked up']);
  expect(sectionOf(text, 'API keys in force')).toEqual(['unknown: it could not be looked up']);
  expect(sectionOf(text, 'Database main: maintenance')).toEqual(['unknown: it could not be looked up']);
  expect(sectionOf(text, 'Database billing: maintenance')).toHaveLength(6);
});

test('a long name of a secret or of a key moves the columns of the others', () => {
  const changedAt = '2026-12-05T09:00:00Z';
  const { text } = writeReport(
    facts({
      status: {
        ...status,
        secrets: ['stripe-api', 'billing-login-collector'].map((secret) => ({ secret, changedAt })),
      },
      keys: [
        { ...key, expiresAt: null },
        { ...key, name: 'a-longer-name', lastUsedAt: null, createdAt: changedAt },
      ],
    }),
  );
  expect(sectionOf(text, 'Secrets, by their age')).toEqual([
    'stripe-api               1 day',
    'billing-login-collector  1 day',
  ]);
  expect(sectionOf(text, 'API keys in force')).toEqual([
    'shop           used 1 day ago; 61 days old, without an end; metrics:read, entitlements:read',
    'a-longer-name  never used; 1 day old, ends 2027-10-06; metrics:read, entitlements:read',
  ]);
});

test('a subject is ASCII and as short as SNS asks for, whatever the environment is named', () => {
  const { subject } = writeReport(facts({ environment: 'a-long-name-12' }));
  // oxlint-disable-next-line no-control-regex
  expect(subject).toMatch(/^[\x20-\x7e]{1,100}$/);
});

test('a report that is to be sent where there is no topic, as locally, is refused before anything is looked up', async () => {
  await expect(reportMonthly({ topicArn: '' } as never, { send: true })).rejects.toMatchObject({
    code: 'invalid_request',
    message: expect.stringContaining('leave it out to read the report'),
  });
});
