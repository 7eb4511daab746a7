import { DATABASE_NAMES } from '../../../core/contract';
import { BACKUP_POLICIES } from '../../../lib/config/policies';
import { described, existingInUse, INSTANCE_KEY, MONITORING_ROLE } from '../../support/states/existing-world';
import type { JsonObject } from '../../../local/states/definition';
import type { RecoveryWorld } from '../../support/states/recovery-world';
import { membersOf } from '../../support/states/simulated-rds';

const SNAPSHOT = { snapshotArn: 'arn:aws:rds:eu-central-1:333333333333:snapshot:awsbackup:job-1' };
const argumentsOf = ({ rds }: RecoveryWorld, action: RegExp): JsonObject =>
  rds.calls.find((call) => action.test(call.action))?.arguments ?? {};
const noteOf = (world: RecoveryWorld) => world.eventsOf('confirmationRequested')[0]?.note;
const gone = (world: RecoveryWorld, keepBackups = true) => world.rds.delete(world.id, { keepBackups });

describe.each(DATABASE_NAMES)('the recovery of an existing instance of %s', (database) => {
  const optionGroup = database === 'billing' ? { OptionGroupName: 'acme-options' } : {};

  test('gives the recovered instance every setting that the one in use has', async () => {
    const world = existingInUse(database);
    expect(await world.recover()).toMatchObject({ status: 'SUCCEEDED' });
    const { Tags, ...restored } = argumentsOf(world, /^restore/);
    expect(restored).toEqual({
      SourceDBInstanceIdentifier: world.id,
      TargetDBInstanceIdentifier: world.recovered,
      UseLatestRestorableTime: true,
      DbInstanceClass: 'db.r7g.xlarge',
      EngineLifecycleSupport: 'open-source-rds-extended-support-disabled',
      NetworkType: 'DUAL',
      Port: 5432,
      DbSubnetGroupName: 'acme-private',
      DbParameterGroupName: 'acme-postgres17',
      ...optionGroup,
      VpcSecurityGroupIds: ['sg-0000000a', 'sg-0000000b'],
      MultiAZ: true,
      PubliclyAccessible: false,
      DeletionProtection: true,
      EnableIAMDatabaseAuthentication: true,
      CopyTagsToSnapshot: false,
      AutoMinorVersionUpgrade: false,
      EnableCloudwatchLogsExports: ['postgresql'],
      CaCertificateIdentifier: 'rds-ca-ecc384-g1',
      StorageType: 'gp3',
      Iops: 12_000,
      StorageThroughput: 500,
    });
    expect(Tags).toEqual([
      { Key: 'cost-center', Value: '4711' },
      { Key: 'application', Value: 'billing-operations' },
      { Key: 'environment', Value: 'production' },
      { Key: 'database', Value: database },
      { Key: 'recovered-as', Value: world.recovered },
      { Key: 'recovered-by', Value: 'execution' },
    ]);
    expect(argumentsOf(world, /^modify/)).toEqual({
      DbInstanceIdentifier: world.recovered,
      ApplyImmediately: true,
      BackupRetentionPeriod: 14,
      PreferredBackupWindow: '22:00-22:30',
      PreferredMaintenanceWindow: 'sat:03:00-sat:03:30',
      MaxAllocatedStorage: 2000,
      MonitoringInterval: 15,
      MonitoringRoleArn: MONITORING_ROLE,
      EnablePerformanceInsights: true,
      DatabaseInsightsMode: 'advanced',
      PerformanceInsightsRetentionPeriod: 465,
      PerformanceInsightsKMSKeyId: INSTANCE_KEY,
    });
    expect(noteOf(world)).toBe('Nothing in use was touched.');
    expect([...world.logGroups.keys()]).toEqual([
      `/aws/rds/instance/${world.recovered}/postgresql`,
      expect.stringMatching(/^\/aws\/rds\/instance\/acme-\w+-before-\w+\/postgresql$/),
    ]);
  });

  test.each<[string, JsonObject, JsonObject]>([
    ['a small gp3 disk', { AllocatedStorage: 100 }, { StorageType: 'gp3' }],
    ['a disk with IOPS of its own', { StorageType: 'io2', Iops: 5000 }, { StorageType: 'io2', Iops: 5000 }],
    ['a gp2 disk', { StorageType: 'gp2', Iops: 1500 }, { StorageType: 'gp2' }],
  ])('asks for IOPS only where RDS takes them: %s', async (_, changed, storage) => {
    const world = existingInUse(database, changed);
    expect(await world.recover()).toMatchObject({ status: 'SUCCEEDED' });
    const { StorageType, Iops, StorageThroughput } = argumentsOf(world, /^restore/);
    expect({ StorageType, Iops, StorageThroughput }).toEqual({
      Iops: undefined,
      StorageThroughput: undefined,
      ...storage,
    });
  });

  test('leaves out what the one in use does not have', async () => {
    const none = {
      MaxAllocatedStorage: undefined,
      MonitoringRoleArn: undefined,
      EnabledCloudwatchLogsExports: undefined,
    };
    const world = existingInUse(database, {
      ...(none as unknown as JsonObject),
      MonitoringInterval: 0,
      PerformanceInsightsEnabled: false,
      TagList: [],
    });
    expect(await world.recover()).toMatchObject({ status: 'SUCCEEDED' });
    expect(argumentsOf(world, /^restore/).EnableCloudwatchLogsExports).toEqual([]);
    expect(argumentsOf(world, /^modify/)).toEqual({
      DbInstanceIdentifier: world.recovered,
      ApplyImmediately: true,
      BackupRetentionPeriod: 14,
      PreferredBackupWindow: '22:00-22:30',
      PreferredMaintenanceWindow: 'sat:03:00-sat:03:30',
      MonitoringInterval: 0,
      EnablePerformanceInsights: false,
    });
    expect(world.logGroups.size).toBe(0);
  });

  test('sets a storage limit that RDS accepts when autoscaling has grown the disk past the setting', async () => {
    const world = existingInUse(database);
    world.rds.restoredGiB = 3000;
    expect(await world.recover()).toMatchObject({ status: 'SUCCEEDED' });
    expect(world.rds.find(world.id).maximumGiB).toBe(3300);
  });

  test.each(['storage-full', 'failed', 'inaccessible-encryption-credentials', 'incompatible-parameters'])(
    'reads the settings of one that is %s',
    async (status) => {
      const world = existingInUse(database);
      world.rds.find(world.id).plan([0, status]);
      await world.recover();
      expect(argumentsOf(world, /^restore/)).toMatchObject({ DbInstanceClass: 'db.r7g.xlarge', MultiAZ: true });
    },
  );

  test('takes the settings of one that is gone from its file, and from what RDS keeps with its backups', async () => {
    const world = existingInUse(database, { StorageType: 'io2', Iops: 5000 });
    gone(world);
    expect(await world.recover()).toMatchObject({ status: 'SUCCEEDED' });
    const { Tags: _, ...restored } = argumentsOf(world, /^restore/);
    expect(restored).toEqual({
      SourceDbiResourceId: 'db-0001',
      TargetDBInstanceIdentifier: world.recovered,
      UseLatestRestorableTime: true,
      DbInstanceClass: 'db.m7g.large',
      Port: 5432,
      DbSubnetGroupName: 'acme-private',
      DbParameterGroupName: 'acme-postgres17',
      ...optionGroup,
      VpcSecurityGroupIds: ['sg-0000000a'],
      MultiAZ: true,
      PubliclyAccessible: false,
      DeletionProtection: true,
      EnableIAMDatabaseAuthentication: true,
      CopyTagsToSnapshot: true,
      AutoMinorVersionUpgrade: true,
      EnableCloudwatchLogsExports: ['postgresql', 'upgrade'],
      StorageType: 'io2',
      Iops: 5000,
    });
    expect(argumentsOf(world, /^modify/)).toEqual({
      DbInstanceIdentifier: world.recovered,
      ApplyImmediately: true,
      BackupRetentionPeriod: BACKUP_POLICIES[database].pointInTimeDays,
      MaxAllocatedStorage: 1000,
      MonitoringInterval: 60,
      MonitoringRoleArn: MONITORING_ROLE,
    });
    expect(noteOf(world)).toMatch(/It is gone: compare class, standby, windows and monitoring/);
  });

  test('restores one that is gone without backups from a recovery point', async () => {
    const world = existingInUse(database);
    gone(world, false);
    expect(await world.recover(SNAPSHOT)).toMatchObject({ status: 'SUCCEEDED' });
    expect(argumentsOf(world, /^restore/)).toMatchObject({
      DbInstanceClass: 'db.m7g.large',
      DbSnapshotIdentifier: SNAPSHOT.snapshotArn,
    });
  });

  test('follows the file where the instance in use is other than it says, and tells so with the question', async () => {
    const world = existingInUse(database, {
      DbParameterGroups: [{ DbParameterGroupName: 'acme-postgres16' }],
      OptionGroupMemberships: [{ OptionGroupName: 'acme-other' }],
      MonitoringRoleArn: 'arn:aws:iam::333333333333:role/other',
    });
    expect(await world.recover()).toMatchObject({ status: 'SUCCEEDED' });
    expect(argumentsOf(world, /^restore/)).toMatchObject({ DbParameterGroupName: 'acme-postgres17' });
    expect(noteOf(world)).toBe(
      `Nothing in use was touched. The settings databases.${database}.recovery were followed, from which the instance differs: ` +
        `it has the parameter group acme-postgres16, not acme-postgres17; the option group acme-other, not ${database === 'billing' ? 'acme-options' : 'a default one'}; ` +
        `the monitoring role arn:aws:iam::333333333333:role/other, not ${MONITORING_ROLE}.`,
    );
  });

  test('does not ask for a key of Performance Insights that its role may not use', async () => {
    const world = existingInUse(database, {
      PerformanceInsightsKMSKeyId: 'arn:aws:kms:eu-central-1:333333333333:key/other',
    });
    expect(await world.recover()).toMatchObject({ status: 'SUCCEEDED' });
    expect(argumentsOf(world, /^modify/)).not.toHaveProperty('PerformanceInsightsKMSKeyId');
  });

  test.each<[string, JsonObject, JsonObject, string, RegExp]>([
    [
      'of another engine',
      { Engine: 'mysql' },
      {},
      'RequestRefused',
      /is mysql: the workflow recovers instances of RDS for PostgreSQL/,
    ],
    [
      'of a cluster',
      { Engine: 'aurora-postgresql', DbClusterIdentifier: 'acme' },
      {},
      'RequestRefused',
      /is aurora-postgresql in a cluster/,
    ],
    [
      'without automated backups',
      { BackupRetentionPeriod: 0 },
      {},
      'NothingToRestoreFrom',
      /keeps them for 0 days.*start.*with snapshotArn|Start the workflow again with snapshotArn/i,
    ],
  ])('refuses one %s before anything is made', async (_, changed, input, error, cause) => {
    const world = existingInUse(database, changed);
    const execution = await world.recover(input);
    expect(execution).toMatchObject({ status: 'FAILED', error });
    expect(execution.cause).toMatch(cause);
    expect(world.rds.identifiers).toEqual([world.id]);
    expect(world.logGroups.size).toBe(0);
  });

  test('refuses one on another port than the functions connect to, and names the setting', async () => {
    const world = existingInUse(database);
    world.rds.find(world.id).port = 6432;
    const execution = await world.recover();
    expect(execution).toMatchObject({ status: 'FAILED', error: 'RequestRefused' });
    expect(execution.cause).toContain(`correct databases.${database}.port and deploy`);
  });

  test('says what to do when RDS has no instance left of the class in the file', async () => {
    const world = existingInUse(database);
    gone(world);
    world.rds.exhaustedClass = 'db.m7g.large';
    const execution = await world.recover();
    expect(execution).toMatchObject({ status: 'FAILED', error: 'Rds.InsufficientDbInstanceCapacityException' });
    expect(execution.cause).toContain(`databases.${database}.recovery`);
  });

  test('sets the password of the master user only if that is the one in the secret', async () => {
    const world = existingInUse(database);
    world.secretUsername = 'application';
    expect(await world.recover()).toMatchObject({ status: 'SUCCEEDED' });
    expect(world.rds.calls.filter(({ arguments: given }) => 'MasterUserPassword' in given)).toEqual([]);
  });

  test.each([
    ['describeDBInstances', 6],
    ['describeDBInstanceAutomatedBackups', 6],
    ['addTagsToResource', 4],
  ])('waits out throttling of %s', async (action, times) => {
    const world = existingInUse(database);
    if (action.endsWith('Backups')) gone(world);
    world.rds.fail(action, 'Rds.RdsException', times);
    expect(await world.recover()).toMatchObject({ status: 'SUCCEEDED' });
  });

  test('that is stopped in whatever state ends with another start, and with the same settings', async () => {
    const undisturbed = existingInUse(database);
    const { states } = await undisturbed.recover();
    const settingsOf = (world: RecoveryWorld) => {
      const { Tags: _, ...kept } = world.rds.find(world.id).settings;
      return Object.fromEntries(
        Object.entries(kept).filter(([name]) => !name.endsWith('Identifier') || name.startsWith('Ca')),
      );
    };
    const expected = settingsOf(undisturbed);
    const stopping = [...new Set(states)].filter((name) => name in undisturbed.definition.States);
    expect(stopping.length).toBeGreaterThan(33);
    for (const stopped of stopping) {
      const world = existingInUse(database);
      await world.recover({}, { abortAt: (state) => state === stopped });
      const restored = world.rds.calls.some(({ action }) => action.startsWith('restore'));
      const again = await world.recover(restored ? { recoveredInstance: world.recovered } : {});
      expect([stopped, again.status, again.cause]).toEqual([stopped, 'SUCCEEDED', undefined]);
      expect([stopped, world.rds.find(world.id).data]).toEqual([stopped, 'live data at the latest time']);
      expect([stopped, settingsOf(world)]).toEqual([stopped, expected]);
    }
  });

  test('reads of RDS what its API has', () => {
    const text = JSON.stringify(existingInUse(database).definition);
    const read = (variable: string) =>
      [...text.matchAll(new RegExp(`\\$${variable}\\.(\\w+)`, 'g'))].map(([, name]) => name ?? '');
    expect(read('i').length).toBeGreaterThan(30);
    expect(read('i').filter((name) => !membersOf('DBInstance').includes(name))).toEqual([]);
    expect(read('b').filter((name) => !membersOf('DBInstanceAutomatedBackup').includes(name))).toEqual([]);
    // What the description in this test says has to be what RDS can say.
    expect(Object.keys(described(database)).filter((name) => !membersOf('DBInstance').includes(name))).toEqual([]);
  });
});
