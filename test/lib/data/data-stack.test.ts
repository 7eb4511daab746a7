import { resourceLike, resourcesOf, templatesOf } from '../support';

const { data, operations, monitoring, recovery } = templatesOf('production');

/** Logical id that a reference, or the ARN of one, leads to. */
function targetOf(reference: unknown): string {
  const { Ref, 'Fn::GetAtt': attribute } = reference as { Ref?: string; 'Fn::GetAtt'?: [string, string] };
  return Ref ?? attribute?.[0] ?? '';
}

test('every customer-managed key rotates each year', () => {
  const keys = [data, operations, monitoring, ...(recovery ? [recovery] : [])].flatMap((template) =>
    Object.entries(resourcesOf(template, 'AWS::KMS::Key')),
  );
  // Both databases, their recovery points, archives, Stripe's secrets, alerts; and the copies.
  expect(keys.length).toBeGreaterThanOrEqual(10);
  // KMS rotates no key pairs.
  const rotating = keys.filter(([, { Properties }]) => Properties.KeyUsage !== 'SIGN_VERIFY');
  expect(keys.length - rotating.length).toBe(1);
  for (const [id, { Properties }] of rotating) expect([id, Properties.EnableKeyRotation]).toEqual([id, true]);
});

test('each purpose has an encryption key of its own', () => {
  const bucket = resourceLike(data, 'AWS::S3::Bucket', 'ArchivesBucket').Properties;
  const { ServerSideEncryptionConfiguration: rules } = bucket.BucketEncryption as {
    ServerSideEncryptionConfiguration: { ServerSideEncryptionByDefault: { KMSMasterKeyID: unknown } }[];
  };
  const used = [
    ...['BillingDatabaseInstance', 'MainDatabaseInstance'].map(
      (id) => resourceLike(data, 'AWS::RDS::DBInstance', id).Properties.KmsKeyId,
    ),
    ...['BillingDatabase', 'MainDatabase'].map(
      (id) => resourceLike(data, 'AWS::Backup::BackupVault', id).Properties.EncryptionKeyArn,
    ),
    rules[0]?.ServerSideEncryptionByDefault.KMSMasterKeyID,
    resourceLike(data, 'AWS::SecretsManager::Secret', 'StripeSecretsApi').Properties.KmsKeyId,
  ].map(targetOf);
  for (const id of used) expect(id).toMatch(/Key[0-9A-F]{8}$/);
  expect(new Set(used).size).toBe(used.length);
  const topics = Object.values(resourcesOf(monitoring, 'AWS::SNS::Topic'));
  // In another stack, and so another key.
  for (const { Properties } of topics) expect(targetOf(Properties.KmsMasterKeyId)).toMatch(/^AlertsKey/);
});

test('the logs of each instance are kept a year, because their groups exist before RDS creates them without an expiry', () => {
  const groups = resourcesOf(data, 'AWS::Logs::LogGroup');
  const instances = Object.values(resourcesOf(data, 'AWS::RDS::DBInstance'));
  expect(instances).toHaveLength(3);
  for (const instance of instances) {
    const { DBInstanceIdentifier: name, EnableCloudwatchLogsExports: logs } = instance.Properties as {
      DBInstanceIdentifier: string;
      EnableCloudwatchLogsExports: string[];
    };
    for (const log of logs) {
      const [id, group] =
        Object.entries(groups).find(
          ([, { Properties }]) => Properties.LogGroupName === `/aws/rds/instance/${name}/${log}`,
        ) ?? [];
      expect([name, log, group?.Properties.RetentionInDays]).toEqual([name, log, 365]);
      expect(instance.DependsOn).toContain(id);
    }
  }
});

test('access to archives is logged in a separate bucket for more than a year', () => {
  const bucket = resourceLike(data, 'AWS::S3::Bucket', 'ArchivesBucket').Properties;
  const { DestinationBucketName } = bucket.LoggingConfiguration as { DestinationBucketName: unknown };
  expect(targetOf(DestinationBucketName)).toMatch(/^ArchivesAccessLogs/);
  const logs = resourceLike(data, 'AWS::S3::Bucket', 'ArchivesAccessLogs').Properties;
  expect(logs.LifecycleConfiguration).toEqual({
    Rules: expect.arrayContaining([expect.objectContaining({ Status: 'Enabled', ExpirationInDays: 366 })]) as unknown[],
  });
});
