import { checkEnvironment } from '../../../lib/config/environment-schema';
import { adoptingEnvironment, BITCOIN } from '../../support/example-environments';

const ACCOUNT = '111111111111';
const REGION = 'eu-central-1';
const HOST = 'acme-main.abc123.eu-central-1.rds.amazonaws.com';
const secret = (region = REGION, account = ACCOUNT, partition = 'aws') =>
  `arn:${partition}:secretsmanager:${region}:${account}:secret:main-AbCdEf`;
const roleOf = (account: string) => `arn:aws:iam::${account}:role/break-glass`;
const created = {
  kind: 'create',
  instanceClass: 't4g.medium',
  allocatedStorageGiB: 20,
  maximumStorageGiB: 50,
  multiAz: false,
};
const existing = {
  kind: 'existing',
  host: HOST,
  port: 5432,
  databaseName: 'shop',
  secretArn: secret(),
  allocatedStorageGiB: 30,
  instanceIdentifier: 'acme-main',
};
const zonesOf = (region: string) => ['a', 'b', 'c'].map((zone) => region + zone);

/** What an environment is refused for whose settings differ from right ones. */
function problemsOf(change: object): string[] {
  const result = checkEnvironment({
    name: 'dev',
    account: ACCOUNT,
    region: REGION,
    allowedRegions: [REGION, 'eu-west-1'],
    availabilityZones: zonesOf(REGION),
    removalProtection: false,
    logLevel: 'INFO',
    stripe: { livemode: true },
    runbookUrl: 'https://example.com/runbook',
    databases: { billing: created, main: created },
    ...change,
  });
  return 'problems' in result ? result.problems.map(({ text }) => text) : [];
}

const main = (change: object) => ({ databases: { billing: created, main: { ...existing, ...change } } });
const billing = (change: object) => ({ databases: { billing: { ...created, ...change }, main: created } });
const bitcoin = (change: object) => ({ bitcoin: { ...BITCOIN, secretArn: secret(), ...change } });
const stripe = (change: object) => ({ stripe: { livemode: true, ...change } });
const erasure = (...columns: object[]) => ({
  erasure: { main: columns.map((each) => ({ schema: 'app', table: 'messages', column: 'body', ...each })) },
});
const traces = (variables: object) => ({
  openTelemetry: { layerArns: [`arn:aws:lambda:${REGION}:${ACCOUNT}:layer:otel:1`], variables },
});

test.each<[string, object]>([
  ['created databases', {}],
  ['a main database that exists', main({ managed: 'elsewhere' })],
  ['a host that another database is an alias of', main({ host: 'db.example.com' })],
  [
    'the secret of a master user that RDS manages',
    main({ secretArn: secret().replace('main', 'rds!db-0f8e9c2a-0000') }),
  ],
  ['the name of a host in capitals', main({ host: HOST.toUpperCase() })],
  ['ordinary tags', { tags: { 'cost-center': '4711', Team: 'payments / EU' } }],
  ['a stand-in of Stripe without TLS', { stripe: { livemode: false, apiBase: 'http://stripe.internal:12111' } }],
  [
    'a column that is erased with either of two people',
    erasure({ userColumn: 'sender', treatment: 'drop' }, { userColumn: 'receiver', treatment: 'drop' }),
  ],
  ['the largest class of a family', billing({ instanceClass: 'm6i.32xlarge' })],
  ['the smallest burstable class', billing({ instanceClass: 't4g.micro' })],
])('%s are accepted', (_, change) => {
  expect(problemsOf(change)).toEqual([]);
});

const TAG = 'must be names and values of tags, without `aws:…` and, in any case, `application`, `environment`';

