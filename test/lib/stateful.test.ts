import { resourceLike, resourcesOf, templatesOf } from './support';

/** Types whose removal or replacement loses data that nothing else holds. */
const STATEFUL = [
  'AWS::RDS::DBInstance',
  'AWS::S3::Bucket',
  'AWS::KMS::Key',
  'AWS::SecretsManager::Secret',
  'AWS::Backup::BackupVault',
];

/**
 * Logical ids that must never change: CloudFormation would make a new, empty resource in place of the one that holds the
 * data. A refactoring that turns this red has to keep the id with `overrideLogicalId`.
 */
const PINNED = [
  'ArchivesAccessLogsF1ACFB94',
  'ArchivesBucketD5C337A9',
  'ArchivesKeyF98811A0',
  'BillingDatabaseCredentialsA3149CD9',
  'BillingDatabaseInstance8058E8CA',
  'BillingDatabaseKey1B0FC444',
  'BillingDatabaseRecoveryPointsKey74299E7E',
  'BillingDatabaseRecoveryPointsVaultC8784F90',
  'MainDatabaseCredentials13781A48',
  'MainDatabaseInstance8EBDA996',
  'MainDatabaseKeyF7118F28',
  'MainDatabaseRecoveryPointsKey7616CC09',
  'MainDatabaseRecoveryPointsVaultD2865D96',
  'StripeSecretsApiA8715464',
  'StripeSecretsKeyC4F5F09E',
  'StripeSecretsSigning8479667E',
];

function stateful(environment: string) {
  return Object.entries(resourcesOf(templatesOf(environment).data)).filter(([, { Type }]) => STATEFUL.includes(Type));
}

test.each(['dev', 'staging', 'production'])('%s keeps the logical id of everything that holds data', (environment) => {
  expect(
    stateful(environment)
      .map(([id]) => id)
      .toSorted(),
  ).toEqual(PINNED);
});

test.each(['staging', 'production'])('%s keeps the data when the stack is removed', (environment) => {
  for (const [id, resource] of stateful(environment)) {
    expect([id, resource.DeletionPolicy, resource.UpdateReplacePolicy]).toEqual([id, 'Retain', 'Retain']);
  }
});

test('the random placeholders of Stripe secrets are never generated again, over the value of the operator', () => {
  const secrets = Object.entries(resourcesOf(templatesOf('production').data, 'AWS::SecretsManager::Secret'));
  const generated = secrets
    .filter(([id]) => id.startsWith('Stripe'))
    .map(([, { Properties }]) => Properties.GenerateSecretString);
  expect(generated).toEqual([
    { ExcludePunctuation: true, GenerateStringKey: 'current', SecretStringTemplate: '{}' },
    { ExcludePunctuation: true, GenerateStringKey: 'apiKey', SecretStringTemplate: '{}' },
  ]);
});

test('each database has subnets, key, credentials and security group of its own', () => {
  const instances = Object.values(resourcesOf(templatesOf('production').data, 'AWS::RDS::DBInstance'));
  expect(instances).toHaveLength(2);
  for (const property of [
    'DBSubnetGroupName',
    'KmsKeyId',
    'MasterUserPassword',
    'MasterUsername',
    'VPCSecurityGroups',
  ]) {
    const values = instances.map(({ Properties }) => JSON.stringify(Properties[property]));
    expect([property, new Set(values).size]).toEqual([property, 2]);
  }
  const groups = Object.values(resourcesOf(templatesOf('production').data, 'AWS::RDS::DBSubnetGroup'));
  const subnets = groups.flatMap(({ Properties }) => (Properties.SubnetIds as { Ref: string }[]).map(({ Ref }) => Ref));
  expect(new Set(subnets).size).toBe(6);
});

test('credentials tell the rotation function to speak TLS', () => {
  const secrets = Object.entries(resourcesOf(templatesOf('production').data, 'AWS::SecretsManager::Secret'));
  const databases = secrets.filter(([id]) => id.includes('Database'));
  expect(databases).toHaveLength(2);
  for (const [, { Properties }] of databases) {
    const { SecretStringTemplate } = Properties.GenerateSecretString as { SecretStringTemplate: string };
    expect(JSON.parse(SecretStringTemplate)).toMatchObject({ ssl: true });
  }
});

test('the rotation function is let in to the database', () => {
  const rules = Object.entries(resourcesOf(templatesOf('production').data, 'AWS::EC2::SecurityGroupIngress'));
  expect(rules.map(([, { Properties }]) => Properties.Description)).toEqual([
    'The rotation function changes the password',
    'The rotation function changes the password',
  ]);
});

test('archives are versioned, lockable, encrypted, and freed once they expired', () => {
  const { data } = templatesOf('production');
  data.hasResourceProperties('AWS::S3::Bucket', {
    ObjectLockEnabled: true,
    VersioningConfiguration: { Status: 'Enabled' },
  });
  const bucket = resourceLike(data, 'AWS::S3::Bucket', 'ArchivesBucket').Properties;
  const { Rules } = bucket.LifecycleConfiguration as { Rules: Record<string, unknown>[] };
  for (const rule of Rules.filter(({ Prefix }) => Prefix)) {
    expect(rule).toMatchObject({
      Status: 'Enabled',
      NoncurrentVersionExpiration: { NoncurrentDays: 1 },
      AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 },
    });
  }
});
