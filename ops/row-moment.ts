import { setTimeout as sleep } from 'node:timers/promises';
import type { DatabaseName } from '../core/contract';
import type { RowCondition } from '../lambdas/row-recovery/contract';
import type { CommandResult } from './command';
import type { Context } from './context';
import { describeRecovery, explainRecovery, type Question, type Recovery, workflowArn } from './recovery';
import { workflowRunId } from './runs';

/** Between two looks at the workflow, which waits for RDS for tens of minutes. */
const POLL_MS = 10_000;

/** Input of the workflow that compares rows with those of a moment. */
export interface RowMoment {
  readonly tables: readonly string[];
  readonly where?: readonly RowCondition[];
  /** @default the latest moment */
  readonly restoreTime?: string;
  readonly snapshotArn?: string;
}

/** Commands that continue from a report. */
export function nextSteps(database: DatabaseName, reportId: string): string[] {
  return [
    `All rows: ops rows show ${database} ${reportId}`,
    `To see what a merge would do: ops rows merge ${database} ${reportId} --dry-run`,
  ];
}

/**
 * Starts the workflow that restores an instance of a moment and compares rows with it, and follows it until it asks what
 * becomes of them. The command can be left: the workflow goes on, and asks on the critical topic as well.
 */
export async function reportMoment(
  context: Context,
  database: DatabaseName,
  moment: RowMoment,
): Promise<CommandResult> {
  const { StartExecutionCommand } = await import('@aws-sdk/client-sfn');
  const stateMachineArn = await workflowArn(context, database, 'rows');
  let executionArn = '';
  try {
    const sfn = await context.clients.stepFunctions();
    const started = await sfn.send(new StartExecutionCommand({ stateMachineArn, input: JSON.stringify(moment) }));
    executionArn = started.executionArn ?? '';
  } catch (cause) {
    throw explainRecovery(cause, context, database);
  }
  const run = workflowRunId('rows', database, executionArn);
  context.note(`Started. Ctrl-C leaves it, and stops nothing; to pick it up again: ops runs --follow ${run}`);
  const ended = await follow(context, executionArn, run);
  const { question, status, cause } = ended;
  return {
    report: { executionArn, run, question: question && withoutToken(question) },
    lines: question === null ? [`The workflow ${status.toLowerCase()}: ${cause ?? run}`] : asked(database, question),
    exit: 'finding',
  };
}

async function follow(context: Context, arn: string, run: string): Promise<Recovery> {
  let shown: string | null = null;
  for (;;) {
    const recovery = await describeRecovery(context, arn);
    if (recovery.status !== 'RUNNING' || recovery.question !== null) return recovery;
    if (recovery.state !== shown) context.note(`${run}: ${recovery.state ?? 'its start'}`);
    shown = recovery.state;
    await sleep(POLL_MS, undefined, { signal: context.signal });
  }
}

/** What the question tells; the token is for answers only. */
function withoutToken({ detail }: Question): object {
  return Object.fromEntries(Object.entries(detail).filter(([key]) => key !== 'taskToken'));
}

function asked(database: DatabaseName, { detail }: Question): string[] {
  const { reportId, deleted, changed, instance, note, removeAt } = detail;
  const isMade = reportId !== 'none';
  return [
    ...(typeof note === 'string' && note !== '' ? [note] : []),
    ...(isMade
      ? [
          `Report ${String(reportId)}, against ${String(instance)}: ${String(deleted)} gone, ${String(changed)} changed`,
          ...nextSteps(database, String(reportId)),
        ]
      : []),
    `Other tables of the same moment: ops rows report ${database} <tables> --from-instance ${String(instance)}`,
    `${String(instance)} costs until it is removed, at ${String(removeAt)} or by: ops rows done ${database}`,
  ];
}
