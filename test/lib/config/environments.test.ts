import { defineEnvironment, type EnvironmentInput } from '../../../lib/config/environment-schema';
import { localEnvironment } from '../../../lib/config/built-environments';
import { recoveryRegion } from '../../../lib/data/recovery-region';
import { localOptions } from '../support';

const database = {
  kind: 'create',
  instanceClass: 't4g.medium',
  allocatedStorageGiB: 20,
  maximumStorageGiB: 50,
  multiAz: false,
} as const;

const valid: EnvironmentInput = {
  name: 'dev',
  account: '111111111111',
  region: 'eu-central-1',
  allowedRegions: ['eu-central-1', 'eu-west-1'],
  availabilityZones: ['eu-central-1a', 'eu-central-1b', 'eu-central-1c'],
  removalProtection: false,
  logLevel: 'INFO',
  databases: { billing: database, main: database },
  stripe: { livemode: false },
  runbookUrl: 'https://example.com/runbook',
};

const HOST = 'databases.main.host must be a host name or address, without scheme and port, ';
const secretIn = (region: string) => `arn:aws:secretsmanager:${region}:111111111111:secret:main-AbCdEf`;
/** Databases that exist already: the main one, or both, with something else than it should have. */
function existing(change: object, which: 'main' | 'both' = 'main') {
  const wrong = {
    kind: 'existing',
    host: 'db.example.com',
    port: 5432,
    databaseName: 'main',
    secretArn: secretIn('eu-central-1'),
    allocatedStorageGiB: 20,
    ...change,
  };
  return { databases: { billing: which === 'both' ? { ...wrong, databaseName: 'billing' } : database, main: wrong } };
}

test.each(['db.example.com', 'localhost', '10.0.0.1', 'fd00::1'])('a database may be at %s', (host) => {
  expect(() => defineEnvironment({ ...valid, ...(existing({ host }) as object) })).not.toThrow();
});

test('a setting that is left out gets its default', () => {
  expect(defineEnvironment(valid)).toMatchObject({
    stripe: { apiBase: 'https://api.stripe.com' },
    reconciliation: { enabled: true, hourUtc: 2, daysBack: 7, sampledEntitlements: 50 },
    alarmEmails: { warning: [], critical: [] },
  });
});

