import {
  CreateDBSnapshotCommand,
  DescribeDBInstancesCommand,
  DescribeDBSnapshotsCommand,
  DescribeExportTasksCommand,
  RDSClient,
  StartExportTaskCommand,
} from '@aws-sdk/client-rds';
import { mockClient } from 'aws-sdk-client-mock';
import { type BackupDependencies, runBackup } from '../../../lambdas/backup/core';
import { openArchiveStore } from '../../../core/archive/open-store';
import { createConnector } from '../../../core/database/connector';
import { isPartList } from '../../../core/archive/keys';
import { type ArchiveSite, createArchiveSite, listKeys } from '../../factories/archive';
import { silentLog } from '../../support/log';
import { PG_DUMP_WORKER } from '../../support/schema';
import { clusterSecrets, clusterTarget } from '../../support/database';
import { type PassingCall, startObjectStoreProxy } from '../../support/object-store-proxy';
import { testServices } from '../../support/services';

const SLOT = '2026-11-21T06:00:00Z';
const rdsMock = mockClient(RDSClient);
const instance = { rds: new RDSClient({ region: 'eu-central-1' }), identifier: 'main-production' };

let site: ArchiveSite;

beforeEach(async () => {
  rdsMock.reset();
  rdsMock.on(DescribeDBInstancesCommand).callsFake(() => ({ DBInstances: [{ LatestRestorableTime: new Date() }] }));
  rdsMock.on(DescribeDBSnapshotsCommand).callsFake(() => ({
    DBSnapshots: [
      {
        Status: 'available',
        SnapshotCreateTime: new Date(),
        DBSnapshotArn: 'arn:snapshot',
        DBSnapshotIdentifier: 'rds:main',
      },
    ],
  }));
  rdsMock.on(DescribeExportTasksCommand).resolves({ ExportTasks: [] });
  rdsMock.on(StartExportTaskCommand).resolves({});
  rdsMock.on(CreateDBSnapshotCommand).resolves({});
  site = await createArchiveSite('main');
});

afterEach(async () => {
  await site.remove();
});

function dependencies(overrides: Partial<BackupDependencies> = {}): BackupDependencies {
  return {
    connector: createConnector(clusterTarget(site.source.name, 'main'), clusterSecrets(), 'test'),
    store: site.store,
    retentionDays: 30,
    pgDumpWorker: PG_DUMP_WORKER,
    frequencyHours: 24,
    instance,
    log: silentLog,
    clock: () => new Date(),
    onProtection: () => undefined,
    remainingSeconds: () => 60,
    ...overrides,
  };
}

const exportTarget = { instance, bucket: 'archives', roleArn: 'arn:role', keyArn: 'arn:key' };

test('a routine run archives the database and reports the age of the other tiers', async () => {
  const report = await runBackup(dependencies(), { database: 'main', slot: SLOT });
  expect(report).toMatchObject({
    outcome: 'created',
    slot: SLOT,
    protection: { pointInTime: { state: 'current' }, recoveryPoints: { state: 'current' } },
  });
  expect(report.snapshot).toBeUndefined();
  expect(rdsMock.commandCalls(CreateDBSnapshotCommand)).toHaveLength(0);
});

test('a run before a migration takes a snapshot of the instance and writes an archive', async () => {
  const report = await runBackup(dependencies(), { database: 'main', slot: SLOT, reason: 'pre-migration' });
  expect(report).toMatchObject({
    outcome: 'created',
    snapshot: { identifier: 'billing-operations-main-pre-migration-20261121t060000z', state: 'available' },
  });
  expect(await listKeys(site.store)).toContain(report.manifestKey);
});

test('a run before a migration archives nothing when the snapshot cannot be taken', async () => {
  rdsMock.on(CreateDBSnapshotCommand).rejects(new Error('InvalidDBInstanceState'));
  const refused = runBackup(dependencies(), { database: 'main', slot: SLOT, reason: 'pre-migration' });
  await expect(refused).rejects.toMatchObject({ code: 'rds_unavailable', retryable: true });
  expect(await listKeys(site.store)).toEqual([]);
});

