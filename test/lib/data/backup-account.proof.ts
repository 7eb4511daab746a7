import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse, type ScalarTag } from 'yaml';
import { DATABASE_NAMES } from '../../../core/contract';
import { BACKUP_POLICIES } from '../../../lib/config/policies';
import { exampleEnvironment } from '../../support/example-environments';
import { isRaised } from '../monitoring/evaluate-alarm';
import { resourceLike, resourcesOf } from '../support';
import { synthesise } from '../synthesise';

const ACCOUNT = '999999999999';
const KEY = `arn:aws:kms:eu-central-1:${ACCOUNT}:key/1`;
const production = exampleEnvironment('production');
const { data, monitoring } = synthesise({ ...production, backupAccount: { account: ACCOUNT, archiveKeyArn: KEY } });

/** CloudFormation's short forms, with what the parameters say in their place. */
const VALUES: Readonly<Record<string, string>> = {
  Environment: production.name,
  SourceAccount: production.account,
  'AWS::AccountId': ACCOUNT,
  'AWS::Region': production.region,
  'AWS::Partition': 'aws',
  'Bucket.Arn': '<bucket>',
  BillingDays: String(BACKUP_POLICIES.billing.retentionDays),
  MainDays: String(BACKUP_POLICIES.main.retentionDays),
};
const customTags: ScalarTag[] = ['!Sub', '!Ref', '!GetAtt'].map((tag) => ({
  tag,
  resolve: (text: string) =>
    tag === '!Sub'
      ? text.replaceAll(/\$\{([\w:.]+)\}/g, (_, name: string) => VALUES[name] ?? name)
      : (VALUES[text] ?? text),
}));
type Statement = { Effect: string; Principal: unknown; Action: string | string[]; Condition?: object };
interface Example {
  readonly Resources: Readonly<Record<string, { readonly Properties: Readonly<Record<string, unknown>> }>>;
  readonly Parameters: Readonly<Record<string, { readonly Default?: number }>>;
}
const example = parse(readFileSync(path.resolve(__dirname, '../../../examples/backup-account/stack.yaml'), 'utf8'), {
  customTags,
}) as Example;
const inAccount = (id: string) => example.Resources[id]?.Properties ?? {};
const statementsOf = (document: unknown) => (document as { Statement: Statement[] }).Statement;

test('archives are copied to the bucket that the example makes, whose account then owns them, beside the second region', () => {
  const { ReplicationConfiguration } = resourceLike(data, 'AWS::S3::Bucket', 'ArchivesBucket').Properties as {
    ReplicationConfiguration: { Rules: { Id: string; Priority: number }[] };
  };
  const { Rules } = ReplicationConfiguration;
  expect(Rules.map(({ Id, Priority }) => [Id, Priority])).toEqual([
    ['second-region', 1],
    ['backup-account', 2],
  ]);
  expect(Rules[1]).toMatchObject({
    Status: 'Enabled',
    DeleteMarkerReplication: { Status: 'Enabled' },
    Destination: {
      Bucket: `arn:aws:s3:::${String(inAccount('Bucket').BucketName)}`,
      Account: ACCOUNT,
      AccessControlTranslation: { Owner: 'Destination' },
      EncryptionConfiguration: { ReplicaKmsKeyID: KEY },
      Metrics: { Status: 'Enabled' },
    },
  });
  expect(inAccount('Bucket')).toMatchObject({
    ObjectLockEnabled: true,
    VersioningConfiguration: { Status: 'Enabled' },
  });
});

test('the role of the copies may do in the other account what its policies allow this role by name, and no more', () => {
  const [roleId] = Object.keys(resourcesOf(data, 'AWS::IAM::Role')).filter((id) => id.startsWith('ArchiveReplication'));
  const { RoleName } = resourceLike(data, 'AWS::IAM::Role', roleId ?? '').Properties;
  const policy = resourceLike(data, 'AWS::IAM::Policy', 'ArchiveReplication').Properties.PolicyDocument;
  const mine = (resource: string) =>
    (statementsOf(policy) as (Statement & { Resource: unknown })[])
      .filter(({ Resource }) => JSON.stringify(Resource).includes(resource))
      .flatMap(({ Action }) => Action)
      .toSorted();
  const allowed = (document: unknown) =>
    statementsOf(document).filter(({ Principal }) => JSON.stringify(Principal).includes(production.account));
  const [bucket, ...others] = allowed(inAccount('BucketPolicy').PolicyDocument);
  const [key] = allowed(inAccount('Key').KeyPolicy);
  expect(others).toEqual([]);
  expect(bucket?.Action).toEqual(mine(String(inAccount('Bucket').BucketName)));
  expect(key?.Action).toEqual(mine(KEY));
  const condition = {
    ArnEquals: { 'aws:PrincipalArn': `arn:aws:iam::${production.account}:role/${String(RoleName)}` },
  };
  expect([bucket?.Condition, key?.Condition]).toEqual([condition, condition]);
});

