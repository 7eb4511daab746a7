import {
  CreateDBSnapshotCommand,
  DBSnapshotAlreadyExistsFault,
  DescribeDBInstancesCommand,
  DescribeDBSnapshotsCommand,
  DescribeExportTasksCommand,
  ExportTaskAlreadyExistsFault,
  RDSClient,
  SnapshotQuotaExceededFault,
  StartExportTaskCommand,
} from '@aws-sdk/client-rds';
import { mockClient } from 'aws-sdk-client-mock';
import { exportSnapshot } from '../../../lambdas/backup/export-snapshot';
import { awaitMigrationSnapshot, startMigrationSnapshot } from '../../../lambdas/backup/migration-snapshot';
import { checkProtection } from '../../../lambdas/backup/protection';
import { silentLog } from '../../support/log';

const NOW = new Date('2026-11-21T06:00:05Z');
const SLOT = '2026-11-21T06:00:00Z';
const SNAPSHOT_ARN = 'arn:aws:rds:eu-central-1:111122223333:snapshot:rds:billing-2026-11-21-01-10';

const rdsMock = mockClient(RDSClient);
const instance = { rds: new RDSClient({ region: 'eu-central-1' }), identifier: 'billing-production' };

beforeEach(() => {
  rdsMock.reset();
});

function before(minutes: number): Date {
  return new Date(NOW.getTime() - minutes * 60_000);
}

describe('protection', () => {
  const check = (log = silentLog) => checkProtection({ instance, frequencyHours: 6, log, clock: () => NOW });
  const restorableAt = (moment: Date | undefined) =>
    rdsMock.on(DescribeDBInstancesCommand).resolves({ DBInstances: [{ LatestRestorableTime: moment }] });
  const recoveryPointsAt = (...moments: Date[]) =>
    rdsMock.on(DescribeDBSnapshotsCommand).resolves({
      DBSnapshots: moments.map((moment) => ({ Status: 'available', SnapshotCreateTime: moment })),
    });

  test('is current when RDS can restore to minutes ago and the newest recovery point is within its schedule', async () => {
    restorableAt(before(4));
    recoveryPointsAt(before(720), before(360));
    expect(await check()).toEqual({
      pointInTime: { state: 'current', ageSeconds: 240, limitSeconds: 900 },
      recoveryPoints: { state: 'current', ageSeconds: 21_600, limitSeconds: 28_800 },
    });
    expect(rdsMock.commandCalls(DescribeDBSnapshotsCommand)[0]?.args[0].input).toMatchObject({
      DBInstanceIdentifier: 'billing-production',
      SnapshotType: 'awsbackup',
    });
  });

  test('asks for no recovery points where the environment has none taken', async () => {
    restorableAt(before(4));
    const report = await checkProtection({ instance, frequencyHours: undefined, log: silentLog, clock: () => NOW });
    expect(report).toMatchObject({ pointInTime: { state: 'current' }, recoveryPoints: { state: 'not-kept' } });
    expect(rdsMock.commandCalls(DescribeDBSnapshotsCommand)).toEqual([]);
  });

  test('is stale, and logs what to check, when either tier is older than its limit', async () => {
    restorableAt(before(16));
    recoveryPointsAt(before(8 * 60 + 1));
    const error = jest.fn();
    expect(await check({ ...silentLog, error })).toMatchObject({
      pointInTime: { state: 'stale', ageSeconds: 960 },
      recoveryPoints: { state: 'stale', ageSeconds: 28_860 },
    });
    expect(error.mock.calls.map(([message]) => String(message))).toEqual([
      expect.stringContaining('check that automated backups are on'),
      expect.stringContaining('check the jobs of AWS Backup'),
    ]);
  });

  test('takes the newest complete recovery point of all pages, and ignores unfinished ones', async () => {
    restorableAt(before(1));
    rdsMock
      .on(DescribeDBSnapshotsCommand)
      .resolves({ DBSnapshots: [{ Status: 'available', SnapshotCreateTime: before(700) }], Marker: 'more' })
      .on(DescribeDBSnapshotsCommand, { Marker: 'more' })
      .resolves({
        DBSnapshots: [
          { Status: 'creating', SnapshotCreateTime: before(1) },
          { Status: 'available', SnapshotCreateTime: before(100) },
        ],
      });
    expect((await check()).recoveryPoints).toMatchObject({ state: 'current', ageSeconds: 6000 });
  });

  test('is missing where automated backups are off and there is no recovery point', async () => {
    restorableAt(undefined);
    recoveryPointsAt();
    expect(await check()).toMatchObject({ pointInTime: { state: 'missing' }, recoveryPoints: { state: 'missing' } });
  });

  test('is not due where there is no recovery point of an instance that is younger than the limit', async () => {
    const createdAt = (minutes: number) =>
      rdsMock.on(DescribeDBInstancesCommand).resolves({ DBInstances: [{ InstanceCreateTime: before(minutes) }] });
    recoveryPointsAt();
    createdAt(8 * 60);
    expect(await check()).toMatchObject({ pointInTime: { state: 'missing' }, recoveryPoints: { state: 'not-due' } });
    createdAt(8 * 60 + 1);
    expect(await check()).toMatchObject({ recoveryPoints: { state: 'missing' } });
  });

  test('is unknown, without an error, when RDS does not answer', async () => {
    rdsMock.onAnyCommand().rejects(new Error('throttled'));
    const error = jest.fn();
    expect(await check({ ...silentLog, error })).toMatchObject({
      pointInTime: { state: 'unknown' },
      recoveryPoints: { state: 'unknown' },
    });
    // Nothing is logged about the tiers themselves: their state is unknown.
    expect(error.mock.calls.map(([message]) => String(message))).toEqual(['RDS query failed', 'RDS query failed']);
  });

  test('logs a warning that it was not checked where there is no RDS', async () => {
    const warn = jest.fn();
    const report = await checkProtection({
      instance: undefined,
      frequencyHours: 24,
      log: { ...silentLog, warn },
      clock: () => NOW,
    });
    expect(report).toMatchObject({ pointInTime: { state: 'not-on-rds' }, recoveryPoints: { state: 'not-on-rds' } });
    expect(warn).toHaveBeenCalledWith(expect.stringContaining('were not checked'), expect.anything());
    expect(rdsMock.calls()).toHaveLength(0);
  });
});

