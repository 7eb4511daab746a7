import { BACKUP_POLICIES } from '../../../lib/config/policies';
import type { State } from '../../../lib/operations/recovery/instance-recovery-states';
import { resourceLike, templatesOf } from '../support';

describe.each(['billing', 'main'] as const)('the %s instance that is recovered', (database) => {
  const { data, operations } = templatesOf('production');
  const title = database === 'billing' ? 'Billing' : 'Main';
  const { Outputs, Resources } = data.toJSON() as {
    Outputs: Record<string, { Value: unknown; Export?: { Name: string } }>;
    Resources: Record<string, { Properties: Record<string, unknown> }>;
  };

  /** A value as both templates would write it: imports as what they import, groups by the names that they are given. */
  function plain(value: unknown): unknown {
    if (Array.isArray(value)) return value.map(plain);
    const { 'Fn::ImportValue': imported, Ref } = (value ?? {}) as { 'Fn::ImportValue'?: string; Ref?: string };
    if (imported !== undefined) {
      return plain(Object.values(Outputs).find(({ Export }) => Export?.Name === imported)?.Value);
    }
    const group = Ref === undefined ? undefined : Resources[Ref]?.Properties;
    return group?.DBSubnetGroupName ?? group?.DBParameterGroupName ?? value;
  }

  /** The workflow as it is deployed; what is known only then stands as JSON in its place. */
  function deployed(): Record<string, State> {
    const machine = resourceLike(operations, 'AWS::StepFunctions::StateMachine', `${title}Recovery`).Properties;
    const pieces = (machine.DefinitionString as { 'Fn::Join': [string, unknown[]] })['Fn::Join'][1];
    const text = pieces.map((piece) =>
      typeof piece === 'string' ? piece : JSON.stringify(JSON.stringify(plain(piece))).slice(1, -1),
    );
    return (JSON.parse(text.join('')) as { States: Record<string, State> }).States;
  }

  /** Properties of the instance in the template, and the argument that gives a recovered instance the same. */
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
    MaxAllocatedStorage: 'MaxAllocatedStorage',
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
    AllowMajorVersionUpgrade: 'allows one change, is no setting of the instance',
    ApplyImmediately: 'says when changes are made, is no setting of the instance',
    DBInstanceIdentifier: 'is taken over at the cut-over',
    DBName: 'is in the backup',
    DeleteAutomatedBackups: 'is said by whoever deletes an instance',
    Engine: 'is in the backup',
    EngineVersion: 'is in the backup',
    KmsKeyId: 'a backup is restored with the key that it was made with',
    MasterUserPassword: 'is set by the function, so that no history holds it',
    MasterUsername: 'is in the backup',
    StorageEncrypted: 'is in the backup',
  };

  test('is given every setting again that the stack declares, unless there is a reason not to', () => {
    const declared = resourceLike(data, 'AWS::RDS::DBInstance', `${title}DatabaseInstance`).Properties;
    const configured = deployed().Configure?.Arguments as Record<string, unknown>;
    const names = Object.keys(declared).filter((name) => name !== 'Tags' && !(name in NOT_GIVEN));
    expect(names.toSorted()).toEqual(Object.keys(GIVEN_AGAIN).toSorted());
    for (const restore of ['Restore from snapshot', 'Restore to time', 'Restore to latest']) {
      const given = { ...(deployed()[restore]?.Arguments as Record<string, unknown>), ...configured };
      for (const name of names) {
        const expected = plain(declared[name]);
        const actual = given[GIVEN_AGAIN[name] ?? ''];
        // Numbers are text in some properties, and references stand as JSON.
        const asText = (value: unknown) =>
          [value].flat().map((one: unknown) => (typeof one === 'string' ? one : JSON.stringify(one)));
        expect([restore, name, asText(actual)]).toEqual([restore, name, asText(expected)]);
      }
    }
  });

  test('is warmed for half of its restore target at most', () => {
    const { restoreTargetMinutes } = BACKUP_POLICIES[database];
    expect(deployed()['Begin warming']?.Assign).toMatchObject({
      warmUntil: `{% $millis() + ${restoreTargetMinutes * 30_000} %}`,
    });
    expect(deployed().Ask?.Arguments).toMatchObject({ MessageBody: { targetMinutes: restoreTargetMinutes } });
  });
});