test.each(DATABASE_NAMES)(
  'recovery points of %s are copied to the vault that the example locks for as long',
  (name) => {
    const title = name === 'billing' ? 'BillingDatabase' : 'MainDatabase';
    const { BackupPlanRule } = resourceLike(data, 'AWS::Backup::BackupPlan', title).Properties.BackupPlan as {
      BackupPlanRule: { CopyActions: { DestinationBackupVaultArn: string; Lifecycle: object }[] }[];
    };
    const vault = inAccount(name === 'billing' ? 'BillingVault' : 'MainVault');
    const copies = BackupPlanRule[0]?.CopyActions ?? [];
    expect(copies.map(({ DestinationBackupVaultArn }) => DestinationBackupVaultArn)).toEqual([
      `arn:aws:backup:eu-west-1:${production.account}:backup-vault:billing-operations-production-${name}`,
      `arn:aws:backup:eu-central-1:${ACCOUNT}:backup-vault:${String(vault.BackupVaultName)}`,
    ]);
    const { retentionDays } = BACKUP_POLICIES[name];
    expect(copies[1]?.Lifecycle).toEqual({ DeleteAfterDays: retentionDays });
    expect(vault.LockConfiguration).toEqual({ MinRetentionDays: String(retentionDays), ChangeableForDays: 3 });
    expect(example.Parameters[name === 'billing' ? 'BillingDays' : 'MainDays']?.Default).toBe(retentionDays);
    expect(statementsOf(vault.AccessPolicy)).toEqual([
      expect.objectContaining({ Effect: 'Allow', Action: 'backup:CopyIntoBackupVault' }),
    ]);
  },
);

test('the keys of the databases let the other account read what it copies, and grant no more than to AWS', () => {
  for (const title of ['BillingDatabase', 'MainDatabase']) {
    const statements = statementsOf(resourceLike(data, 'AWS::KMS::Key', `${title}Key`).Properties.KeyPolicy);
    const shared = statements.filter(({ Principal }) => JSON.stringify(Principal).includes(ACCOUNT));
    expect(shared.map(({ Condition }) => Condition)).toEqual([
      undefined,
      { Bool: { 'kms:GrantIsForAWSResource': 'true' } },
    ]);
    expect(JSON.stringify(shared)).not.toMatch(/kms:(\*|PutKeyPolicy|ScheduleKeyDeletion|DisableKey)/);
  }
});

test('what expires by age here expires there, because S3 copies no expiry', () => {
  const rulesOf = (bucket: Readonly<Record<string, unknown>>) =>
    (
      bucket.LifecycleConfiguration as { Rules: { Prefix?: string; ExpirationInDays?: number | string }[] }
    ).Rules.flatMap(({ Prefix, ExpirationInDays }) =>
      ExpirationInDays === undefined ? [] : [`${Prefix} ${ExpirationInDays}`],
    ).toSorted();
  expect(rulesOf(inAccount('Bucket'))).toEqual(
    rulesOf(resourceLike(data, 'AWS::S3::Bucket', 'ArchivesBucket').Properties),
  );
});

test('copies that S3 gave up raise an alarm for each place', () => {
  const alarms = Object.values(resourcesOf(monitoring, 'AWS::CloudWatch::Alarm')).map(({ Properties }) => Properties);
  const failed = alarms.filter(({ MetricName }) => MetricName === 'OperationsFailedReplication');
  const dimensionsOf = ({ Dimensions }: Record<string, unknown>) =>
    Object.fromEntries((Dimensions as { Name: string; Value: unknown }[]).map(({ Name, Value }) => [Name, Value]));
  expect(
    failed.map((alarm) => [alarm.AlarmName, dimensionsOf(alarm).RuleId, dimensionsOf(alarm).DestinationBucket]),
  ).toEqual(
    expect.arrayContaining([
      ['BillingOps-production-archiveCopiesFailed', 'second-region', expect.stringContaining('eu-west-1')],
      ['BillingOps-production-accountCopiesFailed', 'backup-account', inAccount('Bucket').BucketName],
    ]),
  );
});

test('copies in the backup account that are an hour behind, or of which nothing is known, raise an alarm', () => {
  const alarms = Object.values(resourcesOf(monitoring, 'AWS::CloudWatch::Alarm')).map(({ Properties }) => Properties);
  const late = alarms.filter(({ AlarmName }) => AlarmName === 'BillingOps-production-accountCopiesLate');
  expect(late).toEqual([
    expect.objectContaining({
      Namespace: 'AWS/S3',
      MetricName: 'ReplicationLatency',
      Statistic: 'Maximum',
      Threshold: 3600,
      Dimensions: expect.arrayContaining([
        { Name: 'DestinationBucket', Value: inAccount('Bucket').BucketName },
        { Name: 'RuleId', Value: 'backup-account' },
      ]) as unknown,
    }),
  ]);
  const [alarm = {}] = late;
  const hour = <T>(value: T): T[] => Array.from({ length: 12 }, () => value);
  expect(isRaised(alarm, hour(4000))).toBe(true);
  expect(isRaised(alarm, hour(undefined))).toBe(true);
  expect(isRaised(alarm, [...hour(4000).slice(6), ...hour(20)])).toBe(false);
});
