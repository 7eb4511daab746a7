import { GetFunctionConfigurationCommand, InvokeCommand } from '@aws-sdk/client-lambda';
import { GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { SFNClient } from '@aws-sdk/client-sfn';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { mockClient } from 'aws-sdk-client-mock';
import type { RestoreReport } from '../../lambdas/restore/contract';
import type { RegionDrill } from '../../ops/region-loss/drill-record';
import { runOps } from '../ops/run-ops';
import { createBucket } from '../support/object-store';
import {
  type Copies,
  LAST_DRILL,
  lambda,
  plantCopies,
  secrets,
  stacksAre,
  startTwoRegions,
  type TwoRegions,
} from './second-region';

export const sfn = mockClient(SFNClient);
const sts = mockClient(STSClient);
const SETTLED = 'CREATE_COMPLETE' as const;
export const DEPLOYED = {
  'BillingOps-dev-Recovery': SETTLED,
  'BillingOps-dev2-Data': SETTLED,
  'BillingOps-dev2-Operations': SETTLED,
  'BillingOps-dev2-Monitoring': SETTLED,
};

/** `ops region-loss drill` of dev into dev2, whose function `restore` is mocked; S3 is the run's server. */
export interface MockedDrill {
  readonly regions: TwoRegions;
  /** Bucket of copies, of the first region, and what is in them. */
  there: Copies;
  /** Bucket of dev2. */
  successor: string;
  /** The secret of dev2: versions by their ids, and the one in use. */
  secret: { values: Record<string, string>; current: string };
  /** Has everything for a drill, before each test. */
  plant(): Promise<void>;
  keysOf(bucket: string): Promise<string[]>;
  /** What the function was asked for. */
  restores(): { name: string | undefined; request: Record<string, string> }[];
  restoreAnswers(report?: Partial<RestoreReport>): void;
  /** What the function answers to a call. */
  answerOf(call: { Payload: string }, report?: Partial<RestoreReport>): { Payload: object };
  drill(line?: string): Promise<{ status: number; stderr: string; record: RegionDrill | undefined }>;
  /** What the bucket of copies has on record of this test. */
  onRecord(): Promise<RegionDrill[]>;
}

export function startMockedDrill(): MockedDrill {
  const world: MockedDrill = {
    regions: startTwoRegions(),
    there: { copies: '', first: '', planted: {} as Copies['planted'] },
    successor: '',
    secret: { values: {}, current: '' },
    async plant() {
      const { s3 } = world.regions;
      world.there = await plantCopies(world.regions, await createBucket(s3));
      world.successor = await createBucket(s3);
      sfn.reset();
      sts.on(GetCallerIdentityCommand).resolves({ Arn: 'arn:aws:sts::111111111111:assumed-role/operator/ana' });
      stacksAre(DEPLOYED);
      const variables = { ARCHIVE_BUCKET: world.successor, ERASURE_KEY_SECRET_ARN: 'arn:dev2-erasures' };
      lambda
        .on(GetFunctionConfigurationCommand, { FunctionName: 'BillingOps-dev2-restore' })
        .resolves({ Environment: { Variables: variables } });
      world.restoreAnswers();
      mockSecretOf(world);
    },
    async keysOf(Bucket) {
      const { Contents = [] } = await world.regions.s3.send(new ListObjectsV2Command({ Bucket }));
      return Contents.map(({ Key = '' }) => Key);
    },
    restores: () =>
      lambda.commandCalls(InvokeCommand).map(({ args: [{ input }] }) => ({
        name: input.FunctionName,
        request: JSON.parse(input.Payload as string) as Record<string, string>,
      })),
    restoreAnswers(report = {}) {
      lambda.on(InvokeCommand).callsFake((call: { Payload: string }) => world.answerOf(call, report));
    },
    answerOf: ({ Payload }, report = {}) => ({
      Payload: { transformToString: () => JSON.stringify(restored(Payload, report)) },
    }),
    async drill(line = '--confirm dev2') {
      const key = line.includes('--abandon') ? [] : ['--public-key', world.regions.publicKey];
      const argv = ['region-loss', 'drill', '--into', 'dev2', ...key, ...line.split(' ').filter(Boolean)];
      const { status, stdout, stderr } = await runOps([...argv, '--json', '--env', 'dev', '--without-audit']);
      return { status, stderr, record: (stdout === '' ? undefined : JSON.parse(stdout)) as RegionDrill | undefined };
    },
    async onRecord() {
      const { copies } = world.there;
      const keys = (await world.keysOf(copies)).filter(
        (each) => each.startsWith('drills/region-loss/') && each !== LAST_DRILL,
      );
      return Promise.all(
        keys.map(async (Key) => {
          const { Body } = await world.regions.s3.send(new GetObjectCommand({ Bucket: copies, Key }));
          return JSON.parse((await Body?.transformToString()) ?? '') as RegionDrill;
        }),
      );
    },
  };
  return world;
}

/** What the function `restore` answers. */
function restored(payload: string, report: Partial<RestoreReport>): RestoreReport {
  const { database, archive = '', targetDatabase = '' } = JSON.parse(payload) as Record<string, string>;
  const counts = { tables: 1, rows: 1, foreignKeysValidated: 0, sequencesRestored: 0, invariantsChecked: 0 };
  const lists = { migratedForward: [], rolesCreated: [], deviations: [], schemaDifferences: [] };
  return {
    ...counts,
    ...lists,
    database: database as RestoreReport['database'],
    outcome: 'restored',
    slot: archive,
    archivedAt: archive,
    targetDatabase,
    rowsErased: 2,
    durationMs: 1500,
    kept: false,
    ...report,
  };
}

function mockSecretOf(world: MockedDrill): void {
  world.secret = { values: { own: '{"key":"own"}' }, current: 'own' };
  secrets.on(GetSecretValueCommand).callsFake(({ SecretId }: { SecretId: string }) => {
    const { values, current } = world.secret;
    return SecretId === 'arn:dev2-erasures'
      ? { SecretString: values[current], VersionId: current }
      : { SecretString: '{"key":"of dev"}', VersionId: 'v1' };
  });
  // A call with the token of a version that is there stores nothing and moves no stage.
  secrets.on(PutSecretValueCommand).callsFake(({ ClientRequestToken: id = '', SecretString: value = '' }) => {
    const stored = world.secret.values[id];
    if (stored === undefined) world.secret = { values: { ...world.secret.values, [id]: value }, current: id };
    else if (stored !== value) throw Object.assign(new Error('another value'), { name: 'ResourceExistsException' });
    return {};
  });
  secrets
    .on(DescribeSecretCommand)
    .callsFake(() => ({ VersionIdsToStages: { [world.secret.current]: ['AWSCURRENT'] } }));
  secrets
    .on(UpdateSecretVersionStageCommand)
    .callsFake(
      ({ MoveToVersionId = '', RemoveFromVersionId }: { MoveToVersionId?: string; RemoveFromVersionId?: string }) => {
        const { current, values } = world.secret;
        if (RemoveFromVersionId !== current || values[MoveToVersionId] === undefined) {
          throw Object.assign(new Error(`the stage is at ${current}`), { name: 'InvalidParameterException' });
        }
        world.secret.current = MoveToVersionId;
        return {};
      },
    );
}
