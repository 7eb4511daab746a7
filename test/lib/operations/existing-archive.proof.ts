import type { ExistingInstance } from '../../../lib/data/existing-instance';
import { largeArchiveDefinition } from '../../../lib/operations/recovery/large-archive-states';
import { MINUTE } from '../../support/states/clock';
import { described } from '../../support/states/existing-world';
import type { Definition, JsonObject } from '../../../local/states/definition';
import { type Execution, type ExecutionOptions, waysOut } from '../../../local/states/interpreter';
import { ArchiveWorld } from '../../support/states/archive-world';
import { membersOf } from '../../support/states/simulated-rds';

const ID = 'acme-main';
const SETTINGS: ExistingInstance = {
  kind: 'existing',
  instanceIdentifier: ID,
  port: 5432,
  subnetGroupName: 'acme-private',
  parameterGroupName: 'acme-postgres17',
  optionGroupName: 'acme-options',
  securityGroupIds: ['sg-0000000a'],
  keys: [],
  instanceClass: 'db.m7g.large',
  multiAz: true,
  removalProtection: true,
};
const definitionOf = (instanceClass?: string) =>
  largeArchiveDefinition({
    environmentName: 'production',
    database: 'main',
    purpose: 'archive',
    settings: SETTINGS,
    instanceClass,
    resetPasswordFunctionArn: 'arn:of:BillingOps-production-reset-password',
    backupFunctionArn: 'arn:of:BillingOps-production-backup',
    expiryArn: 'arn:of:expiry',
    targetMinutes: 240,
    runbookUrl: 'https://runbook',
    concurrentParts: 4,
  }) as unknown as Definition;
const DEFINITION = definitionOf();
const INPUT = {
  slot: '2026-11-21T06:00:00Z',
  snapshotArn: 'arn:aws:rds:eu-central-1:333333333333:snapshot:awsbackup:job-1',
  takenAt: '2026-11-21T00:04:00Z',
};

const left = new Set<string>();
const inUse = (changed: JsonObject = {}) => new ArchiveWorld(ID, { ...described('main'), ...changed });

async function run(world: ArchiveWorld, options: Partial<ExecutionOptions> = {}): Promise<Execution> {
  const execution = await world.archive(DEFINITION, INPUT, options);
  for (const way of execution.left) left.add(way);
  return execution;
}

const restoring = ({ rds }: ArchiveWorld) => rds.calls.filter(({ action }) => action.startsWith('restore'));
const restoredAs = (world: ArchiveWorld) => restoring(world)[0]?.arguments;
const published = ({ steps }: ArchiveWorld) => steps.some(({ step }) => step === 'publish');

/** What the copy of the instance has, whatever the one in use is like. */
const OWN = {
  DbSnapshotIdentifier: INPUT.snapshotArn,
  DbInstanceIdentifier: expect.stringMatching(`^${ID}-archive-[0-9a-f]{8}$`) as string,
  DbSubnetGroupName: 'acme-private',
  DbParameterGroupName: 'acme-postgres17',
  OptionGroupName: 'acme-options',
  Port: 5432,
  MultiAZ: false,
  DeletionProtection: false,
  EnableIAMDatabaseAuthentication: false,
  CopyTagsToSnapshot: false,
  AutoMinorVersionUpgrade: false,
  DedicatedLogVolume: false,
  StorageType: 'gp3',
  Tags: [
    { Key: 'application', Value: 'billing-operations' },
    { Key: 'environment', Value: 'production' },
    { Key: 'database', Value: 'main' },
    { Key: 'temporary-for', Value: 'archive' },
    { Key: 'made-by', Value: 'execution' },
  ],
};

test('an existing instance is archived from a copy with its class, network and security groups, which is removed', async () => {
  // Of a disk with IOPS and a volume for the log, which gp3 does not take, and with a public address, which nothing that reads it needs.
  const world = inUse({ StorageType: 'io2', Iops: 5000, DedicatedLogVolume: true, PubliclyAccessible: true });
  expect(await run(world)).toMatchObject({ status: 'SUCCEEDED', output: { outcome: 'created' } });
  expect(restoredAs(world)).toEqual({
    ...OWN,
    DbInstanceClass: 'db.r7g.xlarge',
    EngineLifecycleSupport: 'open-source-rds-extended-support-disabled',
    NetworkType: 'DUAL',
    VpcSecurityGroupIds: ['sg-0000000a', 'sg-0000000b'],
    PubliclyAccessible: false,
    CaCertificateIdentifier: 'rds-ca-ecc384-g1',
  });
  expect(world.steps.map(({ step }) => step)).toEqual(['plan', 'part', 'part', 'part', 'publish']);
  expect(world.rds.identifiers).toEqual([ID]);
});

