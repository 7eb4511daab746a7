import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { archiveWorkflowName, DATABASE_NAMES, LOCAL_ENVIRONMENT, type DatabaseName } from '../../core/contract';
import { FunctionError } from '../aws/lambda-runtime';
import { startRds } from '../aws/rds';
import { startStepFunctions } from '../aws/step-functions';
import type { HttpServer } from '../runtime/http-server';
import type { Teardown } from '../runtime/teardown';
import type { Definition, Json, JsonObject } from '../states/definition';
import { StatesError } from '../states/errors';
import type { Service } from '../states/execution';
import { Executions, type ExecutionRecord, type StateMachine } from '../states/executions';
import { textOf } from '../states/text';
import type { PlatformTemplate } from '../template/platform-template';
import { ARCHIVE_WORKFLOWS, INSTANCE_IDENTIFIERS } from './archive-workflows';
import type { CopiedInstances } from './copied-instances';
import type { PlatformFunctions } from './functions';
import { CREDENTIALS } from './resources';

/** What runs state machines here. */
export interface Workflows {
  readonly machines: readonly StateMachine[];
  readonly instances: CopiedInstances;
  /** Those of the functions and of the archives' bucket. */
  readonly functions: PlatformFunctions;
  readonly store: { readonly endpoint: string; readonly region: string };
  /** Receives each execution that has ended. */
  readonly observe: (execution: ExecutionRecord) => void;
}

/** Starts the stand-ins for Step Functions, and for RDS as far as these state machines need it. */
export async function startWorkflows(
  { machines, instances, functions, store, observe }: Workflows,
  teardown: Teardown,
): Promise<Record<'rds' | 'stepFunctions', HttpServer> & { readonly executions: Executions }> {
  const executions = new Executions({ services: workflowServices(functions, instances, store), observe });
  teardown.add(async () => {
    executions.stopAll();
    for (const database of DATABASE_NAMES) await instances.remove(database);
  });
  const rds = await startRds({ setPassword: (identifier, password) => instances.setPassword(identifier, password) });
  teardown.add(() => rds.stop());
  const stepFunctions = await startStepFunctions({ machines, executions });
  teardown.add(() => stepFunctions.stop());
  return { rds, stepFunctions, executions };
}

/** ARN of the state machine that archives each database. */
export function archiveWorkflowArns(machines: readonly StateMachine[]): Partial<Record<DatabaseName, string>> {
  return Object.fromEntries(
    DATABASE_NAMES.flatMap((database) => {
      const name = archiveWorkflowName(LOCAL_ENVIRONMENT, database);
      return machines.filter((machine) => machine.name === name).map(({ arn }) => [database, arn]);
    }),
  );
}

/** The state machines: those of the template, and those that archive a copy, which it has for instances of RDS alone. */
export function stateMachines(
  { stateMachines: fromTemplate, region, account }: PlatformTemplate,
  assembly: string,
  instances: CopiedInstances,
): StateMachine[] {
  const definitions = JSON.parse(readFileSync(join(assembly, ARCHIVE_WORKFLOWS), 'utf8')) as Record<
    DatabaseName,
    Definition
  >;
  const archiving = DATABASE_NAMES.map((database): StateMachine => {
    const name = archiveWorkflowName(LOCAL_ENVIRONMENT, database);
    return {
      arn: `arn:aws:states:${region}:${account}:stateMachine:${name}`,
      name,
      definition: definitions[database],
      // On AWS, the newest recovery point is there before; here it is taken now.
      completeInput: async (input) => {
        const snapshotArn = `arn:aws:rds:${region}:${account}:snapshot:${database}-${Date.now()}-${randomUUID().slice(0, 8)}`;
        return { ...input, ...(await instances.take(database, snapshotArn)) };
      },
      // The state machine removes the copy itself, unless it was stopped. By then, the next execution may have a copy.
      cleanUp: ({ snapshotArn }) => instances.remove(database, textOf(snapshotArn)),
    };
  });
  return [...fromTemplate, ...archiving];
}

/** What the tasks of the state machines call, by their `Resource`. */
function workflowServices(
  functions: PlatformFunctions,
  instances: CopiedInstances,
  store: { readonly endpoint: string; readonly region: string },
): Readonly<Record<string, Service>> {
  const s3 = new S3Client({ ...store, credentials: CREDENTIALS, forcePathStyle: true });
  const rds = (action: string): string => `arn:aws:states:::aws-sdk:rds:${action}`;
  return {
    'arn:aws:states:::lambda:invoke': ({ FunctionName, Payload }) => invoke(functions, textOf(FunctionName), Payload),
    'arn:aws:states:::s3:getObject': async ({ Bucket, Key }) => {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: textOf(Bucket), Key: textOf(Key) }));
      return (await Body?.transformToString()) ?? '';
    },
    // Only the expiry of a copy, which here ends with the platform at the latest.
    'arn:aws:states:::states:startExecution': ({ StateMachineArn, Name }) => ({
      ExecutionArn: `${textOf(StateMachineArn).replace(':stateMachine:', ':execution:')}:${textOf(Name)}`,
    }),
    [rds('restoreDBInstanceFromDBSnapshot')]: ({ DbSnapshotIdentifier, DbInstanceIdentifier }) => {
      if (instances.restore(textOf(DbSnapshotIdentifier), textOf(DbInstanceIdentifier))) return {};
      throw new StatesError('Rds.DbSnapshotNotFoundException', `DBSnapshot ${textOf(DbSnapshotIdentifier)} not found.`);
    },
    [rds('describeDBInstances')]: ({ DbInstanceIdentifier }) => describe(instances, textOf(DbInstanceIdentifier)),
    [rds('deleteDBInstance')]: async ({ DbInstanceIdentifier }) => {
      if (await instances.delete(textOf(DbInstanceIdentifier))) return {};
      throw notFound(textOf(DbInstanceIdentifier));
    },
  };
}

/** An error of the function has its class for a name, and for a cause what Lambda answers. */
async function invoke(functions: PlatformFunctions, arn: string, payload: Json | undefined): Promise<JsonObject> {
  try {
    return { StatusCode: 200, Payload: (await functions.byArn(arn).invoke(payload)) as Json };
  } catch (error) {
    if (!(error instanceof FunctionError)) throw error;
    const { errorType, errorMessage, trace } = error;
    throw new StatesError(errorType, JSON.stringify({ errorType, errorMessage, trace }));
  }
}

function describe(instances: CopiedInstances, identifier: string): JsonObject {
  const isInUse = Object.values(INSTANCE_IDENTIFIERS).includes(identifier);
  const host = instances.hostOf(identifier);
  if (host === undefined && !isInUse) throw notFound(identifier);
  return { DbInstances: [{ DbInstanceStatus: 'available', Endpoint: { Address: host ?? '' }, AllocatedStorage: 20 }] };
}

function notFound(identifier: string): StatesError {
  return new StatesError('Rds.DbInstanceNotFoundException', `DBInstance ${identifier} not found.`);
}
