import type { BackupClient } from '@aws-sdk/client-backup';
import {
  type CloudFormationClient,
  DeleteStackCommand,
  DescribeStacksCommand,
  paginateListStackResources,
  type Stack,
  waitUntilStackDeleteComplete,
} from '@aws-sdk/client-cloudformation';
import type { RDSClient } from '@aws-sdk/client-rds';
import { PutBucketLoggingCommand, type S3Client } from '@aws-sdk/client-s3';
import { type SFNClient, StopExecutionCommand } from '@aws-sdk/client-sfn';
import { existingResources, type StackResource } from '../../core/runtime/stack-resources';
import type { EnvironmentConfig } from '../config/environment-schema';
import { emptyBucket } from './empty-bucket';
import { emptyVault } from './empty-vault';
import { findUnfinishedWork, howToEnd, type UnfinishedWork } from './unfinished-work';

/** Clients of one region. */
export interface RegionClients {
  /** Removes the stacks. */
  readonly cloudFormation: CloudFormationClient;
  /** Empties buckets. */
  readonly s3: S3Client;
  /** Empties vaults. */
  readonly backup: BackupClient;
  /** Finds instances beside those in use. */
  readonly rds: RDSClient;
  /** Finds running workflows, and stops those that only wait. */
  readonly stepFunctions: SFNClient;
}

export interface DestroyOptions {
  /** Environment to destroy. */
  readonly config: EnvironmentConfig;
  /** Clients by region. */
  readonly clients: (region: string) => RegionClients;
  /** Takes a line about each step. */
  readonly tell: (line: string) => void;
  /** Seconds that the removal of one stack may take. Two instances, a network with functions: most of an hour. @default 3600 */
  readonly stackSeconds?: number;
  /** Milliseconds between two looks at a vault. @default 10 s */
  readonly lookEveryMs?: number;
}

/** Attempts at a stack with data: the log of accesses, or a job that ran, may fill again what was emptied. */
const ATTEMPTS = 3;

/**
 * Removes every stack of an unprotected environment, and what CloudFormation does not delete of it: objects in the buckets,
 * locked ones too, and recovery points. What it did is not done again by a second run.
 *
 * @throws Error when the environment or one of its stacks is protected, a workflow runs, or an instance is left that one made,
 * before anything is removed; or naming what is left
 */
export async function destroyEnvironment(options: DestroyOptions): Promise<void> {
  const { config, clients, tell } = options;
  if (config.removalProtection) {
    throw new Error(
      `${config.name} has \`removalProtection: true\`: nothing was removed. docs/deploy.md says what a protected one takes`,
    );
  }
  const nameOf = (part: string) => `BillingOps-${config.name}-${part}`;
  const regional = clients(config.region);
  // What depends on a stack goes before it.
  const stacks = [
    { name: nameOf('Monitoring'), regional, holdsData: false },
    { name: nameOf('Operations'), regional, holdsData: false },
    { name: nameOf('Data'), regional, holdsData: true },
    ...(config.secondRegion === undefined
      ? []
      : [{ name: nameOf('Recovery'), regional: clients(config.secondRegion), holdsData: true }]),
  ];
  for (const { name, regional: own } of stacks) {
    if ((await find(own, name))?.EnableTerminationProtection) {
      throw new Error(
        `${name} has termination protection: nothing was removed. Deploy the unprotected environment first`,
      );
    }
  }
  const nothingUnfinished = async (kept: string) =>
    refuseUnfinished(await unfinishedWork(regional, config.name, nameOf('Operations')), kept);
  await nothingUnfinished('Nothing was removed');
  for (const { name, regional: own, holdsData } of stacks) {
    if ((await find(own, name)) === undefined) {
      tell(`${name}: not there`);
      continue;
    }
    // Again: a schedule may have begun something while the stack before it was removed.
    if (own === regional) {
      const { waiting } = await nothingUnfinished(`${name} was not removed`);
      if (name === nameOf('Operations')) await stop(regional, waiting, tell);
    }
    await remove(own, name, holdsData, options);
    tell(`${name}: gone`);
  }
}