test('one that is gone since the backup began is archived with the settings of its file', async () => {
  const world = inUse();
  world.rds.delete(ID, { keepBackups: true });
  expect(await run(world)).toMatchObject({ status: 'SUCCEEDED' });
  expect(restoredAs(world)).toEqual({
    ...OWN,
    DbInstanceClass: 'db.m7g.large',
    VpcSecurityGroupIds: ['sg-0000000a'],
    PubliclyAccessible: false,
  });
  expect(world.rds.identifiers).toEqual([]);
});

test('the copy has the class that is configured for archives, where one is', async () => {
  const world = inUse();
  expect(await world.archive(definitionOf('db.m7g.4xlarge'), INPUT)).toMatchObject({ status: 'SUCCEEDED' });
  expect(restoredAs(world)).toMatchObject({ DbInstanceClass: 'db.m7g.4xlarge' });
});

test('the password of the copy is set only where the secret is that of the master user', async () => {
  const world = inUse();
  expect(await run(world)).toMatchObject({ status: 'SUCCEEDED' });
  expect(world.passwordsSet).toEqual([world.recovered]);
  const other = inUse();
  other.secretUsername = 'application';
  expect(await run(other)).toMatchObject({ status: 'SUCCEEDED' });
  expect(other.passwordsSet).toEqual([]);
});

test.each<[string, JsonObject, number, RegExp]>([
  [
    'is in a cluster',
    { Engine: 'aurora-postgresql', DbClusterIdentifier: 'acme' },
    5432,
    /is aurora-postgresql in a cluster: .*Take databases\.main\.recovery out/,
  ],
  ['listens on another port', {}, 6432, /correct databases\.main\.port and deploy/],
])('one that %s is refused before anything is made', async (_, changed, port, cause) => {
  const world = inUse(changed);
  world.rds.find(ID).port = port;
  const execution = await run(world);
  expect(execution).toMatchObject({ status: 'FAILED', error: 'RequestRefused' });
  expect(execution.cause).toMatch(cause);
  expect(execution.cause).toContain('Safe: Nothing was made');
  expect([restoring(world), world.reminders]).toEqual([[], []]);
});

test('a class or group that RDS refuses is reported with the setting to correct', async () => {
  const world = inUse();
  world.rds.exhaustedClass = 'db.r7g.xlarge';
  const execution = await run(world);
  expect(execution).toMatchObject({ error: 'Rds.InsufficientDbInstanceCapacityException' });
  expect(execution.cause).toContain('correct databases.main.recovery and deploy');
});

/** Those that remove the copy, and those that say what is left. */
const REMOVING =
  /removed|Remove|remove|Explain|Look at one instance|Look at what exists|Was an instance made|Delete what was made|Fail/;

test('whatever state fails for good, nothing incomplete is published and the copy is removed', async () => {
  const undisturbed = await run(inUse());
  const states = [...new Set(undisturbed.states)].filter((name) => !REMOVING.test(name));
  expect(states.length).toBeGreaterThan(15);
  for (const name of states) {
    const world = inUse();
    const { status } = await run(world, { failAt: (state) => (state === name ? 'Aws.Refused' : undefined) });
    world.clock.advance(10 * MINUTE);
    expect([name, published(world)]).toEqual([name, status === 'SUCCEEDED']);
    expect([name, world.rds.identifiers]).toEqual([name, [ID]]);
  }
});

test('an execution that is stopped in any state has published nothing or everything, and its expiry knows the copy', async () => {
  for (const name of [...Object.keys(DEFINITION.States), 'Copy one part']) {
    const world = inUse();
    await run(world, { abortAt: (state) => state === name });
    const parts = world.steps.filter(({ step }) => step === 'part').length;
    if (published(world)) expect([name, parts]).toEqual([name, world.parts.length]);
    const [copy] = world.rds.identifiers.filter((one) => one !== ID);
    if (copy !== undefined) expect([name, world.reminders]).toMatchObject([name, [{ Input: { instance: copy } }]]);
  }
});

test('every way out of the states that read the instance was taken', () => {
  const own = /^(Look at the settings of the instance|Check the instance in use)/;
  const ways = waysOut(DEFINITION).filter((way) => own.test(way) && !way.endsWith('States.DataLimitExceeded'));
  expect(ways.length).toBeGreaterThan(5);
  expect(ways.filter((way) => !left.has(way))).toEqual([]);
});

test('it reads of RDS what its API has', () => {
  const read = [...JSON.stringify(DEFINITION).matchAll(/\$i\.(\w+)/g)].map(([, name]) => name ?? '');
  expect(read).toHaveLength(8);
  expect(read.filter((name) => !membersOf('DBInstance').includes(name))).toEqual([]);
});
