import { DATABASE_NAMES } from '../../../core/contract';
import type { Json } from '../../../local/states/definition';
import { DeployedValues, deployedDefinition } from '../../support/states/deployed-definition';
import { resourceLike, templatesOf } from '../support';

describe.each(DATABASE_NAMES)('the %s instance that is recovered', (database) => {
  const { data } = templatesOf('production');
  const title = database === 'billing' ? 'Billing' : 'Main';
  const values = new DeployedValues(templatesOf('production'));
  const { States: states } = deployedDefinition(templatesOf('production'), `BillingOps-production-recover-${database}`);
  const argumentsOf = (name: string) => states[name]?.Arguments as Readonly<Record<string, Json>>;

  /** Properties of the instance in the template, and the argument that gives a recovered instance the same value. */
  const GIVEN_AGAIN: Readonly<Record<string, string>> = {
    AutoMinorVersionUpgrade: 'AutoMinorVersionUpgrade',
    BackupRetentionPeriod: 'BackupRetentionPeriod',
    CACertificateIdentifier: 'CaCertificateIdentifier',
    CopyTagsToSnapshot: 'CopyTagsToSnapshot',
    DatabaseInsightsMode: 'DatabaseInsightsMode',
    DBInstanceClass: 'DbInstanceClass',
    DBParameterGroupName: 'DbParameterGroupName',
    DBSubnetGroupName: 'DbSubnetGroupName',
    DeletionProtection: 'DeletionProtection',
    EnableCloudwatchLogsExports: 'EnableCloudwatchLogsExports',
    EnableIAMDatabaseAuthentication: 'EnableIAMDatabaseAuthentication',
    EnablePerformanceInsights: 'EnablePerformanceInsights',
    EngineLifecycleSupport: 'EngineLifecycleSupport',
    MonitoringInterval: 'MonitoringInterval',
    MonitoringRoleArn: 'MonitoringRoleArn',
    MultiAZ: 'MultiAZ',
    NetworkType: 'NetworkType',
    PerformanceInsightsKMSKeyId: 'PerformanceInsightsKMSKeyId',
    PerformanceInsightsRetentionPeriod: 'PerformanceInsightsRetentionPeriod',
    Port: 'Port',
    PreferredBackupWindow: 'PreferredBackupWindow',
    PreferredMaintenanceWindow: 'PreferredMaintenanceWindow',
    PubliclyAccessible: 'PubliclyAccessible',
    StorageType: 'StorageType',
    VPCSecurityGroups: 'VpcSecurityGroupIds',
  };

  /** Properties that no argument gives again, each with the reason. */
  const NOT_GIVEN: Readonly<Record<string, string>> = {
    AllocatedStorage: 'a disk is restored in the size that it had',
    AllowMajorVersionUpgrade: 'allows one change, and is no setting of the instance',
    ApplyImmediately: 'says when changes are made, and is no setting of the instance',
    DBInstanceIdentifier: 'is taken at the end of the cut-over',
    DBName: 'is in the backup',
    DeleteAutomatedBackups: 'is a parameter of the deletion',
    Engine: 'is in the backup',
    EngineVersion: 'is in the backup',
    KmsKeyId: 'a backup is restored with the key that it was made with',
    MasterUserPassword: 'is set by a function, so that no history holds it',
    MasterUsername: 'is in the backup',
    StorageEncrypted: 'is in the backup',
  };

  test.each([
    'Restore from a snapshot',
    'Restore to a time',
    'Restore to the latest time',
    'Restore the deleted instance to a time',
    'Restore the deleted instance to its latest time',
  ])('is given every setting again that the stack declares by: %s', (restore) => {
    const declared = resourceLike(data, 'AWS::RDS::DBInstance', `${title}DatabaseInstance`).Properties;
    const names = Object.keys(declared).filter((name) => name !== 'Tags' && !(name in NOT_GIVEN));
    expect(names.toSorted()).toEqual([...Object.keys(GIVEN_AGAIN), 'MaxAllocatedStorage'].toSorted());
    const given = { ...argumentsOf(restore), ...argumentsOf('Configure the recovered instance') };
    // Numbers are text in some properties.
    const asText = (value: unknown) => [value].flat().map((one: unknown) => String(values.resolve(one)));
    for (const [name, argument] of Object.entries(GIVEN_AGAIN)) {
      expect([name, asText(given[argument])]).toEqual([name, asText(declared[name])]);
    }
    // At least what the stack declares; more where autoscaling has made the disk larger.
    expect(given.MaxAllocatedStorage).toContain(`$max([${String(declared.MaxAllocatedStorage)}, `);
  });

  test('carries the tags of the environment, and names the recovery that made it', () => {
    const tags = argumentsOf('Restore to a time').Tags as readonly { readonly Key: string; readonly Value: string }[];
    expect(Object.fromEntries(tags.map(({ Key, Value }) => [Key, Value]))).toEqual({
      application: 'billing-operations',
      environment: 'production',
      database,
      'recovered-as': '{% $recovered %}',
      'recovered-by': '{% $states.context.Execution.Name %}',
    });
  });
});
