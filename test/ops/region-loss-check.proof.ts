import { ListRecoveryPointsByBackupVaultCommand } from '@aws-sdk/client-backup';
import { DescribeKeyCommand, type KMSClient } from '@aws-sdk/client-kms';
import { GetFunctionConfigurationCommand } from '@aws-sdk/client-lambda';
import { CreateBucketCommand, DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { ListSecretsCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { BACKUP_POLICIES } from '../../lib/config/policies';
import type { EnvironmentConfig } from '../../lib/config/environment-schema';
import { recoveryRegion } from '../../lib/data/recovery-region';
import type { Finding } from '../../ops/doctor/finding';
import { ARCHIVE_HOURS, type RegionLossReport } from '../../ops/region-loss/check';
import { recordKey } from '../../ops/region-loss/drill-record';
import { plantArchive } from '../factories/copied-archive';
import {
  ago,
  backup,
  CLOCKS,
  cloudFormation,
  concurrencyIs,
  type Copies,
  drillOf,
  entry,
  instancesAre,
  kms,
  lambda,
  LAST_DRILL,
  plantCopies,
  point,
  pointsAre,
  rds,
  SECRETS,
  secrets,
  secretsAre,
  stacksAre,
  startTwoRegions,
  type TwoRegions,
} from '../factories/second-region';
import { createManifestKey } from '../support/archive-key';
import { deleteAll } from '../support/object-store';
import { runOps } from './run-ops';

const HOUR_MS = 3_600_000;
/** Digits of an account that no other run has. */
const ACCOUNT = String(Date.now()).slice(-12).padStart(12, '1');
const copies =
  recoveryRegion({ name: 'dev', account: ACCOUNT, secondRegion: 'eu-west-1' } as EnvironmentConfig)
    ?.archiveBucketName ?? '';

let regions: TwoRegions;
let planted: Copies['planted'];
let first: string;

beforeAll(async () => {
  regions = startTwoRegions();
  await regions.s3.send(new CreateBucketCommand({ Bucket: copies }));
});
afterAll(() => regions.stop());
beforeEach(async () => {
  ({ planted, first } = await plantCopies(regions, copies));
});
afterEach(() => deleteAll(regions.s3, copies));

async function check(line = `--public-key ${regions.publicKey}`) {
  const argv = ['region-loss', 'check', ...line.split(' ').filter(Boolean), '--json', '--env', 'dev'];
  const { status, stdout, stderr } = await runOps(argv);
  const report = (stdout === '' ? { findings: [] } : JSON.parse(stdout)) as RegionLossReport;
  return { status, stderr, report, wrong: report.findings.filter(({ state }) => state === 'wrong') };
}

test('a second region with everything a recovery needs is good, with the age of each database there', async () => {
  const { status, report, wrong } = await check();
  expect([status, wrong]).toEqual([0, []]);
  expect(report.findings.map(({ check: name, state }) => `${name}: ${state}`)).toEqual([
    'stack of the copies: good',
    'keys: good',
    'archive of billing: good',
    'signature of billing: good',
    'recovery point of billing: good',
    'archive of main: good',
    'signature of main: good',
    'recovery point of main: good',
    'ledger of erasures: good',
    ...['ErasureKeySecret', 'ApiKeySecret', 'StripeSecretsApi', 'StripeSecretsSigning'].map((n) => `secret ${n}: good`),
    'configuration: good',
    'concurrency of Lambda: good',
    'instances of RDS: good',
    'drill: good',
  ]);
  expect(report).toMatchObject({ environment: 'dev', region: 'eu-west-1', bucket: copies });
  const [billing, main] = report.rpo;
  expect(billing).toMatchObject({ database: 'billing', promisedSeconds: 6 * 3600 });
  for (const [of, hours] of [
    [billing, 2],
    [main, 3],
  ] as const) {
    expect(Math.abs((of?.seconds ?? 0) - hours * 3600)).toBeLessThan(60);
    expect(Math.abs(Date.parse(of?.recoveryPoint ?? '') - ago(4).getTime())).toBeLessThan(60_000);
  }
  // Everything but the two comparisons is asked in the second region.
  for (const mock of [cloudFormation, kms, backup, rds] as const) {
    const asked = (mock as typeof kms).calls().map(({ thisValue }) => (thisValue as KMSClient).config.region());
    expect(new Set(await Promise.all(asked))).toEqual(new Set(['eu-west-1']));
  }
});

type Gap = [what: string, plant: () => unknown, check: string, detail: RegExp, fix: RegExp];
const put = (Key: string, Body: string) => regions.s3.send(new PutObjectCommand({ Bucket: copies, Key, Body }));
const remove = (Key: string) => regions.s3.send(new DeleteObjectCommand({ Bucket: copies, Key }));
const GAPS: Gap[] = [
  [
    'a stack that failed',
    () => stacksAre({ 'BillingOps-dev-Recovery': 'ROLLBACK_COMPLETE' }),
    'stack of the copies',
    /ROLLBACK_COMPLETE/,
    /cdk deploy/,
  ],
  [
    'a key that is to be deleted',
    () => kms.on(DescribeKeyCommand).resolves({ KeyMetadata: { KeyId: 'key-1', KeyState: 'PendingDeletion' } }),
    'keys',
    /^key-1 \(key-1\) is PendingDeletion$/,
    /cancel-key-deletion --region eu-west-1 --key-id key-1/,
  ],
  [
    'an archive that lacks a part',
    () => remove(planted.billing.part),
    'archive of billing',
    /none is whole; newer: \d{8}T\d{6}Z lacks 1 of 1 objects, such as archives\/billing\//,
    /runbook.md#archive-copies/,
  ],
  ['no archive', () => remove(planted.main.manifest), 'archive of main', /has no manifest yet/, /archive-copies/],
  [
    'an archive by another key',
    async () => plantArchive(regions.s3, copies, 'main', ago(1), createManifestKey()),
    'signature of main',
    /is invalid$/,
    /archive-not-authentic/,
  ],
  ['a missing signature', () => remove(planted.main.signature), 'signature of main', /is missing$/, /public key/],
  ['no recovery point', () => pointsAre([]), 'recovery point of main', /has none/, /recovery-points-stale/],
  [
    'an old recovery point',
    () => pointsAre([point(ago(33))]),
    'recovery point of main',
    /\(33 h ago\), of 1$/,
    /^older than 32 h/,
  ],
  [
    'a recovery point under a key of the first region',
    () => pointsAre([point(ago(1), 'eu-central-1')]),
    'recovery point of billing',
    /under a key of eu-central-1$/,
    /recovery-points-stale/,
  ],
  [
    'a person who was erased two hours ago, in the first ledger alone',
    async () => {
      const Key = 'erasures/20261101T010000000Z-bb.json';
      await regions.s3.send(new PutObjectCommand({ Bucket: first, Key, Body: '{}' }));
      // Of the clock alone: the commands wait for a server.
      jest.useFakeTimers({
        now: Date.now() + 2 * HOUR_MS,
        doNotFake: [...CLOCKS],
      });
    },
    'ledger of erasures',
    /lacks 1 of 2 entries, such as erasures\/20261101T010000000Z-bb.json/,
    /archive-copies/,
  ],
  [
    'a secret without a replica',
    () => secretsAre(SECRETS.slice(1).map((name) => entry(name))),
    'secret ErasureKeySecret',
    /no replica in eu-west-1: every restore refuses/,
    /cdk deploy/,
  ],
  [
    'a replica of an old value',
    () => secretsAre(SECRETS.map((name) => entry(name, name.startsWith('ApiKey') ? 'v0' : 'v1'))),
    'secret ApiKeySecret',
    /another value than eu-central-1/,
    /ReplicationStatus/,
  ],
  [
    "a secret of Tilled's without a replica",
    () =>
      secretsAre(
        SECRETS.map((name) => entry(name)),
        [...SECRETS, 'TilledSecretsApiE5-x'].map((name) => entry(name)),
      ),
    'secret TilledSecretsApi',
    /no replica/,
    /cdk deploy/,
  ],
  [
    'a small quota',
    () => concurrencyIs(10),
    'concurrency of Lambda',
    /^10 in eu-west-1, 1000/,
    /for 1000 in eu-west-1/,
  ],
  ['no room for instances', () => instancesAre(38), 'instances of RDS', /^38 of 40/, /Service Quotas/],
  [
    'a drill of more than a quarter ago, although one was abandoned since',
    async () => {
      await put(LAST_DRILL, drillOf(100 * 24));
      await put(recordKey(ago(1).toISOString()), drillOf(0, 'abandoned'));
    },
    'drill',
    /\(100 d ago\)$/,
    /^ops region-loss drill --into/,
  ],
  [
    'a service that does not answer',
    () => backup.on(ListRecoveryPointsByBackupVaultCommand).rejects(new Error('no')),
    'recovery point of main',
    /Cannot look at the recovery point of main: no/,
    /check again/,
  ],
];

describe('a gap exits with 1 and names its fix:', () => {
  afterEach(() => jest.useRealTimers());
  test.each(GAPS)('%s', async (_what, plant, name, detail, fix) => {
    await plant();
    const { status, wrong } = await check();
    expect(status).toBe(1);
    expect(wrong.find((finding) => finding.check === name)).toEqual({
      check: name,
      state: 'wrong',
      detail: expect.stringMatching(detail) as string,
      fix: expect.stringMatching(fix) as string,
    } satisfies Finding);
  });
});

test('a newer archive whose copy is on its way counts for nothing yet', async () => {
  const { part } = await plantArchive(regions.s3, copies, 'billing', ago(0.01), regions.key);
  await remove(part);
  const { status, report } = await check();
  expect(status).toBe(0);
  expect(Math.abs((report.rpo[0]?.seconds ?? 0) - 2 * 3600)).toBeLessThan(60);
  expect(report.findings.find((one) => one.check === 'archive of billing')?.detail).toMatch(/newer: .* lacks 1 of 1/);
});

test('an archive that is older than promised is a gap, by the promise of its database', async () => {
  expect(ARCHIVE_HOURS).toEqual({
    billing: BACKUP_POLICIES.billing.frequencyHours,
    main: BACKUP_POLICIES.main.frequencyHours,
  });
  await remove(planted.billing.manifest);
  await plantArchive(regions.s3, copies, 'billing', ago(9), regions.key);
  const { wrong } = await check();
  expect(wrong).toEqual([
    expect.objectContaining({
      check: 'archive of billing',
      fix: expect.stringMatching(/^older than 8 h\. ops backup/),
    }),
  ]);
});

test('after the loss, the bucket is found by its name and nothing of the first region is asked', async () => {
  lambda.on(GetFunctionConfigurationCommand).rejects(new Error('the first region is lost'));
  const lost = await check();
  expect(lost.status).not.toBe(0);
  expect(lost.stderr).toMatch(/Add --without-first --region <second region>/);
  const { status, report } = await check(
    `--without-first --region eu-west-1 --public-key ${regions.publicKey} --into dev2`,
  );
  expect([status, report.bucket]).toEqual([0, copies]);
  const calls = secrets.commandCalls(ListSecretsCommand);
  expect(calls).toHaveLength(1);
  const asked = await Promise.all(calls.map(({ thisValue }) => (thisValue as SecretsManagerClient).config.region()));
  expect(new Set(asked)).toEqual(new Set(['eu-west-1']));
});

test.each([
  ['--without-first', 2, /needs --region/],
  ['--without-first --region eu-west-3', 4, /no bucket billing-ops-dev-archives-<account>-eu-west-3/],
  ['--public-key /nowhere.pem', 2, /--public-key \/nowhere.pem: expected the PEM file/],
])('"%s" is refused with what to do', async (line, status, message) => {
  const refused = await check(line);
  expect([refused.status, refused.stderr]).toEqual([status, expect.stringMatching(message)]);
});

test('an environment without a second region is told what that means', async () => {
  lambda.on(GetFunctionConfigurationCommand).resolves({ Environment: { Variables: { COPY_REGION: '' } } });
  const { status, stderr } = await check();
  expect([status, stderr]).toEqual([3, expect.stringMatching(/set secondRegion in environments\/dev.yaml/)]);
});

const peopleRead = async (line: string) =>
  (await runOps(['region-loss', 'check', ...line.split(' ').filter(Boolean), '--env', 'dev'])).stdout;

test('people read that a recovery has what it needs, and of which checks that was not asked', async () => {
  const { report } = await check();
  const asked = await peopleRead(`--public-key ${regions.publicKey}`);
  expect(asked).toMatch(/^A recovery in eu-west-1 has what it needs$/m);
  const unasked = `as far as was asked: 2 of ${report.findings.length} checks were skipped`;
  expect(await peopleRead('')).toContain(`\nA recovery in eu-west-1 has what it needs, ${unasked}\n`);
});

test('people read of a due drill, which alone makes no recovery fail', async () => {
  await remove(LAST_DRILL);
  const line = `--public-key ${regions.publicKey}`;
  const due = await peopleRead(line);
  expect(due).toMatch(/^WRONG {3}drill +never held\n +ops region-loss drill/m);
  expect(due).toMatch(/^A recovery in eu-west-1 has what it needs$/m);
  const { status, report } = await check(line);
  expect(status).toBe(1);
  pointsAre([]);
  // The drill is not counted among the gaps.
  const gaps = `2 of ${report.findings.length} checks found a gap: a recovery in eu-west-1 would fail`;
  expect(await peopleRead(line)).toContain(`\n${gaps}`);
});

test('people read each gap above its fix, and what would be lost of each database', async () => {
  pointsAre([]);
  const { stdout } = await runOps(['region-loss', 'check', '--env', 'dev', '--into', 'dev3']);
  expect(stdout).toMatch(/^skipped signature of billing +without --public-key/m);
  expect(stdout).toMatch(/^WRONG {3}configuration +there is no dev3\n +copy environments\/dev.yaml to dev3.yaml/m);
  expect(stdout).toMatch(/^billing +2\.0 h +6\.0 h +\d{4}-\d\d-\d\d .+ago\) +–$/m);
});