test('a run before a migration warns that the archive is the only way back where there is no RDS', async () => {
  const warn = jest.fn();
  const report = await runBackup(dependencies({ instance: undefined, log: { ...silentLog, warn } }), {
    database: 'main',
    slot: SLOT,
    reason: 'pre-migration',
  });
  expect(report).toMatchObject({ outcome: 'created', protection: { pointInTime: { state: 'not-on-rds' } } });
  expect(warn.mock.calls.flat().join(' ')).toContain('the archive is the only way back');
});

test('a database above the streaming limit is exported by RDS, with a warning, and no object is written', async () => {
  const warn = jest.fn();
  const report = await runBackup(dependencies({ streamingLimitBytes: 1, exportTarget, log: { ...silentLog, warn } }), {
    database: 'main',
    slot: SLOT,
  });
  expect(report).toMatchObject({ outcome: 'exported', rows: 0, manifestKey: 'exports/main/main-20261121t060000z/' });
  expect(rdsMock.commandCalls(StartExportTaskCommand)).toHaveLength(1);
  expect(warn.mock.calls.flat().join(' ')).toContain('RDS exports its newest snapshot as Parquet instead');
  expect(await listKeys(site.store)).toEqual([]);
});

test('a database above the streaming limit that is not on RDS is refused with the ways out', async () => {
  await expect(
    runBackup(dependencies({ streamingLimitBytes: 1, instance: undefined }), { database: 'main', slot: SLOT }),
  ).rejects.toMatchObject({
    code: 'database_too_large',
    message: expect.stringContaining('raise STREAMING_LIMIT_GIB') as string,
  });
});

test('an archive in parts is refused where no workflow makes it, before anything is read', async () => {
  const request = { database: 'main', slot: SLOT, inParts: true } as const;
  await expect(runBackup(dependencies({ exportTarget }), request)).rejects.toMatchObject({
    code: 'invalid_request',
    message: 'inParts: no workflow archives the main database: leave it out',
  });
  expect(await listKeys(site.store)).toEqual([]);
});

test('an unavailable RDS prevents the check of the tiers, not the archive', async () => {
  rdsMock.onAnyCommand().rejects(new Error('no route to RDS'));
  const onProtection = jest.fn();
  const report = await runBackup(dependencies({ onProtection }), { database: 'main', slot: SLOT });
  expect(report).toMatchObject({ outcome: 'created', protection: { pointInTime: { state: 'unknown' } } });
  expect(onProtection).toHaveBeenCalledWith(report.protection);
});

test.each([
  ['from the beginning', () => true],
  ['when data is written', ({ method }: PassingCall) => method === 'PUT'],
])('an S3 that stops answering %s fails the backup instead of keeping it waiting', async (_when, isSilent) => {
  const proxy = await startObjectStoreProxy(testServices().awsEndpoint, (call) => (isSilent(call) ? 'hang' : 'pass'));
  const { s3, bucket } = openArchiveStore(site.store.bucket, 'writing', {
    endpoint: proxy.endpoint,
    region: 'eu-central-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 2,
    silenceMs: 200,
  });
  const report = runBackup(dependencies({ store: { ...site.store, s3, bucket } }), { database: 'main', slot: SLOT });
  await expect(report).rejects.toMatchObject({
    code: 'store_unavailable',
    retryable: true,
    message: expect.stringContaining("Check the health of S3 and the function's route to it") as string,
  });
  s3.destroy();
  await proxy.stop();
});

