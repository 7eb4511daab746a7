import { GetFunctionConfigurationCommand, InvokeCommand } from '@aws-sdk/client-lambda';
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { DescribeExecutionCommand, SFNClient } from '@aws-sdk/client-sfn';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { mockClient } from 'aws-sdk-client-mock';
import type { RestoreReport } from '../../lambdas/restore/contract';
import type { RegionDrill } from '../../ops/region-loss/drill-record';
import { plantArchive } from '../factories/copied-archive';
import { DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import {
  cloudFormation,
  LAST_DRILL,
  lambda,
  plantCopies,
  pointsAre,
  secrets,
  stacksAre,
  stacksOf,
  startTwoRegions,
  type Copies,
  type TwoRegions,
} from '../factories/second-region';
import { createManifestKey } from '../support/archive-key';
import { createBucket } from '../support/object-store';
import { runOps } from './run-ops';

/** The drill's order, what it leaves and takes back; the restore itself is proven by test/scenarios/region-loss.proof.ts. */
const sfn = mockClient(SFNClient);
const sts = mockClient(STSClient);
const SETTLED = 'CREATE_COMPLETE' as const;
const DEPLOYED = {
  'BillingOps-dev-Recovery': SETTLED,
  'BillingOps-dev2-Data': SETTLED,
  'BillingOps-dev2-Operations': SETTLED,
  'BillingOps-dev2-Monitoring': SETTLED,
};

let regions: TwoRegions;
let there: Copies;
/** Bucket of dev2. */
let successor: string;
/** The secret of dev2: versions by their ids, and the one in use. */
let secret: { values: Record<string, string>; current: string };

beforeAll(() => {
  regions = startTwoRegions();
});
afterAll(() => regions.stop());

const keysOf = async (Bucket: string): Promise<string[]> => {
  const { Contents = [] } = await regions.s3.send(new ListObjectsV2Command({ Bucket }));
  return Contents.map(({ Key = '' }) => Key);
};
const restores = () =>
  lambda.commandCalls(InvokeCommand).map(({ args: [{ input }] }) => ({
    name: input.FunctionName,
    request: JSON.parse(input.Payload as string) as Record<string, string>,
  }));
const restoreAnswers = (report: Partial<RestoreReport> = {}) =>
  lambda.on(InvokeCommand).callsFake(({ Payload }: { Payload: string }) => {
    const { database, archive, targetDatabase } = JSON.parse(Payload) as Record<string, string>;
    const counts = { tables: 1, rows: 1, foreignKeysValidated: 0, sequencesRestored: 0, invariantsChecked: 0 };
    const lists = { migratedForward: [], rolesCreated: [], deviations: [], schemaDifferences: [] };
    const restored: unknown = {
      ...counts,
      ...lists,
      database,
      outcome: 'restored',
      slot: archive,
      archivedAt: archive,
      targetDatabase,
      rowsErased: 2,
      durationMs: 1500,
      kept: false,
      ...report,
    };
    return { Payload: { transformToString: () => JSON.stringify(restored) } };
  });

beforeEach(async () => {
  there = await plantCopies(regions, await createBucket(regions.s3));
  successor = await createBucket(regions.s3);
  sfn.reset();
  sts.on(GetCallerIdentityCommand).resolves({ Arn: 'arn:aws:sts::111111111111:assumed-role/operator/ana' });
  stacksAre(DEPLOYED);
  lambda.on(GetFunctionConfigurationCommand, { FunctionName: 'BillingOps-dev2-restore' }).resolves({
    Environment: { Variables: { ARCHIVE_BUCKET: successor, ERASURE_KEY_SECRET_ARN: 'arn:dev2-erasures' } },
  });
  restoreAnswers();
  secret = { values: { own: '{"key":"own"}' }, current: 'own' };
  secrets
    .on(GetSecretValueCommand)
    .callsFake(({ SecretId }: { SecretId: string }) =>
      SecretId === 'arn:dev2-erasures'
        ? { SecretString: secret.values[secret.current], VersionId: secret.current }
        : { SecretString: '{"key":"of dev"}', VersionId: 'v1' },
    );
  secrets.on(PutSecretValueCommand).callsFake(({ ClientRequestToken: id = '', SecretString: value = '' }) => {
    secret = { values: { ...secret.values, [id]: value }, current: id };
    return {};
  });
  secrets.on(DescribeSecretCommand).callsFake(() => ({ VersionIdsToStages: { [secret.current]: ['AWSCURRENT'] } }));
  secrets.on(UpdateSecretVersionStageCommand).callsFake(({ MoveToVersionId = '' }) => {
    secret.current = MoveToVersionId;
    return {};
  });
});

async function drill(line = '--confirm dev2') {
  const key = line.includes('--abandon') ? [] : ['--public-key', regions.publicKey];
  const argv = ['region-loss', 'drill', '--into', 'dev2', ...key, ...line.split(' ').filter(Boolean)];
  const { status, stdout, stderr } = await runOps([...argv, '--json', '--env', 'dev', '--without-audit']);
  return { status, stderr, record: (stdout === '' ? undefined : JSON.parse(stdout)) as RegionDrill | undefined };
}

/** What the bucket of copies has on record. */
async function onRecord(): Promise<RegionDrill[]> {
  const keys = (await keysOf(there.copies)).filter(
    (each) => each.startsWith('drills/region-loss/') && each !== LAST_DRILL,
  );
  return Promise.all(
    keys.map(async (Key) => {
      const { Body } = await regions.s3.send(new GetObjectCommand({ Bucket: there.copies, Key }));
      return JSON.parse((await Body?.transformToString()) ?? '') as RegionDrill;
    }),
  );
}

test('a drill restores both databases in the second region, times each step, and leaves only its record', async () => {
  const seen: unknown[] = [];
  secrets.on(DescribeSecretCommand).callsFake(async () => {
    // When everything was restored, and before it is taken back.
    seen.push(secret.values[secret.current]);
    return { VersionIdsToStages: { [secret.current]: ['AWSCURRENT'] } };
  });
  const { status, record, stderr } = await drill();
  expect(status).toBe(0);
  expect(record).toMatchObject({
    environment: 'dev',
    into: 'dev2',
    region: 'eu-west-1',
    outcome: 'passed',
    by: '111111111111:assumed-role/operator/ana',
    runs: 1,
    gaps: [],
    made: { bucket: '', prefixes: [], secret: null },
  });
  expect(record?.steps.map(({ step, done }) => `${step} ${done}`)).toEqual(
    ['check', 'deploy', 'key of erasures', 'copy', 'restore billing', 'restore main', 'clean up'].map(
      (s) => `${s} true`,
    ),
  );
  expect(record?.steps[3]?.detail).toMatch(/^7 of 7 objects copied/);
  // An hour of it is not measured by a drill into an environment that was there.
  expect(record?.rto).toMatchObject({ totalMinutes: 101, estimatedMinutes: { deploy: 50 } });
  expect(restores().map(({ name, request }) => [name, request])).toEqual(
    (['billing', 'main'] as const).map((database) => [
      'BillingOps-dev2-restore',
      {
        database,
        archive: there.planted[database].slot,
        manifestSha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
        targetDatabase: expect.stringMatching(new RegExp(`^${database}_region_drill_\\d{14}$`)) as string,
        afterwards: 'drop',
      },
    ]),
  );
  expect([seen, secret.current]).toEqual([['{"key":"of dev"}'], 'own']);
  expect(await keysOf(successor)).toEqual([]);
  expect(await onRecord()).toEqual([record]);
  expect(stderr).toMatch(/^restore billing: 1 rows of .*, verified, 2 erased again, dropped \(/m);
});

test('a drill that was interrupted is continued, and takes back what both runs made', async () => {
  lambda.on(InvokeCommand).rejectsOnce(new Error('connection lost'));
  const first = await drill();
  expect([first.status, first.stderr]).toEqual([4, expect.stringMatching(/connection lost/)]);
  expect((await keysOf(successor)).length).toBe(7);
  expect(secret.values[secret.current]).toBe('{"key":"of dev"}');
  const [left] = await onRecord();
  expect(left).toMatchObject({ outcome: 'running', made: { bucket: successor, secret: { previous: 'own' } } });
  expect(left?.steps.at(-1)).toMatchObject({ step: 'restore billing', done: false });

  restoreAnswers();
  // What was confirmed is not asked again.
  const second = await drill('');
  expect(second.stderr).toMatch(/^Continuing the drill that 111111111111:assumed-role\/operator\/ana began/m);
  expect(second.record).toMatchObject({ outcome: 'passed', runs: 2, startedAt: left?.startedAt });
  expect(second.record?.steps.findLast(({ step }) => step === 'copy')?.detail).toMatch(/^0 of 7 objects copied/);
  expect([await keysOf(successor), secret.current]).toEqual([[], 'own']);
  expect(secrets.commandCalls(PutSecretValueCommand)).toHaveLength(1);
});

test('a drill that is not continued is taken back', async () => {
  lambda.on(InvokeCommand).rejectsOnce(new Error('connection lost'));
  await drill();
  const { status, record } = await drill('--abandon --confirm dev2');
  expect([status, record?.outcome]).toEqual([0, 'abandoned']);
  expect([await keysOf(successor), secret.current]).toEqual([[], 'own']);
  expect(await drill('--abandon --confirm dev2')).toMatchObject({
    status: 3,
    stderr: expect.stringMatching(/No drill into dev2 was/),
  });
});

test('an environment whose key an operator has put there since keeps everything', async () => {
  lambda.on(InvokeCommand).rejectsOnce(new Error('connection lost'));
  await drill();
  secret = { values: { ...secret.values, theirs: '{}' }, current: 'theirs' };
  const copied = await keysOf(successor);
  expect(await drill('')).toMatchObject({ status: 3, stderr: expect.stringMatching(/dev2 is in use since the drill/) });
  const { status, stderr } = await drill('--abandon --confirm dev2');
  expect([status, stderr]).toEqual([3, expect.stringMatching(/dev2 is in use: arn:dev2-erasures has another value/)]);
  expect([secret.current, await keysOf(successor)]).toEqual(['theirs', copied]);
  expect((await onRecord()).map(({ outcome }) => outcome)).toEqual(['abandoned']);
});

test('an environment that has erased somebody since keeps everything', async () => {
  lambda.on(InvokeCommand).rejectsOnce(new Error('connection lost'));
  await drill();
  const Key = 'erasures/20991231T000000000Z-dd.json';
  await regions.s3.send(new PutObjectCommand({ Bucket: successor, Key, Body: '{}' }));
  const { status, stderr } = await drill('--abandon --confirm dev2');
  expect([status, stderr]).toEqual([3, expect.stringContaining(`s3://${successor}/${Key} is an erasure of its own`)]);
  expect(await keysOf(successor)).toHaveLength(8);
});

test('what a drill left is not removed without the typed name', async () => {
  lambda.on(InvokeCommand).rejectsOnce(new Error('connection lost'));
  await drill();
  const { status, stderr } = await drill('--abandon');
  expect([status, stderr]).toEqual([3, expect.stringMatching(/add --confirm dev2/)]);
  expect(await keysOf(successor)).toHaveLength(7);
});

test('a deployment that failed ends the drill, and names the stack', async () => {
  stacksAre({ ...DEPLOYED, 'BillingOps-dev2-Operations': 'ROLLBACK_COMPLETE' });
  const { status, stderr } = await drill();
  expect([status, stderr]).toEqual([
    4,
    expect.stringMatching(/BillingOps-dev2-Operations is ROLLBACK_COMPLETE: npx cdk deploy -c env=dev2 says why/),
  ]);
});

test('nothing is changed without the typed name', async () => {
  const { status, stderr } = await drill('');
  expect([status, stderr]).toEqual([3, expect.stringMatching(/add --confirm dev2/)]);
  expect([await keysOf(successor), secret.current, restores(), await onRecord()]).toEqual([[], 'own', [], []]);
});

test.each([
  ['a ledger', 'erasures/20260101T000000000Z-cc.json'],
  ['the archive itself', () => there.planted.main.manifest],
])('an environment that has %s of its own is refused, and keeps it', async (_what, key) => {
  const Key = typeof key === 'string' ? key : key();
  await regions.s3.send(new PutObjectCommand({ Bucket: successor, Key, Body: '{}' }));
  const { status, stderr } = await drill();
  expect([status, stderr]).toEqual([3, expect.stringContaining(`dev2 has s3://${successor}/${Key}`)]);
  expect([await keysOf(successor), secret.current]).toEqual([[Key], 'own']);
});

test('a gap that no restore needs does not stop the drill, and is its outcome', async () => {
  pointsAre([]);
  const { status, record } = await drill();
  expect([status, record?.outcome]).toEqual([1, 'gaps']);
  expect(record?.gaps.map(({ check }) => check)).toEqual(['recovery point of billing', 'recovery point of main']);
  expect(restores()).toHaveLength(2);
});

test('an archive that this environment did not sign is restored nowhere', async () => {
  await plantArchive(regions.s3, there.copies, 'main', new Date(Date.now() - 60_000), createManifestKey());
  const { status, stderr } = await drill();
  expect([status, stderr]).toEqual([3, expect.stringMatching(/Nothing can be restored: signature of main/)]);
  expect([await keysOf(successor), restores()]).toEqual([[], []]);
});

test('an archive that a workflow restores is waited for, and timed by it', async () => {
  restoreAnswers({ outcome: 'started', execution: 'arn:execution', rows: 0, rowsErased: 0 });
  sfn.on(DescribeExecutionCommand, { executionArn: 'arn:execution' }).resolves({
    status: 'SUCCEEDED',
    output: JSON.stringify({ tables: 3, rows: 70, rowsErased: 5, deviations: [], schemaDifferences: [], slot: 's' }),
    startDate: new Date('2026-11-30T00:00:00Z'),
    stopDate: new Date('2026-11-30T02:00:00Z'),
  });
  const { record } = await drill();
  expect(record?.restored.map(({ rows, rowsErased, durationMs }) => [rows, rowsErased, durationMs])).toEqual([
    [70, 5, 7_200_000],
    [70, 5, 7_200_000],
  ]);
});

test('a drill whose environment is not deployed prints the command, and continues when it is', async () => {
  let looks = 0;
  cloudFormation.on(DescribeStacksCommand).callsFake(async ({ StackName }: { StackName?: string }) => {
    // The check asks for one stack.
    if (StackName === undefined) looks += 1;
    return stacksOf(looks > 1 ? DEPLOYED : { 'BillingOps-dev-Recovery': SETTLED });
  });
  const { status, stderr, record } = await drill();
  expect(stderr).toMatch(/npx cdk deploy -c env=dev2 --all\nWaiting: BillingOps-dev2-Data is not there/);
  expect([status, record?.gaps, record?.steps[1]?.detail]).toEqual([0, [], 'deployed in eu-west-1']);
  expect(record?.rto?.estimatedMinutes).not.toHaveProperty('deploy');
});

test.each([
  ['region-loss drill --into dev', 2, /expected the environment in the second region/],
  ['region-loss drill --into dev2', 2, /--public-key is missing/],
])('"%s" is refused', async (line, status, message) => {
  const key = line.endsWith('dev2') ? [] : ['--public-key', regions.publicKey];
  const refused = await runOps([...line.split(' '), ...key, '--env', 'dev', '--without-audit']);
  expect([refused.status, refused.stderr]).toEqual([status, expect.stringMatching(message)]);
});
