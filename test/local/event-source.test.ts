import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  type Message,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import type { SQSEvent } from 'aws-lambda';
import { failedIds, startEventSource, type EventSource } from '../../local/aws/event-source';
import { QUEUE_ACCOUNT } from '../../local/aws/object-store-and-queue';
import { waitUntil } from '../../local/pass/check';
import { sqsClient } from '../../local/platform/resources';
import { testServices } from '../support/services';

const REGION = 'eu-central-1';
const DEADLINE_MS = 15_000;

describe('the messages that count as failed are', () => {
  const messages: Message[] = [{ MessageId: 'a' }, { MessageId: 'b' }];
  const failures = (...ids: string[]): object => ({
    batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })),
  });

  test.each<[string, unknown, string[]]>([
    ['none, when there is no answer', null, []],
    ['none, when there is no list', {}, []],
    ['none, when the list is empty', failures(), []],
    ['the one that is listed', failures('b'), ['b']],
    ['all, when an id is empty', failures(''), ['a', 'b']],
    ['all, when an id is unknown', failures('a', 'x'), ['a', 'b']],
  ])('%s', (_case, response, expected) => {
    expect([...failedIds(response, messages)]).toEqual(expected);
  });
});

describe('the event source', () => {
  let sqs: SQSClient;
  let url: string;
  let name: string;
  let source: EventSource | undefined;
  let batches: string[][];

  beforeEach(async () => {
    const { awsEndpoint } = testServices();
    sqs = sqsClient(awsEndpoint, REGION);
    name = `queue-${randomBytes(6).toString('hex')}`;
    url = `${awsEndpoint}/${QUEUE_ACCOUNT}/${name}`;
    batches = [];
    await sqs.send(new CreateQueueCommand({ QueueName: name, Attributes: { VisibilityTimeout: '60' } }));
  });
  afterEach(async () => {
    await source?.stop();
    sqs.destroy();
  });

  async function send(...bodies: string[]): Promise<void> {
    for (const MessageBody of bodies) await sqs.send(new SendMessageCommand({ QueueUrl: url, MessageBody }));
  }

  function poll(batchSize: number, respond: (event: SQSEvent) => unknown, batchingWindowSeconds = 0): void {
    const arn = `arn:aws:sqs:${REGION}:${QUEUE_ACCOUNT}:${name}`;
    source = startEventSource({
      sqs,
      region: REGION,
      queue: { name, arn, url, visibilityTimeoutSeconds: 60, redrive: undefined },
      definition: {
        queueArn: arn,
        functionName: 'fn',
        batchSize,
        batchingWindowSeconds,
        reportsBatchItemFailures: true,
      },
      invoke: async (event) => {
        batches.push(event.Records.map(({ body }) => body));
        return respond(event);
      },
      log: () => undefined,
    });
  }

  /** Messages that are waiting or hidden. */
  async function left(): Promise<number> {
    const AttributeNames = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'] as const;
    const { Attributes } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: [...AttributeNames] }),
    );
    return AttributeNames.reduce((sum, attribute) => sum + Number(Attributes?.[attribute]), 0);
  }

  async function untilHandled(count: number): Promise<void> {
    await waitUntil(async () => {
      const handled = batches.flat().length;
      return handled === count ? undefined : `${handled} of ${count} messages were handled`;
    }, DEADLINE_MS);
  }

  test('deletes messages that the function processed', async () => {
    await send('one', 'two', 'three');
    poll(2, () => null);

    await untilHandled(3);
    await waitUntil(async () => ((await left()) === 0 ? undefined : 'messages are left'), DEADLINE_MS);

    expect(batches.every((batch) => batch.length <= 2)).toBe(true);
  });

  test('leaves only the failed messages in the queue', async () => {
    await send('good', 'bad');
    poll(10, ({ Records }) => ({
      batchItemFailures: Records.filter(({ body }) => body === 'bad').map(({ messageId }) => ({
        itemIdentifier: messageId,
      })),
    }));

    await untilHandled(2);
    await source?.stop();

    expect(await left()).toBe(1);
  });

  test('leaves a batch in the queue whose invocation fails', async () => {
    await send('one');
    poll(10, () => {
      throw new Error('broken');
    });

    await untilHandled(1);
    await source?.stop();

    expect(await left()).toBe(1);
  });

  test('gathers messages that arrive one by one to one batch, without a request for each', async () => {
    const count = 40;
    const commands = jest.spyOn(sqs, 'send');
    poll(count, () => null, 20);

    for (let index = 0; index < count; index += 1) {
      await send(String(index));
      await sleep(10);
    }
    await untilHandled(count);

    expect(batches).toHaveLength(1);
    const receives = commands.mock.calls.filter(([command]) => command instanceof ReceiveMessageCommand);
    expect(receives.length).toBeLessThan(count);
  });
});
