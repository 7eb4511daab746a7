import { DATABASE_NAMES } from '../../../core/contract';
import { BACKUP_POLICIES } from '../../../lib/config/policies';
import { resourceLike, resourcesOf, templatesOf } from '../support';

const { data, recovery } = templatesOf('production');
if (!recovery) throw new Error('Production has no second region');
const title = { billing: 'BillingDatabase', main: 'MainDatabase' } as const;

describe.each(DATABASE_NAMES)('copies of the %s database', (name) => {
  const { retentionDays } = BACKUP_POLICIES[name];

  test('go to the vault of the second region and are kept as long as the originals', () => {
    const plan = resourceLike(data, 'AWS::Backup::BackupPlan', title[name]).Properties.BackupPlan as {
      BackupPlanRule: Record<string, unknown>[];
    };
    const vault = `billing-operations-production-${name}`;
    expect(plan.BackupPlanRule[0]?.CopyActions).toEqual([
      {
        DestinationBackupVaultArn: `arn:aws:backup:eu-west-1:333333333333:backup-vault:${vault}`,
        Lifecycle: { DeleteAfterDays: retentionDays },
      },
    ]);
    expect(
      resourceLike(recovery, 'AWS::Backup::BackupVault', name === 'billing' ? 'Billing' : 'Main').Properties,
    ).toMatchObject({
      BackupVaultName: vault,
      LockConfiguration: { MinRetentionDays: retentionDays, ChangeableForDays: 3 },
    });
  });

  test('are tested by restoring one into the isolated subnets, which admit no client', () => {
    const selection = resourceLike(data, 'AWS::Backup::RestoreTestingSelection', title[name]).Properties;
    expect(selection).toMatchObject({
      ProtectedResourceType: 'RDS',
      RestoreTestingSelectionName: expect.stringMatching(/^[A-Za-z0-9_]{1,50}$/),
    });
    const overrides = selection.RestoreMetadataOverrides as Record<string, { 'Fn::Join'?: [string, unknown[]] }>;
    expect(overrides.dbsubnetgroupname).toEqual({ Ref: expect.stringContaining(`${title[name]}Subnets`) });
    // AWS Backup wants the list as text.
    const [, parts] = overrides.vpcSecurityGroupIds?.['Fn::Join'] ?? ['', []];
    expect([parts[0], parts[2]]).toEqual(['["', '"]']);
    const group = (parts[1] as { 'Fn::GetAtt': [string] })['Fn::GetAtt'][0];
    const rules = Object.values(resourcesOf(data, 'AWS::EC2::SecurityGroupIngress'));
    expect(rules.filter(({ Properties }) => JSON.stringify(Properties.GroupId).includes(group))).toEqual([]);
  });

  test('are tested under a name that AWS Backup accepts, from the newest recovery point of the vault of the database', () => {
    const plan = resourceLike(data, 'AWS::Backup::RestoreTestingPlan', title[name]).Properties;
    expect(plan.RestoreTestingPlanName).toMatch(/^[A-Za-z0-9_]{1,50}$/);
    expect(plan.RecoveryPointSelection).toMatchObject({
      Algorithm: 'LATEST_WITHIN_WINDOW',
      IncludeVaults: [{ 'Fn::GetAtt': [expect.stringContaining(title[name]), 'BackupVaultArn'] }],
    });
  });
});

describe('copies of the archives', () => {
  const bucket = resourceLike(data, 'AWS::S3::Bucket', 'ArchivesBucket').Properties;
  const copy = resourceLike(recovery, 'AWS::S3::Bucket', 'ArchivesBucket').Properties;
  const name = 'billing-ops-production-archives-333333333333-eu-west-1';

  test('go to a bucket with the same locks and a key of its own', () => {
    expect(bucket.ReplicationConfiguration).toMatchObject({
      Rules: [
        {
          Status: 'Enabled',
          Filter: { Prefix: '' },
          SourceSelectionCriteria: { SseKmsEncryptedObjects: { Status: 'Enabled' } },
          Destination: {
            Bucket: `arn:aws:s3:::${name}`,
            EncryptionConfiguration: {
              ReplicaKmsKeyID: 'arn:aws:kms:eu-west-1:333333333333:alias/billing-operations-production-archives',
            },
          },
        },
      ],
    });
    expect(copy).toMatchObject({
      BucketName: name,
      ObjectLockEnabled: true,
      VersioningConfiguration: { Status: 'Enabled' },
    });
    recovery.hasResourceProperties('AWS::KMS::Alias', { AliasName: 'alias/billing-operations-production-archives' });
  });

  test('keep their locks', () => {
    const policy = resourceLike(data, 'AWS::IAM::Policy', 'ArchiveReplication').Properties;
    const { Statement } = policy.PolicyDocument as { Statement: { Action: string | string[] }[] };
    const actions = Statement.flatMap(({ Action }) => Action);
    expect(actions).toEqual(expect.arrayContaining(['s3:GetObjectRetention', 's3:GetObjectLegalHold']));
    expect(actions.filter((action) => /Bypass|DeleteObject/.test(action))).toEqual([]);
  });
});

test('an environment without a second region copies nothing', () => {
  const { data: staging, recovery: none } = templatesOf('staging');
  expect(none).toBeUndefined();
  expect(JSON.stringify(staging.toJSON())).not.toMatch(/"(CopyActions|ReplicationConfiguration)":/);
});