test.each<[string, Partial<Record<keyof EnvironmentInput, unknown>>, string]>([
  ['an hour past the day', { reconciliation: { hourUtc: 25 } }, 'reconciliation.hourUtc must be 0–23, got 25'],
  ['an hour that is text', { reconciliation: { hourUtc: '2' } }, 'reconciliation.hourUtc must be 0–23, got "2"'],
  [
    'a sample that takes all of the rate limit',
    { reconciliation: { sampledEntitlements: 1_001 } },
    'reconciliation.sampledEntitlements must be 0–1000, got 1001',
  ],
  ['more days than Stripe lists', { reconciliation: { daysBack: 31 } }, 'reconciliation.daysBack must be 1–30, got 31'],
  [
    'another region',
    { region: 'us-east-1' },
    'region must be one of eu-central-1, eu-west-1, where this data may stay, got "us-east-1"',
  ],
  ['a short account', { account: '1234' }, 'account must be the 12 digits of an AWS account, in quotes, got "1234"'],
  ['no account', { account: undefined }, 'account must be the 12 digits of an AWS account, in quotes, got nothing'],
  [
    'no zones',
    { availabilityZones: undefined },
    'availabilityZones must name three zones when a network is created for the databases, got nothing',
  ],
  [
    'a wrong address',
    { alarmEmails: { critical: ['nobody'] } },
    'alarmEmails.critical.0 must be an e-mail address, got "nobody"',
  ],
  ['a wrong URL', { stripe: { livemode: true, apiBase: 'stripe' } }, 'stripe.apiBase must be a URL, got "stripe"'],
  ['a misspelt setting', { reconcilation: {} } as object, 'config: unknown setting reconcilation'],
  [
    'a storage ceiling below the start',
    { databases: { billing: { ...database, maximumStorageGiB: 30, allocatedStorageGiB: 28 }, main: database } },
    'databases.billing.maximumStorageGiB must be at least 10 % above allocatedStorageGiB, got 30',
  ],
  [
    'an unknown kind of database',
    { databases: { billing: { kind: 'rented' }, main: database } },
    'databases.billing.kind must be of kind `create` or `existing`, got "rented"',
  ],
  [
    'a secret without its suffix',
    {
      databases: {
        billing: {
          kind: 'existing',
          host: 'h',
          port: 5432,
          databaseName: 'b',
          secretArn: 'billing',
          allocatedStorageGiB: 1,
        },
        main: database,
      },
    },
    'databases.billing.secretArn must be a complete secret ARN, ending in the six characters that Secrets Manager added, got "billing"',
  ],
  [
    'no databases',
    { databases: undefined },
    'databases must be `billing` and `main`, each to `create` or `existing`; or leave it out, and say a `size`, got nothing',
  ],
  ['no Stripe', { stripe: undefined }, 'stripe must say at least whether `livemode` is true or false, got nothing'],
  [
    'a region that AWS does not have',
    { allowedRegions: ['eu-centrel-1'], region: 'eu-centrel-1' },
    'allowedRegions.0 must be a region of AWS, such as `eu-central-1`, got "eu-centrel-1"',
  ],
  [
    'a name that S3 refuses',
    { name: 'Production_EU' },
    'name must be 1–14 lower-case letters, digits and single `-`, starting with a letter, such as `production-eu`, got "Production_EU"',
  ],
  [
    'a name that is too long for a bucket',
    { name: 'productioneurope' },
    'name must be 1–14 lower-case letters, digits and single `-`, starting with a letter, such as `production-eu`, got "productioneurope"',
  ],
  ['a region that is none', { region: 'Frankfurt' }, 'region must be a region such as `eu-central-1`, got "Frankfurt"'],
  [
    'an account that is a name',
    { account: 'production' },
    'account must be the 12 digits of an AWS account, in quotes, got "production"',
  ],
  [
    'zones of another region',
    { availabilityZones: ['eu-central-1a', 'eu-west-1a', 'eu-central-1c'] },
    'availabilityZones.1 must be a zone of eu-central-1, such as `eu-central-1a`, got "eu-west-1a"',
  ],
  [
    'an address instead of a host',
    existing({ host: 'postgres://db.example.com' }),
    HOST + 'got "postgres://db.example.com"',
  ],
  ['a host with a port', existing({ host: 'db.example.com:5432' }), HOST + 'got "db.example.com:5432"'],
  ['no host', existing({ host: undefined }), HOST + 'got nothing'],
  ['an impossible port', existing({ port: 70_000 }), 'databases.main.port must be 1–65535, got 70000'],
  [
    'a database name that needs quoting',
    existing({ databaseName: 'Main-DB' }),
    'databases.main.databaseName must be lower-case letters, digits and `_`, starting with a letter, got "Main-DB"',
  ],
  [
    'a secret in another region',
    existing({ secretArn: secretIn('eu-west-1') }),
    `databases.main.secretArn must be in eu-central-1, got "${secretIn('eu-west-1')}"`,
  ],
  [
    'a move of billing that would take the main database along',
    existing({ move: { host: 'new.example.com', secretArn: secretIn('eu-central-1') } }, 'both'),
    'databases.main.move must be left out: only billing moves, got an object; databases.billing.move must be left out while both databases have one secret: the cut-over would send the main database to the new server as well. Give billing a secret of its own first',
  ],
  [
    'a key in another region',
    existing({ secretKeyArn: 'arn:aws:kms:eu-west-1:111111111111:key/1' }),
    'databases.main.secretKeyArn must be in eu-central-1, got "arn:aws:kms:eu-west-1:111111111111:key/1"',
  ],
  [
    'a secret of another account',
    existing({ secretArn: secretIn('eu-central-1').replace('111111111111', '222222222222') }),
    `databases.main.secretArn must be in account 111111111111, whose functions read it, got "${secretIn('eu-central-1').replace('111111111111', '222222222222')}"`,
  ],
  [
    'one database for both',
    {
      databases: {
        billing: existing({ host: 'DB.example.com' }).databases.main,
        main: existing({}).databases.main,
      },
    },
    'databases.main must be another database than billing: a backup of one would restore over the other, got an object',
  ],
  [
    'a zone named twice',
    { availabilityZones: ['eu-central-1a', 'eu-central-1b', 'eu-central-1a'] },
    'availabilityZones.2 must be another one than those before it, got "eu-central-1a"',
  ],
  [
    'a zone that does not exist',
    { availabilityZones: ['eu-central-1a', 'eu-central-1b', 'eu-central-1-c'] },
    'availabilityZones.2 must be a zone of eu-central-1, such as `eu-central-1a`, got "eu-central-1-c"',
  ],
  ...['db.m7g.large', 'm7g.huge', 'c7g.large', 't2.micro'].map((instanceClass): [string, object, string] => [
    `the class ${instanceClass}`,
    { databases: { billing: { ...database, instanceClass }, main: database } },
    `databases.billing.instanceClass must be an instance class of RDS, without \`db.\`, such as \`m7g.large\`, got "${instanceClass}"`,
  ]),
  [
    'a security group that is a name',
    existing({ securityGroupId: 'database' }),
    'databases.main.securityGroupId must be a security group id such as `sg-0a1b2c3d`, got "database"',
  ],
  [
    'a public range',
    { network: { cidr: '52.0.0.0/16' } },
    'network.cidr must be a private range of /16 to /19, such as `10.40.0.0/16`, got "52.0.0.0/16"',
  ],
  [
    'a range that is too small',
    { network: { cidr: '10.0.0.0/24' } },
    'network.cidr must be a private range of /16 to /19, such as `10.40.0.0/16`, got "10.0.0.0/24"',
  ],
  ['more gateways than zones', { network: { natGateways: 4 } }, 'network.natGateways must be 1–3, got 4'],
  [
    'every address of the internet',
    { databases: { billing: { ...database, admit: { cidrs: ['0.0.0.0/0'] } }, main: database } },
    'databases.billing.admit.cidrs.0 must be a range such as `10.20.0.0/16`, of at least /8, got "0.0.0.0/0"',
  ],
  [
    'a network without subnets for the databases',
    {
      existingNetwork: {
        vpcId: 'vpc-0000000a',
        availabilityZones: ['eu-central-1a', 'eu-central-1b'],
        privateSubnetIds: ['subnet-0000000a', 'subnet-0000000b'],
      },
    },
    'existingNetwork.databaseSubnetIds must name the subnets of the databases that are created, got nothing',
  ],
  [
    'a tag of AWS',
    { tags: { 'aws:x': 'y' } },
    'tags.aws:x must be names and values of tags, without `aws:…` and, in any case, `application`, `environment`, `alarm-owner`, `temporary-for`, got "y"',
  ],
  [
    'a role as boundary',
    { permissionsBoundaryArn: 'arn:aws:iam::111111111111:role/x' },
    'permissionsBoundaryArn must be the ARN of a policy such as `arn:aws:iam::111111111111:policy/boundary`, got "arn:aws:iam::111111111111:role/x"',
  ],
  [
    'fewer subnets than zones',
    {
      ...existing({}, 'both'),
      existingNetwork: {
        vpcId: 'vpc-0000000a',
        availabilityZones: ['eu-central-1a', 'eu-central-1b', 'eu-central-1c'],
        privateSubnetIds: ['subnet-0000000a', 'subnet-0000000b'],
      },
    },
    'existingNetwork.privateSubnetIds must name one subnet for each of 3 zones, got an object',
  ],
  [
    'a rotation without a network',
    existing({ rotation: true }, 'both'),
    'databases.billing.rotation must be false without a network, in which the function would run, got true',
  ],
  [
    'a backup account that is the own one',
    { backupAccount: { account: '111111111111', archiveKeyArn: 'arn:aws:kms:eu-central-1:111111111111:key/1' } },
    'backupAccount.account must be another account than `account`, or it keeps nothing from who takes that over, got "111111111111"',
  ],
  [
    'a key of the backup account in another region',
    { backupAccount: { account: '222222222222', archiveKeyArn: 'arn:aws:kms:eu-west-1:222222222222:key/1' } },
    'backupAccount.archiveKeyArn must be a key of account 222222222222 in eu-central-1, got "arn:aws:kms:eu-west-1:222222222222:key/1"',
  ],
  [
    'a layer of another region',
    { openTelemetry: { layerArns: ['arn:aws:lambda:eu-west-1:111111111111:layer:otel:1'] } },
    'openTelemetry.layerArns.0 must be in eu-central-1, got "arn:aws:lambda:eu-west-1:111111111111:layer:otel:1"',
  ],
  [
    'a layer without its version',
    { openTelemetry: { layerArns: ['arn:aws:lambda:eu-central-1:111111111111:layer:otel'] } },
    'openTelemetry.layerArns.0 must be the ARN of a version of a layer, such as `arn:aws:lambda:eu-central-1:111111111111:layer:otel:1`, got "arn:aws:lambda:eu-central-1:111111111111:layer:otel"',
  ],
  [
    'a key of the receiver of traces in the template',
    {
      openTelemetry: {
        layerArns: ['arn:aws:lambda:eu-central-1:111111111111:layer:otel:1'],
        variables: { OTEL_EXPORTER_OTLP_HEADERS: 'api-key=1' },
      },
    },
    'openTelemetry.variables',
  ],
  [
    'a canary that the firewall would block, in an existing network',
    {
      ...existing({}, 'both'),
      stripe: { livemode: false, webhookAddresses: ['3.18.12.63/32'] },
      existingNetwork: {
        vpcId: 'vpc-0000000a',
        availabilityZones: ['eu-central-1a', 'eu-central-1b'],
        privateSubnetIds: ['subnet-0000000a', 'subnet-0000000b'],
      },
    },
    'existingNetwork.egressAddresses must list the public addresses of the NAT gateways, from which the canary comes, with `stripe.webhookAddresses`, got nothing',
  ],
  [
    'a canary that the firewall would block, without a network',
    { ...existing({}, 'both'), stripe: { livemode: false, webhookAddresses: ['3.18.12.63/32'] } },
    'canary must be false with `stripe.webhookAddresses` where there is no network: it has no fixed address, got nothing',
  ],
  [
    'a security group without a network',
    existing({ securityGroupId: 'sg-0000000a' }, 'both'),
    'databases.billing.securityGroupId must be left out without a network: it has no functions to admit, got "sg-0000000a"',
  ],
])('%s is refused, naming the field and the form', (_, change, problem) => {
  expect(() => defineEnvironment({ ...valid, ...change } as EnvironmentInput)).toThrow(
    `environment \`${typeof change.name === 'string' ? change.name : 'dev'}\`: ${problem}`,
  );
});

test('an error names every problem at once', () => {
  const wrong = { ...valid, account: '1', reconciliation: { hourUtc: -1 } };
  expect(() => defineEnvironment(wrong)).toThrow(/account must be .*; reconciliation\.hourUtc must be 0–23, got -1/);
});

test('the bucket of the copies has a name that S3 accepts, in every second region', () => {
  // The longest names of regions in the partitions of AWS.
  const regions = [
    'ap-southeast-1',
    'ap-northeast-3',
    'us-gov-west-1',
    'us-isob-east-1',
    'eusc-de-east-1',
    'eu-west-1',
  ];
  for (const name of ['dev', 'n'.repeat(14)]) {
    for (const secondRegion of regions) {
      // Whichever partition the environment itself is in.
      const config = { ...defineEnvironment({ ...valid, name }), secondRegion };
      expect(recoveryRegion(config)?.archiveBucketName).toMatch(/^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/);
    }
  }
});

test('the local environment connects to the databases of its options', () => {
  const config = localEnvironment(localOptions());
  expect(config.databases.billing).toMatchObject({ kind: 'existing', host: '127.0.0.1', port: 5433 });
  expect(config.stripe.apiBase).toBe('http://127.0.0.1:12111');
});
