import type { DatabaseName } from '../core/contract';
import type { Context } from './context';
import { CommandError, explain } from './errors';
import { newestRecovery, type Question } from './recovery';

/** The question that the newest recovery of a database waits with. @throws CommandError `refused` when it asks nothing */
export async function openQuestion(context: Context, database: DatabaseName): Promise<Question> {
  const { question, status, state } = await newestRecovery(context, database);
  if (question !== null) return question;
  const where = status === 'RUNNING' ? `it is at "${state ?? 'its start'}"` : `it ${status.toLowerCase()}`;
  throw new CommandError(
    'refused',
    `The recovery of ${database} asks nothing: ${where}. See ops recover status ${database}`,
  );
}

/** Answers a question; the recovery continues. */
export async function answer(context: Context, { taskToken }: Question, output: object): Promise<void> {
  const { SendTaskSuccessCommand } = await import('@aws-sdk/client-sfn');
  await send(context, new SendTaskSuccessCommand({ taskToken, output: JSON.stringify(output) }));
}

/** Answers that the cut-over is refused; the recovery ends. */
export async function refuse(context: Context, { taskToken }: Question): Promise<void> {
  const { SendTaskFailureCommand } = await import('@aws-sdk/client-sfn');
  await send(context, new SendTaskFailureCommand({ taskToken, error: 'CutOverRefused' }));
}

async function send({ clients, target }: Context, command: object): Promise<void> {
  try {
    await (await clients.stepFunctions()).send(command as never);
  } catch (cause) {
    const { name } = cause as Error;
    if (name === 'TaskTimedOut' || name === 'TaskDoesNotExist' || name === 'InvalidToken') {
      throw new CommandError('refused', 'The question was answered already, or its time is over', { cause });
    }
    throw explain(cause, 'answer the recovery', target.label);
  }
}
