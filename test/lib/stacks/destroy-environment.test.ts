import {
  BackupClient,
  DeleteBackupVaultLockConfigurationCommand,
  DeleteRecoveryPointCommand,
  ListBackupJobsCommand,
  ListCopyJobsCommand,
  ListRecoveryPointsByBackupVaultCommand,
} from '@aws-sdk/client-backup';
import {
  CloudFormationClient,
  DeleteStackCommand,
  DescribeStacksCommand,
  ListStackResourcesCommand,
} from '@aws-sdk/client-cloudformation';
import { DescribeDBInstancesCommand, RDSClient } from '@aws-sdk/client-rds';
import {
  DeleteObjectsCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { ListExecutionsCommand, SFNClient, StopExecutionCommand } from '@aws-sdk/client-sfn';
import { mockClient } from 'aws-sdk-client-mock';
import type { EnvironmentConfig } from '../../../lib/config/environment-schema';
import { destroyEnvironment } from '../../../lib/stacks/destroy-environment';
import { exampleEnvironment } from '../../support/example-environments';

const cloudFormation = mockClient(CloudFormationClient);
const s3 = mockClient(S3Client);
const backup = mockClient(BackupClient);
const rds = mockClient(RDSClient);
const stepFunctions = mockClient(SFNClient);
const MOCKS = [cloudFormation, s3, backup, rds, stepFunctions];

const DATA = 'BillingOps-dev-Data';
const OPERATIONS = 'BillingOps-dev-Operations';
const INSTANCE = 'billing-operations-dev-main';
/** Names of executions and state machines. */
const execution = (machine: string, name: string) => `arn:aws:states:eu-west-1:1:execution:${machine}:${name}`;
const machineArn = (machine: string) => `arn:aws:states:eu-west-1:1:stateMachine:${machine}`;
const [ROWS, ROWS_EXPIRY, LEFTOVERS, REMOVED] = ['rows', 'rows-expiry', 'recovery-leftovers', 'archive'].map(
  (stem) => `BillingOps-dev-${stem}-main`,
) as [string, string, string, string];
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
/** States of the backup job by look; it writes the point `two`, which is complete at its end. */
let jobStates: string[];
/** Running executions, by state machine, and instances of the region. */
let running: Map<string, string[]>;
let instances: { DBInstanceIdentifier: string; DBInstanceStatus?: string; DeletionProtection?: boolean }[];

beforeEach(() => {
  for (const mock of MOCKS) mock.reset();
  told.length = 0;
  stacks = new Map(['Monitoring', 'Operations', 'Data'].map((part) => [`BillingOps-dev-${part}`, {}]));
  done = [];
  arriving = undefined;
  objects = new Map([
    ['archives', ['locked', 'older']],
    ['access-logs', ['line']],
  ]);
  points = [{ arn: 'one', status: 'COMPLETED' }];
  jobStates = ['CREATED', 'PENDING', 'RUNNING'];
  running = new Map();
  instances = [INSTANCE, `${INSTANCE}-analytics`, 'billing-operations-dev2-main-rows-0123abcd'].map((id) => ({
    DBInstanceIdentifier: id,
  }));
  mockStacks();
  mockData();
  mockWorkflows();
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
    if (StackName === OPERATIONS) {
      const machine = (name: string, ResourceStatus = 'CREATE_COMPLETE') => ({
        PhysicalResourceId: machineArn(name),
        ResourceType: 'AWS::StepFunctions::StateMachine',
        ResourceStatus,
      });
      return {
        StackResourceSummaries: [
          machine(ROWS),
          machine(ROWS_EXPIRY),
          machine(LEFTOVERS),
          machine(REMOVED, 'DELETE_COMPLETE'),
          { PhysicalResourceId: 'queue', ResourceType: 'AWS::SQS::Queue', ResourceStatus: 'CREATE_COMPLETE' },
        ],
      };
    }
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
    const [first, next] = objects.get(Bucket) ?? [];
    return {
      Versions: first === undefined ? [] : [{ Key: first, VersionId: `${first}-1` }],
      ...(next === undefined ? {} : { IsTruncated: true, NextKeyMarker: first }),
    };
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
  backup.on(ListBackupJobsCommand).callsFake(({ ByState }: { ByState?: string }) => {
    const [state] = jobStates;
    // As long as a look: all three states were asked for.
    if (ByState === 'RUNNING') jobEnds(jobStates.shift());
    return { BackupJobs: state !== undefined && state === ByState ? [{ BackupJobId: 'job', State: state }] : [] };
  });
  backup.on(ListCopyJobsCommand).resolves({});
  backup.on(ListRecoveryPointsByBackupVaultCommand).callsFake(() => ({
    RecoveryPoints: points.map(({ arn, status }) => ({ RecoveryPointArn: arn, Status: status })),
  }));
  backup.on(DeleteRecoveryPointCommand).callsFake(({ RecoveryPointArn }: { RecoveryPointArn: string }) => {
    done.push(`point ${RecoveryPointArn}`);
    points = points.filter(({ arn }) => arn !== RecoveryPointArn);
    return {};
  });
}

/** A pending job has no point yet, a running one a point that cannot be deleted. */
function jobEnds(state: string | undefined): void {
  if (state === 'RUNNING') points.push({ arn: 'two', status: 'CREATING' });
  if (state === undefined) points = points.map((point) => ({ ...point, status: 'COMPLETED' }));
}

function mockWorkflows(): void {
  stepFunctions
    .on(ListExecutionsCommand)
    .callsFake(({ stateMachineArn = '' }: { stateMachineArn?: string; statusFilter?: string }) => {
      const machine = stateMachineArn.split(':').at(-1) ?? '';
      const names = running.get(machine) ?? [];
      return { executions: names.map((name) => ({ executionArn: execution(machine, name), stateMachineArn })) };
    });
  stepFunctions.on(StopExecutionCommand).callsFake(({ executionArn = '' }: { executionArn?: string }) => {
    done.push(`stop ${executionArn.split(':').slice(-2).join(' ')}`);
    return {};
  });
  rds.on(DescribeDBInstancesCommand).callsFake(() => ({ DBInstances: instances }));
}

/** Every call to AWS, service by service. */
const calls = () =>
  MOCKS.flatMap((mock) => mock.calls().map((call) => (call.args[0] as object).constructor.name.replace('Command', '')));

const told: string[] = [];
const destroy = (change: Partial<EnvironmentConfig> = {}) =>
  destroyEnvironment({
    config: { ...exampleEnvironment('dev'), ...change },
    clients: () => ({
      cloudFormation: new CloudFormationClient({}),
      s3: new S3Client({}),
      backup: new BackupClient({}),
      rds: new RDSClient({}),
      stepFunctions: new SFNClient({}),
    }),
    tell: (line) => told.push(line),
    lookEveryMs: 1,
  });

test('an unprotected environment is removed with what is in it, functions first, so that nothing is added meanwhile', async () => {
  await destroy();

  expect(done).toEqual([
    'delete BillingOps-dev-Monitoring',
    'delete BillingOps-dev-Operations',
    'object locked',
    'object older',
    'object line',
    'unlock',
    'point one',
    'point two',
    `delete ${DATA}`,
  ]);
  expect(stacks.size).toBe(0);
});

test('a vault is empty once no job can add a recovery point any more; each is awaited, with progress', async () => {
  await destroy();

  expect(told.filter((line) => line.includes('waiting for'))).toEqual([
    `${VAULT}: waiting for 1 jobs and 1 recovery points`,
    `${VAULT}: waiting for 1 jobs and 0 recovery points`,
    `${VAULT}: waiting for 1 jobs and 1 recovery points`,
    `${VAULT}: waiting for 0 jobs and 1 recovery points`,
  ]);
  expect(told).toContain(`${VAULT}: 2 recovery points deleted`);
  expect(points).toEqual([]);
});

const temporary = (DBInstanceIdentifier: string, environment: string) => ({
  DBInstanceIdentifier,
  DBInstanceStatus: 'available',
  TagList: Object.entries({ application: 'billing-operations', environment, 'temporary-for': 'archive' }).map(
    ([Key, Value]) => ({ Key, Value }),
  ),
});

test('running workflows and the instances that they left are refused with the commands that end them; nothing is touched', async () => {
  running.set(ROWS, ['report']).set(ROWS_EXPIRY, ['wait']).set(LEFTOVERS, ['week']);
  instances.push(
    { DBInstanceIdentifier: `${INSTANCE}-rows-0123abcd`, DBInstanceStatus: 'available' },
    { DBInstanceIdentifier: `${INSTANCE}-archive-0123abcd`, DBInstanceStatus: 'deleting' },
    { DBInstanceIdentifier: `${INSTANCE}-before-0123abcd`, DBInstanceStatus: 'available', DeletionProtection: true },
    { DBInstanceIdentifier: 'billing-operations-dev-billing-recovered-0123abcd', DBInstanceStatus: 'available' },
    { DBInstanceIdentifier: 'acme-main', DBInstanceStatus: 'available' },
    temporary('acme-main-archive-0123abcd', 'dev'),
    temporary('acme-main-archive-4567abcd', 'production'),
  );

  const refusal = await destroy().catch((error: unknown) => (error as Error).message.split(/\n */));

  const id = '--db-instance-identifier';
  const forGood = '--skip-final-snapshot --delete-automated-backups';
  expect(refusal).toEqual([
    'Nothing was removed: workflows are running, or have left instances. Wait until they have ended, or end them, and start again:',
    `aws stepfunctions stop-execution --execution-arn ${execution(ROWS, 'report')}`,
    `aws rds delete-db-instance ${id} ${INSTANCE}-rows-0123abcd ${forGood}`,
    `aws rds wait db-instance-deleted ${id} ${INSTANCE}-archive-0123abcd`,
    `aws rds modify-db-instance ${id} ${INSTANCE}-before-0123abcd --no-deletion-protection --apply-immediately`,
    `aws rds delete-db-instance ${id} ${INSTANCE}-before-0123abcd ${forGood}`,
    `aws rds delete-db-instance ${id} billing-operations-dev-billing-recovered-0123abcd ${forGood}`,
    // Beside an existing instance of this environment.
    `aws rds delete-db-instance ${id} acme-main-archive-0123abcd ${forGood}`,
  ]);
  expect(calls()).toEqual([
    // Each stack is looked for, for its protection; then Operations, for its state machines.
    ...Array<string>(4).fill('DescribeStacks'),
    'ListStackResources',
    'DescribeDBInstances',
    ...Array<string>(3).fill('ListExecutions'),
  ]);
  expect(stepFunctions.commandCalls(ListExecutionsCommand).map(({ args }) => args[0].input)).toEqual(
    [ROWS, ROWS_EXPIRY, LEFTOVERS].map((machine) =>
      expect.objectContaining({ stateMachineArn: machineArn(machine), statusFilter: 'RUNNING' }),
    ),
  );
});

test('reminders and expiries of instances that are gone are stopped before the state machines are removed', async () => {
  running.set(ROWS_EXPIRY, ['wait']).set(LEFTOVERS, ['week']);
  await destroy();

  expect(done.slice(0, 4)).toEqual([
    'delete BillingOps-dev-Monitoring',
    `stop ${ROWS_EXPIRY} wait`,
    `stop ${LEFTOVERS} week`,
    `delete ${OPERATIONS}`,
  ]);
});

test('an instance that a workflow made while the stacks before were removed keeps the buckets from being emptied', async () => {
  stacks.delete(OPERATIONS);
  let looks = 0;
  rds.on(DescribeDBInstancesCommand).callsFake(() => {
    looks += 1;
    return { DBInstances: looks < 3 ? [] : [{ DBInstanceIdentifier: `${INSTANCE}-archive-0123abcd` }] };
  });

  await expect(destroy()).rejects.toThrow(`${DATA} was not removed: workflows`);
  expect(done).toEqual(['delete BillingOps-dev-Monitoring']);
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
  await expect(destroy()).rejects.toThrow(
    'archives: locked was not deleted: Access Denied. Allow s3:DeleteObjectVersion and s3:Bypass',
  );
  expect(stacks.has(DATA)).toBe(true);
});
