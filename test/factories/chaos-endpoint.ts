import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs';
import { startEventSource, type EventSource } from '../../local/aws/event-source';
import type { LocalFunction } from '../../local/aws/lambda-runtime';
import { testServices } from '../support/services';

/** A function whose process is killed with SIGKILL now and then; the next invocation gets another. */
export class Mortal {
  /** Invocations that a kill took down. */
  killed = 0;
  private current: LocalFunction;

  constructor(private readonly start: () => LocalFunction) {
    this.current = start();
  }

  /**
   * @param killAfterMs kills the process so long after the invocation began. @default - it lives
   * @throws FunctionError when the function threw or was killed
   */
  async invoke(event: unknown, killAfterMs?: number): Promise<unknown> {
    const doomed = this.current;
    const timer =
      killAfterMs === undefined
        ? undefined
        : setTimeout(() => {
            doomed.stop();
            this.current = this.start();
          }, killAfterMs);
    try {
      const answer = await doomed.invoke(event);
      clearTimeout(timer);
      return answer;
    } catch (error) {
      if (killAfterMs !== undefined) this.killed += 1;
      throw error;
    }
  }
}

/** A queue whose messages come again after a second when nothing finished them. */
export async function createFastQueue(name: string): Promise<string> {
  const sqs = new SQSClient({ endpoint: testServices().awsEndpoint });
  await sqs.send(new CreateQueueCommand({ QueueName: name, Attributes: { VisibilityTimeout: '1' } }));
  sqs.destroy();
  return `${testServices().awsEndpoint}/000000000000/${name}`;
}

/** Takes what is in the queue to `invoke`, as Lambda does, 40 messages at a time. */
export function drainQueue(url: string, invoke: (event: unknown) => Promise<unknown>): EventSource {
  const sqs = new SQSClient({ endpoint: testServices().awsEndpoint });
  const arn = 'arn:aws:sqs:eu-central-1:000000000000:chaos';
  const source = startEventSource({
    sqs,
    definition: {
      queueArn: arn,
      functionName: 'processor',
      batchSize: 40,
      batchingWindowSeconds: 0,
      reportsBatchItemFailures: true,
    },
    queue: { name: 'chaos', arn, url, visibilityTimeoutSeconds: 1, redrive: undefined },
    region: 'eu-central-1',
    invoke,
    log: () => undefined,
  });
  return {
    async stop() {
      await source.stop();
      sqs.destroy();
    },
  };
}
