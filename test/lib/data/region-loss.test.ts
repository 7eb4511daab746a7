import { templatesOf } from '../support';

/** How what holds data, a key or a secret in the first region survives its loss. */
type Survival = 'copied' | 'made anew' | 'not needed';

/** By type and the begin of the logical id. What is in no line fails the test: say how it survives, and in docs/region-loss.md. */
const SURVIVAL: Readonly<Record<string, Readonly<Record<string, Survival>>>> = {
  'AWS::S3::Bucket': { ArchivesBucket: 'copied', ArchivesAccessLogs: 'not needed' },
  'AWS::SecretsManager::Secret': {
    ErasureKeySecret: 'copied',
    ApiKeySecret: 'copied',
    StripeSecrets: 'copied',
    TilledSecrets: 'copied',
    // Passwords of databases that are gone.
    BillingDatabase: 'made anew',
    MainDatabase: 'made anew',
    BillingLogins: 'made anew',
    MainLogins: 'made anew',
  },
  'AWS::KMS::Key': {
    // What is encrypted with them is copied under keys of the second region.
    ArchivesKey: 'made anew',
    BillingDatabase: 'made anew',
    MainDatabase: 'made anew',
    StripeSecretsKey: 'made anew',
    TilledSecretsKey: 'made anew',
    // A person checks archives by its public half, which is kept outside.
    ArchiveSigningKey: 'made anew',
    LogKey: 'not needed',
    Alert: 'made anew',
  },
  'AWS::RDS::DBInstance': { BillingDatabase: 'copied', MainDatabase: 'copied' },
  'AWS::Backup::BackupVault': { BillingDatabase: 'copied', MainDatabase: 'copied' },
  // What they held, Stripe delivers or lists again.
  'AWS::SQS::Queue': { '': 'not needed' },
  'AWS::SSM::Parameter': { '': 'made anew' },
  'AWS::ElastiCache::ServerlessCache': { '': 'not needed' },
  'AWS::DynamoDB::Table': {},
  'AWS::EFS::FileSystem': {},
};

interface Found {
  readonly type: string;
  readonly id: string;
  readonly properties: Readonly<Record<string, unknown>>;
}

const { data, operations, monitoring, recovery } = templatesOf('production');
const found: readonly Found[] = [data, operations, monitoring].flatMap((template) =>
  Object.entries(
    template.toJSON().Resources as Record<string, { Type: string; Properties?: Record<string, unknown> }>,
  ).map(([id, { Type, Properties = {} }]) => ({ type: Type, id, properties: Properties })),
);
const survivalOf = ({ type, id }: Found): Survival | undefined =>
  Object.entries(SURVIVAL[type] ?? {}).find(([begin]) => id.startsWith(begin))?.[1];
const copied = (type: string) => found.filter((each) => each.type === type && survivalOf(each) === 'copied');

test('everything that holds data, a key or a secret in the first region has a way to survive it', () => {
  const holders = found.filter(({ type }) => type in SURVIVAL);
  expect(holders.filter((each) => survivalOf(each) === undefined).map(({ type, id }) => `${type} ${id}`)).toEqual([]);
  expect(holders.length).toBeGreaterThan(20);
});

test('each secret that the second region needs has a replica there', () => {
  const secrets = copied('AWS::SecretsManager::Secret');
  expect(secrets.length).toBeGreaterThanOrEqual(4);
  for (const { id, properties } of secrets) {
    expect([id, properties.ReplicaRegions]).toEqual([id, [{ Region: 'eu-west-1' }]]);
  }
});

test('the replication of the archive bucket leaves nothing out: archives, the ledger of erasures, records', () => {
  const [bucket] = copied('AWS::S3::Bucket');
  const { Rules } = (bucket?.properties.ReplicationConfiguration ?? { Rules: [] }) as {
    Rules: Record<string, unknown>[];
  };
  const toSecond = Rules.filter(({ Destination }) =>
    JSON.stringify(Destination).includes('archives-333333333333-eu-west-1'),
  );
  expect(toSecond).toEqual([expect.objectContaining({ Status: 'Enabled', Filter: { Prefix: '' } })]);
});

test('each database has copies of its recovery points in a vault of the second region', () => {
  const plans = found.filter(({ type }) => type === 'AWS::Backup::BackupPlan');
  expect(plans).toHaveLength(
    copied('AWS::RDS::DBInstance').filter(({ properties }) => !('SourceDBInstanceIdentifier' in properties)).length,
  );
  for (const { properties } of plans) {
    const { BackupPlanRule } = properties.BackupPlan as {
      BackupPlanRule: { CopyActions?: { DestinationBackupVaultArn: string }[] }[];
    };
    for (const { CopyActions = [] } of BackupPlanRule) {
      expect(CopyActions.map(({ DestinationBackupVaultArn }) => DestinationBackupVaultArn)).toEqual([
        expect.stringContaining(':backup:eu-west-1:'),
      ]);
    }
  }
});

test('the second region refers to nothing of the first but the bus that hears of its keys', () => {
  const resources = recovery?.toJSON().Resources as Record<string, { Type: string }>;
  const referring = Object.values(resources).filter((resource) => JSON.stringify(resource).includes('eu-central-1'));
  expect([...new Set(referring.map(({ Type }) => Type))].toSorted()).toEqual(['AWS::Events::Rule', 'AWS::IAM::Policy']);
  expect(JSON.stringify(resources)).not.toContain('Fn::ImportValue');
});
