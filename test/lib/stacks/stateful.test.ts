import { EXPORT_PREFIX } from '../../../core/archive/contract';
import { DRILL_PREFIX } from '../../../lambdas/drill/contract';
import { ROW_RECOVERY_PREFIX } from '../../../lambdas/row-recovery/contract';
import { WORTHLESS } from './identity';
import { resourceLike, resourcesOf, templatesOf } from '../support';

/** Types that hold data: what is deleted or replaced is lost, or, as a key, makes other data unreadable. */
const STATEFUL = [
  'AWS::RDS::DBInstance',
  'AWS::S3::Bucket',
  'AWS::KMS::Key',
  'AWS::SecretsManager::Secret',
  'AWS::Backup::BackupVault',
  'AWS::Logs::LogGroup',
  'AWS::SQS::Queue',
];

/** The replica for reports has nothing that its source does not have, and goes when it is switched off. */
const REPLICA = /DatabaseAnalytics(Instance|Parameters)/;

describe.each(['staging', 'production'])('the protected environment %s', (environment) => {
  const templates = Object.entries(templatesOf(environment)).flatMap(([part, template]) =>
    template ? [[part, template] as const] : [],
  );

  test.each(templates)('keeps everything that holds data when %s is removed or replaces it', (_, template) => {
    const holding = Object.entries(resourcesOf(template)).filter(
      ([id, { Type }]) =>
        STATEFUL.includes(Type) && !REPLICA.test(id) && !WORTHLESS.some(([pattern]) => pattern.test(id)),
    );
    // A creation that is rolled back is the exception: what it made has held nothing yet, and is taken back.
    const policies = holding.map(([id, r]) => [id, r.DeletionPolicy, r.UpdateReplacePolicy]);
    expect(policies).toEqual(holding.map(([id]) => [id, 'RetainExceptOnCreate', 'Retain']));
  });

  test('refuses to delete a database instance, also outside CloudFormation', () => {
    const instances = Object.entries(resourcesOf(templatesOf(environment).data, 'AWS::RDS::DBInstance'));
    const kept = instances.filter(([id]) => !REPLICA.test(id));
    expect(kept.map(([, { Properties }]) => Properties.DeletionProtection)).toEqual([true, true]);
  });

  test('keeps the subnets and the settings of a kept instance', () => {
    const { data } = templatesOf(environment);
    const groups = ['AWS::RDS::DBSubnetGroup', 'AWS::RDS::DBParameterGroup'].flatMap((type) =>
      Object.entries(resourcesOf(data, type)).filter(([id]) => !REPLICA.test(id)),
    );
    expect(groups).toHaveLength(4);
    const policies = groups.map(([id, r]) => [id, r.DeletionPolicy, r.UpdateReplacePolicy]);
    expect(policies).toEqual(groups.map(([id]) => [id, 'RetainExceptOnCreate', 'Retain']));
  });

  test('can create Operations and Monitoring again after their removal, because no kept resource has a fixed name', () => {
    const { operations, monitoring } = templatesOf(environment);
    const staying = [operations, monitoring]
      .flatMap((template) => Object.entries(resourcesOf(template)))
      .filter(([, { DeletionPolicy }]) => DeletionPolicy?.startsWith('Retain'));
    expect(staying.map(([, { Type }]) => Type)).toEqual(
      expect.arrayContaining(['AWS::Logs::LogGroup', 'AWS::SQS::Queue']),
    );
    const named = staying.flatMap(([id, { Properties }]) =>
      Object.entries(Properties ?? {})
        .filter(([property]) => /^(LogGroup|Queue|Bucket|Topic|Role|)Name$/.test(property))
        .map(([, name]) => [id, JSON.stringify(name)] as const),
    );
    // AWS requires their names; a part of each is unique to this API or this firewall.
    expect(named).toEqual([
      [expect.stringMatching(/ExecutionLog/), expect.stringMatching(/"Ref":"HttpApiRestApi\w+"/)],
      [expect.stringMatching(/WebAclLog/), expect.stringMatching(/"HttpApiWebAcl\w+","Id"/)],
    ]);
  });

  test('empties no bucket', () => {
    for (const [, template] of templates) {
      expect(Object.keys(resourcesOf(template, 'Custom::S3AutoDeleteObjects'))).toEqual([]);
    }
  });
});

test('dev can be removed completely', () => {
  const { data, operations } = templatesOf('dev');
  for (const template of [data, operations]) {
    const kept = Object.entries(resourcesOf(template)).filter(([, { DeletionPolicy }]) =>
      DeletionPolicy?.startsWith('Retain'),
    );
    // One role for the account, which API Gateway needs for every API there is.
    expect(kept.filter(([, { Type }]) => !['AWS::IAM::Role', 'AWS::ApiGateway::Account'].includes(Type))).toEqual([]);
  }
});

test('the random placeholders of the Stripe secrets never overwrite the values of the operator', () => {
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
  const { data } = templatesOf('production');
  const instances = ['BillingDatabaseInstance', 'MainDatabaseInstance'].map((id) =>
    resourceLike(data, 'AWS::RDS::DBInstance', id),
  );
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

test('the credentials make the rotation function use TLS', () => {
  const secrets = Object.entries(resourcesOf(templatesOf('production').data, 'AWS::SecretsManager::Secret'));
  const databases = secrets.filter(([id]) => id.includes('Database'));
  expect(databases).toHaveLength(2);
  for (const [, { Properties }] of databases) {
    const { SecretStringTemplate } = Properties.GenerateSecretString as { SecretStringTemplate: string };
    expect(JSON.parse(SecretStringTemplate)).toMatchObject({ ssl: true });
  }
});

test('archives are versioned, lockable, encrypted, and deleted once they have expired', () => {
  const { data } = templatesOf('production');
  data.hasResourceProperties('AWS::S3::Bucket', {
    ObjectLockEnabled: true,
    VersioningConfiguration: { Status: 'Enabled' },
  });
  const bucket = resourceLike(data, 'AWS::S3::Bucket', 'ArchivesBucket').Properties;
  expect(bucket).not.toHaveProperty('ObjectLockConfiguration.Rule');
  const { Rules } = bucket.LifecycleConfiguration as { Rules: Record<string, unknown>[] };
  for (const rule of Rules.filter(({ Prefix }) => String(Prefix).startsWith('archives/'))) {
    expect(rule).toMatchObject({
      Status: 'Enabled',
      NoncurrentVersionExpiration: { NoncurrentDays: 1 },
      AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 },
    });
  }
});

test('reports with personal data expire after a month, records of drills after a year', () => {
  const bucket = resourceLike(templatesOf('production').data, 'AWS::S3::Bucket', 'ArchivesBucket').Properties;
  const { Rules } = bucket.LifecycleConfiguration as { Rules: Record<string, unknown>[] };
  const ruleOf = (prefix: string) => Rules.find(({ Prefix }) => Prefix === prefix);
  const expiring = (days: number) => ({
    Status: 'Enabled',
    ExpirationInDays: days,
    NoncurrentVersionExpiration: { NoncurrentDays: 1 },
  });
  expect(ruleOf(ROW_RECOVERY_PREFIX)).toMatchObject({
    ...expiring(30),
    AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 },
  });
  expect(ruleOf(DRILL_PREFIX)).toMatchObject(expiring(400));
  expect(ruleOf(`${EXPORT_PREFIX}billing/`)).toMatchObject(expiring(90));
  expect(ruleOf(`${EXPORT_PREFIX}main/`)).toMatchObject(expiring(30));
});