describe('an export', () => {
  const target = {
    instance,
    bucket: 'archives',
    roleArn: 'arn:aws:iam::111122223333:role/export',
    keyArn: 'arn:aws:kms:eu-central-1:111122223333:key/1',
  };
  const automated = (...snapshots: { Status: string; SnapshotCreateTime: Date; DBSnapshotArn: string }[]) =>
    rdsMock.on(DescribeDBSnapshotsCommand, { SnapshotType: 'automated' }).resolves({
      DBSnapshots: snapshots.map((snapshot) => ({ ...snapshot, DBSnapshotIdentifier: 'rds:billing-2026-11-21' })),
    });

  beforeEach(() => {
    automated(
      { Status: 'available', SnapshotCreateTime: before(3000), DBSnapshotArn: 'arn:older' },
      { Status: 'available', SnapshotCreateTime: before(300), DBSnapshotArn: SNAPSHOT_ARN },
      { Status: 'creating', SnapshotCreateTime: before(1), DBSnapshotArn: 'arn:unfinished' },
    );
    rdsMock.on(DescribeDBSnapshotsCommand, { SnapshotType: 'awsbackup' }).resolves({ DBSnapshots: [] });
    rdsMock.on(DescribeExportTasksCommand).resolves({ ExportTasks: [] });
  });

  test('takes the snapshot of AWS Backup where that is newer', async () => {
    const recent = { Status: 'available', SnapshotCreateTime: before(60), DBSnapshotArn: 'arn:recovery-point' };
    rdsMock.on(DescribeDBSnapshotsCommand, { SnapshotType: 'awsbackup' }).resolves({ DBSnapshots: [recent] });
    rdsMock.on(StartExportTaskCommand).resolves({});
    await exportSnapshot(target, 'billing', SLOT);
    expect(rdsMock.commandCalls(StartExportTaskCommand)[0]?.args[0].input.SourceArn).toBe('arn:recovery-point');
  });

  test('is started once, of the newest complete automated snapshot', async () => {
    rdsMock.on(StartExportTaskCommand).resolves({});
    expect(await exportSnapshot(target, 'billing', SLOT)).toEqual({
      taskIdentifier: 'billing-20261121t060000z',
      snapshotIdentifier: 'rds:billing-2026-11-21',
      prefix: 'exports/billing',
      isNew: true,
    });
    expect(rdsMock.commandCalls(StartExportTaskCommand).map(({ args }) => args[0].input)).toEqual([
      {
        ExportTaskIdentifier: 'billing-20261121t060000z',
        SourceArn: SNAPSHOT_ARN,
        S3BucketName: 'archives',
        S3Prefix: 'exports/billing',
        IamRoleArn: target.roleArn,
        KmsKeyId: target.keyArn,
      },
    ]);
  });

  test.each(['STARTING', 'IN_PROGRESS', 'COMPLETE'])(
    'is not started again while the export of that snapshot is %s',
    async (Status) => {
      rdsMock
        .on(DescribeExportTasksCommand, { SourceArn: SNAPSHOT_ARN })
        .resolves({ ExportTasks: [{ Status, ExportTaskIdentifier: 'billing-20261121t000000z' }] });
      expect(await exportSnapshot(target, 'billing', SLOT)).toMatchObject({
        taskIdentifier: 'billing-20261121t000000z',
        isNew: false,
      });
      expect(rdsMock.commandCalls(StartExportTaskCommand)).toHaveLength(0);
    },
  );

  test('is started again after the previous one failed', async () => {
    rdsMock.on(StartExportTaskCommand).resolves({});
    rdsMock
      .on(DescribeExportTasksCommand)
      .resolves({ ExportTasks: [{ Status: 'FAILED', ExportTaskIdentifier: 'billing-20261121t000000z' }] });
    expect(await exportSnapshot(target, 'billing', SLOT)).toMatchObject({ taskIdentifier: 'billing-20261121t060000z' });
  });

  test('that exists already, because an answer was lost, is reported as started', async () => {
    const fault = new ExportTaskAlreadyExistsFault({ message: 'exists', $metadata: {} });
    rdsMock.on(StartExportTaskCommand).rejects(fault);
    expect(await exportSnapshot(target, 'billing', SLOT)).toMatchObject({ taskIdentifier: 'billing-20261121t060000z' });
  });

  test('without a snapshot fails and says what to check', async () => {
    automated();
    await expect(exportSnapshot(target, 'billing', SLOT)).rejects.toMatchObject({
      code: 'no_snapshot',
      retryable: false,
      message: expect.stringContaining('check that its automated backups are on') as string,
    });
  });

  test('that RDS refuses is retryable', async () => {
    rdsMock.on(StartExportTaskCommand).rejects(new Error('five exports are running'));
    await expect(exportSnapshot(target, 'billing', SLOT)).rejects.toMatchObject({
      code: 'rds_unavailable',
      retryable: true,
    });
  });
});