test.each<[string, object, string]>([
  ['a tag that IAM takes for one of ours', { tags: { Environment: 'prod' } }, `tags.Environment ${TAG}`],
  ['the tag by which workflows delete instances', { tags: { 'temporary-for': 'rows' } }, `tags.temporary-for ${TAG}`],
  [
    'two tags that differ in case',
    { tags: { Team: 'a', team: 'b' } },
    'tags must have no two names that differ in case',
  ],
  ['a value of a tag that S3 refuses', { tags: { Team: 'R&D' } }, 'tags.Team must be text of 1–256 letters'],
  [
    'an empty value of a tag, which a stack may not have',
    { tags: { Team: '' } },
    'tags.Team must be text of 1–256 letters',
  ],
  [
    'more tags than AWS takes',
    { tags: Object.fromEntries([...Array(41).keys()].map((n) => [`tag-${n}`, 'x'])) },
    'tags must be at most 40 tags',
  ],
  ['an address that is none', { network: { cidr: '10.999.0.0/16' } }, 'network.cidr must be a range of addresses'],
  [
    'a network that would be made elsewhere',
    { network: { cidr: '10.40.16.0/19' } },
    'network.cidr must begin where the range does: `10.40.0.0/19`, or, of a network that is deployed, `10.40.32.0/19`',
  ],
  [
    'a network where none is created',
    {
      network: { natGateways: 3 },
      databases: {
        billing: { ...existing, host: 'b.example.com', instanceIdentifier: undefined, databaseName: 'billing' },
        main: existing,
      },
    },
    'network must be left out where no database is created',
  ],
  [
    'a range that is admitted twice',
    billing({ admit: { cidrs: ['10.1.0.0/16', '10.1.0.0/16'] } }),
    'databases.billing.admit.cidrs.1 must be another one than those before it, got "10.1.0.0/16"',
  ],
  [
    'more ranges than a security group takes',
    billing({ admit: { cidrs: [...Array(26).keys()].map((n) => `10.${n}.0.0/16`) } }),
    'databases.billing.admit must be at most 25 groups and ranges together',
  ],
  [
    'one person at two places',
    { alarmEmails: { critical: ['a@example.com', 'a@example.com'] } },
    'alarmEmails.critical.1 must be another one than those before it',
  ],
  [
    'every address as those of Stripe',
    stripe({ webhookAddresses: ['0.0.0.0/0'] }),
    'stripe.webhookAddresses.0 must be a range such as `3.18.12.63/32`, of at least /8',
  ],
  [
    'a live key that is sent in plaintext',
    stripe({ apiBase: 'http://api.stripe.com' }),
    'stripe.apiBase must begin with `https://` where events are live',
  ],
  [
    'a path that is not asked',
    stripe({ apiBase: 'https://api.stripe.com/v1' }),
    'stripe.apiBase must be a URL such as',
  ],
  ['another protocol', stripe({ apiBase: 'ftp://api.stripe.com' }), 'stripe.apiBase must be a URL such as'],
  ['an app of spaces', stripe({ defaultAppId: ' ' }), 'stripe.defaultAppId must be the id of an app'],
  ...['t4g.16xlarge', 'm7g.small', 'm7g.3xlarge'].map((instanceClass): [string, object, string] => [
    `the size of ${instanceClass}`,
    billing({ instanceClass }),
    'databases.billing.instanceClass must be an instance class of RDS',
  ]),
  ['people by name alone', billing({ people: ['ann'] }), 'databases.billing.people.0 must be a group of settings'],
  [
    'copies in another partition',
    { allowedRegions: [REGION, 'cn-north-1'], secondRegion: 'cn-north-1' },
    'secondRegion must be in the partition of eu-central-1',
  ],
  [
    'an ARN of another partition',
    main({ secretArn: secret(REGION, ACCOUNT, 'aws-us-gov') }),
    'databases.main.secretArn must begin with `arn:aws:`, as ARNs of eu-central-1 do',
  ],
  [
    'a boundary of another account',
    { permissionsBoundaryArn: 'arn:aws:iam::222222222222:policy/boundary' },
    'permissionsBoundaryArn must be a policy of account 111111111111, or of AWS',
  ],
  [
    'a role of another account',
    { breakGlassRoleArn: roleOf('222222222222') },
    'breakGlassRoleArn must be a role of account 111111111111',
  ],
  [
    "a node's secret in another region",
    bitcoin({ secretArn: secret('us-east-1') }),
    'bitcoin.secretArn must be in eu-central-1',
  ],
  [
    "a node's secret of another account",
    bitcoin({ secretArn: secret(REGION, '222222222222') }),
    'bitcoin.secretArn must be in account 111111111111, whose functions read it',
  ],
  [
    "the key of a node's secret in another region",
    bitcoin({ secretKeyArn: `arn:aws:kms:us-east-1:${ACCOUNT}:key/1` }),
    'bitcoin.secretKeyArn must be in eu-central-1',
  ],
  ['a node without a URL', bitcoin({ nodeUrl: 'node' }), 'bitcoin.nodeUrl must be a URL such as'],
  ['no port', bitcoin({ nodeUrl: 'https://node.example.com:0' }), 'bitcoin.nodeUrl must name a port of 1–65535'],
  [
    'the secret of another account to move with',
    billing({ move: { host: 'new.example.com', secretArn: secret(REGION, '222222222222') } }),
    'databases.billing.move.secretArn must be in account 111111111111',
  ],
  [
    'a move to where the database is',
    {
      databases: {
        billing: { ...existing, move: { host: HOST, databaseName: 'shop', secretArn: secret() } },
        main: created,
      },
    },
    'databases.billing.move.host must be another server than that of the database',
  ],
  [
    'a database where its data may not be',
    main({ host: HOST.replace(REGION, 'us-east-1') }),
    'databases.main.host must be in one of eu-central-1, eu-west-1, where this data may stay',
  ],
  [
    'another instance than that of the host',
    main({ instanceIdentifier: 'acme-mian' }),
    'databases.main.instanceIdentifier must be acme-main, the instance that `host` names',
  ],
  [
    'recovery points of an instance without a name',
    main({ instanceIdentifier: undefined, recoveryPoints: 'elsewhere' }),
    'databases.main.instanceIdentifier must name the instance whose recovery points every backup checks',
  ],
  [
    'a password of the receiver of traces',
    traces({ OTEL_EXPORTER_OTLP_ENDPOINT: 'https://user:secret@example.com' }),
    'openTelemetry.variables.OTEL_EXPORTER_OTLP_ENDPOINT must hold no password: everybody reads it, got "https://…@example.com"',
  ],
  [
    'a column that is erased in two ways',
    erasure({ userColumn: 'sender', treatment: 'drop' }, { userColumn: 'sender', treatment: 'blank' }),
    'erasure.main must name each column once',
  ],
  [
    'a misspelt setting',
    billing({ multiAZ: true }),
    'databases.billing: unknown setting multiAZ (did you mean multiAz?)',
  ],
])('%s is refused, naming the field and the form', (_, change, problem) => {
  expect(problemsOf(change)).toEqual([expect.stringContaining(problem)]);
});

