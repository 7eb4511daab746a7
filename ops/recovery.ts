import {
  archiveWorkflowName,
  drillWorkflowName,
  recoveryWorkflowName,
  restoreWorkflowName,
  rowWorkflowName,
  type DatabaseName,
} from '../core/contract';
import { configurationOf } from './discover';
import type { Context } from './context';
import { CommandError, explain } from './errors';

type Surroundings = Pick<Context, 'clients' | 'target' | 'signal'>;

/** The workflows that restore an instance: in place of the one in use, to compare rows with, to archive, or on trial; and the one that restores an archive. */
const WORKFLOWS = {
  recovery: recoveryWorkflowName,
  rows: rowWorkflowName,
  archive: archiveWorkflowName,
  restore: restoreWorkflowName,
  'instance-drill': drillWorkflowName,
} as const;
export type WorkflowKind = keyof typeof WORKFLOWS;

/** A question that a recovery asks and waits with. */
export interface Question {
  /** State that asks. */
  readonly state: string;
  /** Names the question in the answer. */
  readonly taskToken: string;
  /** The identifier to type; only of the question whether to cut over. */
  readonly confirmWith: string | undefined;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** One run of a workflow. */
export interface Recovery {
  readonly arn: string;
  readonly status: string;
  readonly startedAt: string;
  readonly stoppedAt: string | null;
  readonly input: string;
  /** State that it is in, or ended in. */
  readonly state: string | null;
  /** Why it ended, with what exists and how to continue. */
  readonly cause: string | null;
  readonly question: Question | null;
}

/** ARN of a workflow of a database: of the account and the region of the functions. */
export async function workflowArn(
  context: Surroundings,
  database: DatabaseName,
  kind: WorkflowKind = 'recovery',
): Promise<string> {
  const [, partition, , region, account] = (await configurationOf(context, 'verify')).arn.split(':');
  const name = WORKFLOWS[kind](context.target.environment, database);
  return `arn:${partition}:states:${region}:${account}:stateMachine:${name}`;
}

/** The newest recovery of a database. @throws CommandError `refused` when there was none */
export async function newestRecovery(context: Surroundings, database: DatabaseName): Promise<Recovery> {
  const { ListExecutionsCommand } = await import('@aws-sdk/client-sfn');
  const stateMachineArn = await workflowArn(context, database);
  try {
    const sfn = await context.clients.stepFunctions();
    const { executions = [] } = await sfn.send(new ListExecutionsCommand({ stateMachineArn, maxResults: 1 }));
    const arn = executions[0]?.executionArn;
    if (arn !== undefined) return await describeRecovery(context, arn);
  } catch (cause) {
    throw explainRecovery(cause, context, database);
  }
  throw new CommandError('refused', `${database} was never recovered: ops recover start ${database}`);
}

/** Newest runs that are looked at. */
const LISTED = 20;

/** The newest runs of a workflow of a database. @throws CommandError `refused` where there is no workflow */
export async function listRecoveries(
  context: Surroundings,
  database: DatabaseName,
  kind: WorkflowKind = 'recovery',
): Promise<Recovery[]> {
  const { ListExecutionsCommand } = await import('@aws-sdk/client-sfn');
  const stateMachineArn = await workflowArn(context, database, kind);
  try {
    const sfn = await context.clients.stepFunctions();
    const { executions = [] } = await sfn.send(new ListExecutionsCommand({ stateMachineArn, maxResults: LISTED }));
    return await Promise.all(executions.map(({ executionArn = '' }) => describeRecovery(context, executionArn)));
  } catch (cause) {
    throw explainRecovery(cause, context, database);
  }
}

/** Names the database when the environment has no workflow for it. */
export function explainRecovery(cause: unknown, { target }: Surroundings, database: DatabaseName): CommandError {
  if (cause instanceof Error && cause.name === 'StateMachineDoesNotExist') {
    if (target.platform !== undefined) {
      const reason = 'The local platform has no instances to recover. This needs an environment on AWS';
      return new CommandError('refused', reason, { cause });
    }
    const reason = `${target.label} has no workflow for ${database}: of an existing database, \`recovery\` in the environment's file makes the one that recovers its instance; restore it by RDS otherwise`;
    return new CommandError('refused', reason, { cause });
  }
  return explain(cause, `recover ${database}`, target.label);
}

/** One run of a workflow, with its question. */
export async function describeRecovery({ clients }: Surroundings, arn: string): Promise<Recovery> {
  const { DescribeExecutionCommand, GetExecutionHistoryCommand } = await import('@aws-sdk/client-sfn');
  const sfn = await clients.stepFunctions();
  const execution = await sfn.send(new DescribeExecutionCommand({ executionArn: arn }));
  const { events = [] } = await sfn.send(
    new GetExecutionHistoryCommand({
      executionArn: arn,
      reverseOrder: true,
      maxResults: 100,
      includeExecutionData: true,
    }),
  );
  const state = events.find(({ stateEnteredEventDetails }) => stateEnteredEventDetails)?.stateEnteredEventDetails?.name;
  const scheduled = events.find(({ taskScheduledEventDetails }) => taskScheduledEventDetails);
  const isRunning = execution.status === 'RUNNING';
  return {
    arn,
    status: execution.status ?? 'UNKNOWN',
    startedAt: execution.startDate?.toISOString() ?? '',
    stoppedAt: execution.stopDate?.toISOString() ?? null,
    input: execution.input ?? '{}',
    state: state ?? null,
    cause: execution.cause ?? null,
    question: isRunning ? questionOf(state ?? '', scheduled?.taskScheduledEventDetails?.parameters) : null,
  };
}

/** The question in the arguments of the last task, if that is what the recovery waits for. */
function questionOf(state: string, parameters: string | undefined): Question | null {
  if (!state.startsWith('Ask ')) return null;
  const { Entries: entries = [] } = JSON.parse(parameters ?? '{}') as {
    readonly Entries?: readonly { Detail?: unknown }[];
  };
  const given = entries[0]?.Detail ?? {};
  const detail = (typeof given === 'string' ? JSON.parse(given) : given) as Question['detail'];
  const { taskToken, confirmWith } = detail;
  if (typeof taskToken !== 'string') return null;
  return { state, taskToken, confirmWith: typeof confirmWith === 'string' ? confirmWith : undefined, detail };
}
