import { checkEnvironment } from '../../../lib/config/environment-schema';
import { largeArchiveNotes } from '../../../lib/config/recovery-checks';

const ACCOUNT = '111111111111';
const secret = (name: string) => `arn:aws:secretsmanager:eu-central-1:${ACCOUNT}:secret:${name}-AbCdEf`;
const recovery = {
  subnetGroupName: 'private',
  parameterGroupName: 'postgres17',
  instanceClass: 'm7g.large',
  multiAz: true,
  securityGroupIds: ['sg-0000000a'],
};

/** An environment of existing databases, of which that of `main` differs. */
function checked(main: object, billing: object = {}, more: object = {}) {
  const existing = (name: string) => ({
    kind: 'existing',
    host: `${name}.example.com`,
    port: 5432,
    databaseName: name,
    secretArn: secret(name),
    allocatedStorageGiB: 20,
    instanceIdentifier: name,
  });
  return checkEnvironment({
    name: 'dev',
    account: ACCOUNT,
    region: 'eu-central-1',
    allowedRegions: ['eu-central-1'],
    removalProtection: false,
    logLevel: 'INFO',
    stripe: { livemode: false },
    runbookUrl: 'https://example.com/runbook',
    databases: { billing: { ...existing('billing'), ...billing }, main: { ...existing('main'), recovery, ...main } },
    ...more,
  });
}
const problemsOf = (...given: Parameters<typeof checked>) => {
  const result = checked(...given);
  return 'problems' in result ? result.problems.map(({ text }) => text) : [];
};

test('an existing instance with all that its recovery has to know is accepted', () => {
  expect(problemsOf({})).toEqual([]);
  expect(problemsOf({ instanceIdentifier: 'm'.repeat(44) })).toEqual([]);
});

test.each<[string, object, string]>([
  [
    'no instance',
    { instanceIdentifier: undefined },
    'databases.main.instanceIdentifier must name the instance that `recovery` recovers, got nothing',
  ],
  [
    'an identifier that leaves no room for the names of a recovery',
    { instanceIdentifier: 'm'.repeat(45) },
    `databases.main.instanceIdentifier must have at most 44 characters with \`recovery\`, which adds to it, got "${'m'.repeat(45)}"`,
  ],
  [
    'an instance that holds the other database too',
    { instanceIdentifier: 'billing' },
    'databases.main.recovery must be left out where one instance holds both databases: its recovery would replace the other as well, got an object',
  ],
  [
    'no security group',
    { recovery: { ...recovery, securityGroupIds: undefined } },
    'databases.main.recovery.securityGroupIds must name the security groups of the instance, without `securityGroupId`, got nothing',
  ],
  [
    'a key of another account',
    { recovery: { ...recovery, keyArns: ['arn:aws:kms:eu-central-1:222222222222:key/1'] } },
    'databases.main.recovery.keyArns.0 must be a key of account 111111111111 in eu-central-1, got "arn:aws:kms:eu-central-1:222222222222:key/1"',
  ],
  [
    'a role of another account',
    { recovery: { ...recovery, monitoringRoleArn: 'arn:aws:iam::222222222222:role/monitoring' } },
    'databases.main.recovery.monitoringRoleArn must be a role of account 111111111111, got "arn:aws:iam::222222222222:role/monitoring"',
  ],
  [
    'a wildcard for a group, which its role would be allowed',
    { recovery: { ...recovery, parameterGroupName: '*' } },
    'databases.main.recovery.parameterGroupName must be the name of a parameter group, such as `postgres17`, got "*"',
  ],
  [
    'a class of another form',
    { recovery: { ...recovery, instanceClass: 'db.m7g.large' } },
    'databases.main.recovery.instanceClass must be an instance class of RDS, without `db.`, such as `m7g.large`, got "db.m7g.large"',
  ],
  [
    'only a flag',
    { recovery: true },
    'databases.main.recovery must say at least `subnetGroupName`, `parameterGroupName`, `instanceClass` and `multiAz`, got true',
  ],
])('the recovery of an existing instance with %s is refused, naming the field and the fix', (_, change, problem) => {
  expect(problemsOf(change)).toEqual([problem]);
});

test('a disk that can hold more than one call archives, of an instance without `recovery`, is told at synthesis', () => {
  const notesOf = (...given: Parameters<typeof checked>) => {
    const result = checked(...given);
    if ('problems' in result) throw new Error(result.problems.map(({ text }) => text).join());
    return largeArchiveNotes(result.config);
  };
  const large = { allocatedStorageGiB: 500 };
  expect(notesOf(large, large)).toEqual([
    'Once billing has more than 40 GiB, RDS exports it as Parquet, from which nothing is restored: set databases.billing.recovery (docs/deploy.md#archive-an-existing-instance-in-parts)',
  ]);
  expect(notesOf({}, { ...large, instanceIdentifier: undefined })).toEqual([
    expect.stringMatching(/it is not archived: only an instance of RDS is archived in parts/),
  ]);
  expect([notesOf(large), notesOf(large, large, { largeArchives: { method: 'rds-export' } })]).toEqual([[], []]);
});