/** A workflow without its role ends at its next step, and leaves its instance, which then holds the Data stack. */
async function unfinishedWork(
  regional: RegionClients,
  environmentName: string,
  operations: string,
): Promise<UnfinishedWork> {
  const there = (await find(regional, operations)) !== undefined;
  const found = there ? await resourcesOf(regional.cloudFormation, operations) : [];
  const arns = found.flatMap(({ type, id }) => (type === 'AWS::StepFunctions::StateMachine' ? [id] : []));
  return findUnfinishedWork(regional, environmentName, arns);
}

function refuseUnfinished(work: UnfinishedWork, kept: string): UnfinishedWork {
  const commands = howToEnd(work);
  if (commands.length === 0) return work;
  throw new Error(
    [
      `${kept}: workflows are running, or have left instances. Wait until they have ended, or end them, and start again:`,
      ...commands,
    ].join('\n  '),
  );
}

/** Without an instance there is nothing to remind of, or to remove. */
async function stop(
  { stepFunctions }: RegionClients,
  waiting: UnfinishedWork['waiting'],
  tell: DestroyOptions['tell'],
): Promise<void> {
  for (const { executionArn } of waiting) {
    await stepFunctions.send(new StopExecutionCommand({ executionArn, cause: 'The environment is removed' }));
    tell(`${executionArn}: stopped`);
  }
}

async function remove(
  regional: RegionClients,
  name: string,
  holdsData: boolean,
  options: DestroyOptions,
): Promise<void> {
  const { cloudFormation } = regional;
  for (let attempt = 1; ; attempt += 1) {
    if (holdsData) await empty(regional, name, options);
    await cloudFormation.send(new DeleteStackCommand({ StackName: name }));
    try {
      await waitUntilStackDeleteComplete(
        { client: cloudFormation, maxWaitTime: options.stackSeconds ?? 3_600 },
        { StackName: name },
      );
      return;
    } catch (cause) {
      const left = await resourcesOf(cloudFormation, name);
      const failed = left.filter(({ status }) => status === 'DELETE_FAILED');
      const reasons = failed.map(({ logicalId, reason = 'no reason given' }) => `${logicalId}: ${reason}`);
      if (!holdsData || attempt === ATTEMPTS || failed.length === 0) {
        throw new Error(`${name} could not be removed. ${reasons.join('; ')}`.trim(), { cause });
      }
      options.tell(`${name}: again, ${reasons.join('; ')}`);
    }
  }
}

/** Empties the buckets and the vaults of a stack that are still there. */
async function empty(
  { cloudFormation, s3, backup }: RegionClients,
  name: string,
  options: DestroyOptions,
): Promise<void> {
  for (const { type, id } of await resourcesOf(cloudFormation, name)) {
    if (type === 'AWS::S3::Bucket') {
      // The log of accesses, which these deletions would fill.
      await s3.send(new PutBucketLoggingCommand({ Bucket: id, BucketLoggingStatus: {} }));
      options.tell(`${id}: ${await emptyBucket(s3, id)} versions of objects deleted`);
    }
    if (type === 'AWS::Backup::BackupVault') {
      const deleted = await emptyVault(backup, id, { tell: options.tell, lookEveryMs: options.lookEveryMs });
      options.tell(`${id}: ${deleted} recovery points deleted`);
    }
  }
}

async function find({ cloudFormation }: RegionClients, name: string): Promise<Stack | undefined> {
  try {
    const { Stacks = [] } = await cloudFormation.send(new DescribeStacksCommand({ StackName: name }));
    return Stacks[0];
  } catch (error) {
    if (/does not exist/.test((error as Error).message)) return undefined;
    throw error;
  }
}

const resourcesOf = (client: CloudFormationClient, StackName: string): Promise<StackResource[]> =>
  existingResources(paginateListStackResources({ client }, { StackName }));