describe('a run without a new archive', () => {
  const DAY_MS = 24 * 60 * 60 * 1000;
  const clock = () => new Date('2026-12-18T06:00:05Z');
  const later = { database: 'main', slot: '2026-12-18T06:00:00Z' } as const;
  const tooLarge = { clock, otherClocks: async () => [clock()], streamingLimitBytes: 1 };
  let locked: { Key?: string; Retention?: { RetainUntilDate?: Date } }[];

  /** The S3 server of these tests has no locks, so the requests about them are answered here. */
  function lockEnding(end: Date | undefined): void {
    locked = [];
    site.store.s3.middlewareStack.add(
      (next, context) => async (args) => {
        if (context.commandName === 'HeadObjectCommand') {
          return { response: {}, output: { $metadata: {}, ObjectLockRetainUntilDate: end } };
        }
        if (context.commandName !== 'PutObjectRetentionCommand') return next(args);
        locked.push(args.input as (typeof locked)[number]);
        return { response: {}, output: { $metadata: {} } };
      },
      { step: 'initialize', name: 'locks' },
    );
  }

  test('extends the lock of the newest archive before it ends, the manifest last, and throws its own failure', async () => {
    await site.backup('2026-11-20T06:00:00Z', { clock: () => new Date('2026-11-20T06:00:00Z') });
    const newest = await site.backup(SLOT, { clock: () => new Date(SLOT) });
    lockEnding(new Date(clock().getTime() + 3 * DAY_MS));
    await expect(runBackup(dependencies({ ...tooLarge, instance: undefined }), later)).rejects.toMatchObject({
      code: 'database_too_large',
    });
    const keys = (await listKeys(site.store))
      .filter((key) => key.startsWith('archives/main/20261121T060000Z/'))
      // Of use only until the attempt has ended.
      .filter((key) => !isPartList(key));
    expect(locked.map(({ Key = '' }) => Key).toSorted()).toEqual(keys.toSorted());
    expect(locked.at(-1)?.Key).toBe(newest.manifestKey);
    const until = new Date(clock().getTime() + 30 * DAY_MS);
    for (const { Retention } of locked) expect(Retention).toEqual({ Mode: 'GOVERNANCE', RetainUntilDate: until });
  });

  test('extends the lock when RDS exports instead', async () => {
    await site.backup(SLOT);
    lockEnding(new Date(clock().getTime() + DAY_MS));
    expect(await runBackup(dependencies({ ...tooLarge, exportTarget }), later)).toMatchObject({ outcome: 'exported' });
    expect(locked.length).toBeGreaterThan(1);
  });

  test.each([
    ['lasts for more than a week', new Date(clock().getTime() + 8 * DAY_MS)],
    ['does not exist', undefined],
  ])('does not touch a lock that %s', async (_what, end) => {
    await site.backup(SLOT);
    lockEnding(end);
    const error = jest.fn();
    await runBackup(dependencies({ ...tooLarge, exportTarget, log: { ...silentLog, error } }), later);
    expect(locked).toEqual([]);
    expect(error.mock.calls.flat().join(' ')).not.toContain('lock');
  });
});

test('the age of the other tiers is published even when the archive fails', async () => {
  const onProtection = jest.fn();
  const store = { ...site.store, bucket: 'no-such-bucket' };
  await expect(
    runBackup(dependencies({ store, onProtection }), { database: 'main', slot: SLOT }),
  ).rejects.toMatchObject({
    code: 'store_unavailable',
    message: expect.stringContaining('Check ARCHIVE_BUCKET') as string,
  });
  expect(onProtection).toHaveBeenCalledWith(expect.objectContaining({ pointInTime: expect.anything() as unknown }));
});

test('a backup refuses a slot in the future, whose archive would be the latest until then', async () => {
  const slot = new Date(Date.now() + 2 * 60 * 60 * 1000).toISOString();
  await expect(runBackup(dependencies(), { database: 'main', slot })).rejects.toMatchObject({
    code: 'invalid_request',
    message: expect.stringContaining('is in the future') as string,
  });
  expect(await listKeys(site.store)).toEqual([]);
});
