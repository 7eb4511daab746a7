import { Metrics } from '@aws-lambda-powertools/metrics';
import type { ArchiveReport, ProtectionReport } from '../../../lambdas/backup/contract';
import { publishProtection, publishReport } from '../../../lambdas/backup/publish';

const REPORT: ArchiveReport = {
  database: 'main',
  slot: '2026-11-21T06:00:00Z',
  manifestKey: 'archives/main/20261121T060000Z/manifest.json',
  manifestSha256: '0'.repeat(64),
  outcome: 'created',
  tables: 3,
  rows: 10,
  bytes: 1000,
  compressedBytes: 300,
  omissions: [],
  schemaChange: { state: 'first', since: null, total: 0, objects: [] },
  durationMs: 1500,
  expiredArchives: 2,
  sweptLeftovers: 1,
  housekeepingFailed: false,
};
const CURRENT: ProtectionReport = {
  pointInTime: { state: 'current', ageSeconds: 240, limitSeconds: 900 },
  recoveryPoints: { state: 'current', ageSeconds: 21_600, limitSeconds: 28_800 },
};

/** The published metrics, by name. */
function published(publish: (metrics: Metrics) => void): Record<string, number> {
  const metrics = new Metrics({ namespace: 'Test', serviceName: 'backup' });
  const values: Record<string, number> = {};
  jest.spyOn(metrics, 'addMetric').mockImplementation((name, _unit, value) => {
    values[name] = value;
    return metrics;
  });
  publish(metrics);
  return values;
}

test('a created archive publishes its sizes, its duration and the results of housekeeping', () => {
  expect(published((metrics) => publishReport(metrics, REPORT))).toEqual({
    BackupSucceeded: 1,
    BackupBytes: 1000,
    BackupCompressedBytes: 300,
    BackupOmissions: 0,
    BackupDuration: 1500,
    ExpiredArchives: 2,
    SweptLeftovers: 1,
    BackupHousekeepingFailed: 0,
  });
});

test('objects that the archive does not carry are counted', () => {
  const omission = { kind: 'subscription', object: 'sub', reason: 'its connection holds a password' };
  const values = published((metrics) => publishReport(metrics, { ...REPORT, omissions: [omission] }));
  expect(values).toMatchObject({ BackupSucceeded: 1, BackupOmissions: 1 });
});

test.each([
  ['unrecorded', 3, 3],
  ['recorded', 0, 0],
  ['none', 0, 0],
  ['first', 0, undefined],
  ['not-compared', 0, undefined],
] as const)(
  'a change of the schema that is %s publishes %i objects, or nothing where none were compared',
  (state, total, value) => {
    const schemaChange = { state, since: '2026-11-21T00:00:00Z', total, objects: [] };
    const values = published((metrics) => publishReport(metrics, { ...REPORT, schemaChange }));
    expect(values.BackupUnrecordedSchemaChanges).toBe(value);
  },
);

test('a slot that already had its archive publishes nothing, because it was counted before', () => {
  expect(published((metrics) => publishReport(metrics, { ...REPORT, outcome: 'already-exists' }))).toEqual({});
});

test('an export is counted as an export, not as an archive', () => {
  const values = published((metrics) => publishReport(metrics, { ...REPORT, outcome: 'exported' }));
  expect(values).toMatchObject({ BackupExported: 1 });
  expect(values).not.toHaveProperty('BackupSucceeded');
  expect(values).not.toHaveProperty('BackupBytes');
});

test('an export that an earlier run started is not counted again', () => {
  const values = published((metrics) => publishReport(metrics, { ...REPORT, outcome: 'already-exported' }));
  expect(values).not.toHaveProperty('BackupExported');
  expect(values).not.toHaveProperty('BackupSucceeded');
  expect(values).toMatchObject({ ExpiredArchives: 2 });
});

test('failed housekeeping is counted', () => {
  const values = published((metrics) => publishReport(metrics, { ...REPORT, housekeepingFailed: true }));
  expect(values).toMatchObject({ BackupSucceeded: 1, BackupHousekeepingFailed: 1 });
});

test('current tiers publish their ages, and zero unprotected tiers', () => {
  expect(published((metrics) => publishProtection(metrics, CURRENT))).toEqual({
    PointInTimeAge: 240,
    RecoveryPointAge: 21_600,
    UnprotectedTiers: 0,
  });
});

test.each(['stale', 'missing', 'unknown'] as const)('a tier that is %s counts as unprotected', (state) => {
  const protection: ProtectionReport = { ...CURRENT, recoveryPoints: { state, limitSeconds: 28_800 } };
  expect(published((metrics) => publishProtection(metrics, protection))).toEqual({
    PointInTimeAge: 240,
    UnprotectedTiers: 1,
  });
});

test.each([
  ['that the environment does without', 'not-kept'],
  ['of an instance too young to have it', 'not-due'],
] as const)('a tier %s counts as protected, and has no age', (_, state) => {
  const protection: ProtectionReport = { ...CURRENT, recoveryPoints: { state, limitSeconds: 28_800 } };
  expect(published((metrics) => publishProtection(metrics, protection))).toEqual({
    PointInTimeAge: 240,
    UnprotectedTiers: 0,
  });
});

test('a database that is not on RDS publishes nothing about the tiers of RDS', () => {
  const tier = { state: 'not-on-rds', limitSeconds: 900 } as const;
  const protection = { pointInTime: tier, recoveryPoints: tier };
  expect(published((metrics) => publishProtection(metrics, protection))).toEqual({});
});
