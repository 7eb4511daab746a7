import { failureQueueName } from '../core/contract';
import type { Context } from './context';
import { CommandError, explain } from './errors';

/** URL of the queue with the requests to a function that failed for good. */
export async function failureQueueUrl(
  { clients, target }: Pick<Context, 'clients' | 'target'>,
  stem: string,
): Promise<string> {
  const { GetQueueUrlCommand } = await import('@aws-sdk/client-sqs');
  const name = failureQueueName(target.environment, stem);
  try {
    const { QueueUrl: url = '' } = await (await clients.sqs()).send(new GetQueueUrlCommand({ QueueName: name }));
    return url;
  } catch (cause) {
    if ((cause as Error).name.endsWith('QueueDoesNotExist')) {
      const reason = `${target.label} has no queue ${name}: ${stem} is no function, or is invoked synchronously only`;
      throw new CommandError('refused', reason, { cause });
    }
    throw explain(cause, `look up the queue ${name}`, target.label);
  }
}