test('a misspelt setting in a list, of a kind of database and at the top is told from one that is like no other', () => {
  const misspelt = (settings: object) => problemsOf(settings).map((text) => text.replace(/.*unknown setting /, ''));
  expect(misspelt({ reconcilation: {} })).toEqual(['reconcilation (did you mean reconciliation?)']);
  expect(misspelt(main({ databasename: 'shop' }))).toEqual(['databasename (did you mean databaseName?)']);
  expect(misspelt(billing({ people: [{ user: 'ann', access: 'readonly', acess: 'x' }] }))).toEqual([
    'acess (did you mean access?)',
  ]);
  expect(misspelt({ slackChannel: 'alerts' })).toEqual(['slackChannel']);
});

test('settings in China are right with the ARNs and the hosts of its partition', () => {
  const region = 'cn-north-1';
  const host = 'acme-main.abc123.rds.cn-north-1.amazonaws.com.cn';
  const china = (change: object) => ({
    region,
    allowedRegions: [region],
    availabilityZones: zonesOf(region),
    ...main({ host, secretArn: secret(region, ACCOUNT, 'aws-cn'), ...change }),
  });
  expect(problemsOf(china({}))).toEqual([]);
  expect(problemsOf(china({ instanceIdentifier: 'other' }))).toEqual([expect.stringContaining('must be acme-main')]);
  expect(problemsOf(china({ secretArn: secret(region) }))).toEqual([expect.stringContaining('`arn:aws-cn:`')]);
});

test('settings that are complete already are as right as those of a file', () => {
  expect(checkEnvironment(adoptingEnvironment())).toEqual({ config: adoptingEnvironment() });
});