describe('a snapshot before a migration', () => {
  const IDENTIFIER = 'billing-operations-billing-pre-migration-20261121t060000z';

  test('is tagged with its reason', async () => {
    rdsMock.on(CreateDBSnapshotCommand).resolves({});
    expect(await startMigrationSnapshot(instance, 'billing', SLOT)).toBe(IDENTIFIER);
    expect(rdsMock.commandCalls(CreateDBSnapshotCommand).map(({ args }) => args[0].input)).toEqual([
      {
        DBInstanceIdentifier: 'billing-production',
        DBSnapshotIdentifier: IDENTIFIER,
        Tags: [
          { Key: 'billing-operations:database', Value: 'billing' },
          { Key: 'billing-operations:reason', Value: 'pre-migration' },
          { Key: 'billing-operations:slot', Value: SLOT },
        ],
      },
    ]);
  });

  test('is the same snapshot when it is requested twice', async () => {
    rdsMock.on(CreateDBSnapshotCommand).rejects(new DBSnapshotAlreadyExistsFault({ message: '', $metadata: {} }));
    expect(await startMigrationSnapshot(instance, 'billing', SLOT)).toBe(IDENTIFIER);
  });

  test('beyond the quota fails and says what to delete', async () => {
    rdsMock.on(CreateDBSnapshotCommand).rejects(new SnapshotQuotaExceededFault({ message: '', $metadata: {} }));
    await expect(startMigrationSnapshot(instance, 'billing', SLOT)).rejects.toMatchObject({
      code: 'snapshot_quota',
      message: expect.stringContaining('delete billing-operations-billing-pre-migration-') as string,
    });
  });

  test('is awaited', async () => {
    rdsMock.on(DescribeDBSnapshotsCommand).resolves({ DBSnapshots: [{ Status: 'available' }] });
    expect(await awaitMigrationSnapshot(instance, IDENTIFIER, 60)).toEqual({
      identifier: IDENTIFIER,
      state: 'available',
    });
  });

  test('is reported as creating when the time is up', async () => {
    rdsMock.on(DescribeDBSnapshotsCommand).resolves({ DBSnapshots: [{ Status: 'creating' }] });
    const creating = { identifier: IDENTIFIER, state: 'creating' };
    expect(await awaitMigrationSnapshot(instance, IDENTIFIER, 0)).toEqual(creating);
    expect(await awaitMigrationSnapshot(instance, IDENTIFIER, 2)).toEqual(creating);
  });

  test('that RDS fails to create fails the request, so that nothing is migrated', async () => {
    rdsMock.on(DescribeDBSnapshotsCommand).resolves({ DBSnapshots: [{ Status: 'failed' }] });
    await expect(awaitMigrationSnapshot(instance, IDENTIFIER, 60)).rejects.toMatchObject({ code: 'snapshot_failed' });
  });
});
