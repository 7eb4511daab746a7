import {
  BackupClient,
  DeleteBackupVaultLockConfigurationCommand,
  DeleteRecoveryPointCommand,
  ListBackupJobsCommand,
  ListRecoveryPointsByBackupVaultCommand,
  StopBackupJobCommand,
} from '@aws-sdk/client-backup';
import {
  CloudFormationClient,
  DeleteStackCommand,
  DescribeStacksCommand,
  ListStackResourcesCommand,
} from '@aws-sdk/client-cloudformation';
import {
  DeleteObjectsCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { mockClient } from 'aws-sdk-client-mock';
import type { EnvironmentConfig } from '../../../lib/config/environment-schema';
import { destroyEnvironment } from '../../../lib/stacks/destroy-environment';
import { exampleEnvironment } from '../../support/example-environments';

const cloudFormation = mockClient(CloudFormationClient);
const s3 = mockClient(S3Client);
const backup = mockClient(BackupClient);

const DATA = 'BillingOps-dev-Data';
const VAULT = 'billing-vault';
/** Stacks that are there. */
let stacks: Map<string, { readonly protected?: boolean }>;
/** What was done, in its order. */
let done: string[];
/** Objects of each bucket, and recovery points. */
let objects: Map<string, string[]>;
/** Object that is written while the Data stack is removed. */
let arriving: string | undefined;
let points: { arn: string; status: string }[];

beforeEach(() => {
  for (const mock of [cloudFormation, s3, backup]) mock.reset();
  stacks = new Map(['Monitoring', 'Operations', 'Data'].map((part) => [`BillingOps-dev-${part}`, {}]));
  done = [];
  arriving = undefined;
  objects = new Map([
    ['archives', ['locked', 'older']],
    ['access-logs', ['line']],
  ]);
  points = [
    { arn: 'one', status: 'COMPLETED' },
    { arn: 'two', status: 'CREATING' },
  ];
  mockStacks();
  mockData();
});

function mockStacks(): void {
  cloudFormation.on(DescribeStacksCommand).callsFake(({ StackName = '' }: { StackName?: string }) => {
    const stack = stacks.get(StackName);
    // What the waiter of the SDK and CloudFormation itself call it.
    if (!stack)
      throw Object.assign(new Error(`Stack with id ${StackName} does not exist`), { name: 'ValidationError' });
    const StackStatus = done.at(-1) === `failed ${StackName}` ? 'DELETE_FAILED' : 'CREATE_COMPLETE';
    return { Stacks: [{ StackName, StackStatus, EnableTerminationProtection: stack.protected ?? false }] };
  });
  cloudFormation.on(DeleteStackCommand).callsFake(({ StackName = '' }: { StackName?: string }) => {
    done.push(`delete ${StackName}`);
    if (StackName === DATA && arriving !== undefined) {
      objects.set('access-logs', [arriving]);
      arriving = undefined;
      done.push(`failed ${StackName}`);
      return {};
    }
    stacks.delete(StackName);
    return {};
  });
  cloudFormation.on(ListStackResourcesCommand).callsFake(({ StackName = '' }: { StackName?: string }) => {
    if (StackName !== DATA) return { StackResourceSummaries: [] };
    const bucket = (id: string, failed: boolean) => ({
      LogicalResourceId: id,
      PhysicalResourceId: id,
      ResourceType: 'AWS::S3::Bucket',
      ResourceStatus: failed ? 'DELETE_FAILED' : 'CREATE_COMPLETE',
      ResourceStatusReason: 'not empty',
    });
    return {
      StackResourceSummaries: [
        bucket('archives', false),
        bucket('access-logs', done.includes(`failed ${DATA}`)),
        { PhysicalResourceId: VAULT, ResourceType: 'AWS::Backup::BackupVault', ResourceStatus: 'CREATE_COMPLETE' },
        { PhysicalResourceId: 'gone', ResourceType: 'AWS::S3::Bucket', ResourceStatus: 'DELETE_COMPLETE' },
      ],
    };
  });
}

function mockData(): void {
  s3.on(ListMultipartUploadsCommand).resolves({});
  s3.on(ListObjectVersionsCommand).callsFake(({ Bucket = '' }: { Bucket?: string }) => {
    // A page holds one.
    const [first] = objects.get(Bucket) ?? [];
    return { Versions: first === undefined ? [] : [{ Key: first, VersionId: `${first}-1` }] };
  });
  s3.on(DeleteObjectsCommand).callsFake(
    (input: { Bucket: string; BypassGovernanceRetention?: boolean; Delete: { Objects: { Key: string }[] } }) => {
      const [{ Key } = { Key: '' }] = input.Delete.Objects;
      if (Key === 'locked' && !input.BypassGovernanceRetention) return { Errors: [{ Key, Message: 'locked' }] };
      done.push(`object ${Key}`);
      objects.set(input.Bucket, objects.get(input.Bucket)?.slice(1) ?? []);
      return {};
    },
  );
  backup.on(DeleteBackupVaultLockConfigurationCommand).callsFake(() => done.push('unlock') && {});
  backup.on(ListBackupJobsCommand).resolves({
    BackupJobs: [
      { BackupJobId: 'running', State: 'RUNNING' },
      { BackupJobId: 'past', State: 'COMPLETED' },
    ],
  });
  backup.on(StopBackupJobCommand).callsFake(({ BackupJobId }: { BackupJobId: string }) => {
    done.push(`stop ${BackupJobId}`);
    points = points.map((point) => ({ ...point, status: 'COMPLETED' }));
    return {};
  });
  backup.on(ListRecoveryPointsByBackupVaultCommand).callsFake(() => ({
    RecoveryPoints: points.map(({ arn, status }) => ({ RecoveryPointArn: arn, Status: status })),
  }));
  backup.on(DeleteRecoveryPointCommand).callsFake(({ RecoveryPointArn }: { RecoveryPointArn: string }) => {
    done.push(`point ${RecoveryPointArn}`);
    points = points.filter(({ arn }) => arn !== RecoveryPointArn);
    return {};
  });
}

const told: string[] = [];
const destroy = (change: Partial<EnvironmentConfig> = {}) =>
  destroyEnvironment({
    config: { ...exampleEnvironment('dev'), ...change },
    clients: () => ({
      cloudFormation: new CloudFormationClient({}),
      s3: new S3Client({}),
      backup: new BackupClient({}),
    }),
    tell: (line) => told.push(line),
    lookEveryMs: 1,
  });

test('an unprotected environment is removed with all that it holds, functions first, so that nothing is added meanwhile', async () => {
  await destroy();

  expect(done).toEqual([
    'delete BillingOps-dev-Monitoring',
    'delete BillingOps-dev-Operations',
    'object locked',
    'object older',
    'object line',
    'unlock',
    'stop running',
    'point one',
    'point two',
    `delete ${DATA}`,
  ]);
  expect(stacks.size).toBe(0);
});

test('a stack whose bucket filled again is emptied and removed again', async () => {
  arriving = 'late';
  await destroy();

  expect(done.filter((each) => each === `delete ${DATA}`)).toHaveLength(2);
  expect(done.indexOf('object late')).toBeGreaterThan(done.indexOf(`failed ${DATA}`));
  expect(told).toContain(`${DATA}: again, access-logs: not empty`);
});

test('a run after one that was cut off removes what is left', async () => {
  stacks.delete('BillingOps-dev-Monitoring');
  await destroy();
  expect(done[0]).toBe('delete BillingOps-dev-Operations');
});

test('a protected environment, and one whose stack is protected, are refused before anything is removed', async () => {
  await expect(destroy({ removalProtection: true })).rejects.toThrow(/removalProtection: true.*nothing was removed/);
  stacks.set(DATA, { protected: true });
  await expect(destroy()).rejects.toThrow(/BillingOps-dev-Data has termination protection: nothing was removed/);
  expect(done).toEqual([]);
});

test('an object that S3 keeps is named, and the stack stays', async () => {
  s3.on(DeleteObjectsCommand).resolves({ Errors: [{ Key: 'locked', Message: 'Access Denied' }] });
  await expect(destroy()).rejects.toThrow('archives: locked was not deleted: Access Denied');
  expect(stacks.has(DATA)).toBe(true);
});
