import type { TaskRecord } from '../../lambdas/maintenance/contract';
import type { PlatformStatus } from '../../lambdas/maintenance/inspected';
import type { ReportFacts } from '../../lambdas/maintenance/report-facts';

/** When the report is written. */
export const AT = new Date('2026-12-06T09:00:00Z');
export const MIB = 1024 ** 2;

export const status: PlatformStatus = {
  databases: [
    { database: 'billing', newestArchive: '2026-12-06T06:00:00Z', archiveLimitSeconds: 8 * 3600 },
    { database: 'main', newestArchive: '2026-12-06T02:00:00Z', archiveLimitSeconds: 26 * 3600 },
  ],
  events: { failed: 0, unfinished: 0, lastHour: 12 },
  queues: { waiting: 0, parked: 0 },
  reconciliation: { completeAt: '2026-12-06T05:00:00Z' },
  secrets: [{ secret: 'stripe-api', changedAt: '2026-11-06T09:00:00Z' }],
  problems: [],
};
export const key = {
  id: 'abcdefghijkl',
  name: 'shop',
  scopes: ['metrics:read', 'entitlements:read'],
  createdAt: '2026-10-06T09:00:00Z',
  expiresAt: '2027-10-06T09:00:00Z',
  lastUsedAt: '2026-12-05T09:00:00Z',
};
export const drill = {
  startedAt: '2026-12-03T14:00:00Z',
  outcome: 'passed',
  durationMs: 240_000,
  targetMs: 3_600_000,
  error: null,
};

/** The newest record of each task of a database. */
export function records(
  overrides: {
    readonly indexes?: object;
    readonly vacuum?: object;
    readonly sizes?: object;
    readonly cards?: object;
    readonly logs?: object;
    readonly residency?: object;
  } = {},
): TaskRecord[] {
  const base = { startedAt: '2026-12-05T07:00:00Z', durationMs: 1_500, outcome: 'done', error: null } as const;
  return [
    {
      ...base,
      task: 'sizes',
      result: {
        databaseBytes: 300 * MIB,
        weekAgoBytes: 290 * MIB,
        monthAgoBytes: null,
        tables: [],
        ...overrides.sizes,
      },
    },
    { ...base, task: 'vacuum', result: { vacuumed: [], skipped: [], bloat: [], ...overrides.vacuum } },
    {
      ...base,
      task: 'indexes',
      result: {
        explained: 31,
        fullReads: [],
        countedSince: '2026-10-01T00:00:00.000Z',
        unused: [],
        duplicate: [],
        missing: [],
        invalid: [],
        ...overrides.indexes,
      },
    },
    {
      ...base,
      task: 'cards',
      result: { found: 0, findings: [], probableIds: 0, tables: [], skipped: [], ...overrides.cards },
    },
    {
      ...base,
      task: 'logs',
      result: {
        found: 0,
        findings: [],
        probableIds: 0,
        numbers: [],
        groups: [],
        skipped: [],
        uncovered: [],
        ...overrides.logs,
      },
    },
    {
      ...base,
      task: 'residency',
      result: {
        allowed: ['eu-central-1', 'eu-west-1'],
        regions: ['eu-central-1', 'eu-west-1'],
        resources: 40,
        copies: 4,
        existing: 1,
        outside: [],
        ...overrides.residency,
      },
    },
  ];
}

/** What the report of a month without a finding is written from. */
export function facts(overrides: Partial<ReportFacts> = {}): ReportFacts {
  return {
    environment: 'production',
    at: AT,
    status,
    drills: { billing: [drill], main: [drill] },
    runs: [
      { startedAt: '2026-12-06T05:00:00Z', status: 'complete', dryRun: false, driftDetected: 3, eventsMissed: 1 },
      { startedAt: '2026-12-05T05:00:00Z', status: 'failed', dryRun: false, driftDetected: 0, eventsMissed: 0 },
      { startedAt: '2026-09-05T05:00:00Z', status: 'complete', dryRun: false, driftDetected: 99, eventsMissed: 99 },
    ],
    keys: [key],
    maintenance: { billing: records(), main: records() },
    problems: [],
    ...overrides,
  };
}
