import { randomBytes } from 'node:crypto';
import {
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { redrive } from '../../../lambdas/replay/redrive';
import { testServices } from '../../support/services';

let sqs: SQSClient;
let queueUrl: string;
let deadLetterQueueUrl: string;

beforeEach(async () => {
  sqs = new SQSClient({ endpoint: testServices().awsEndpoint });
  [queueUrl, deadLetterQueueUrl] = await Promise.all([createQueue(), createQueue()]);
});
afterEach(() => sqs.destroy());

async function createQueue(): Promise<string> {
  const name = `redrive-${randomBytes(6).toString('hex')}`;
  return (await sqs.send(new CreateQueueCommand({ QueueName: name }))).QueueUrl ?? '';
}

async function park(count: number, bodyOf = (index: number) => `event ${index}`): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    await sqs.send(new SendMessageCommand({ QueueUrl: deadLetterQueueUrl, MessageBody: bodyOf(index) }));
  }
}

const run = (options: { limit?: number; dryRun?: boolean }, stop = new AbortController().signal) =>
  redrive({ sqs, queueUrl, deadLetterQueueUrl, stop }, { dryRun: false, ...options });

async function visible(url: string): Promise<number> {
  const command = new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['ApproximateNumberOfMessages'] });
  return Number((await sqs.send(command)).Attributes?.ApproximateNumberOfMessages);
}

async function bodies(url: string): Promise<string[]> {
  const found: string[] = [];
  for (;;) {
    const { Messages: messages = [] } = await sqs.send(
      new ReceiveMessageCommand({ QueueUrl: url, MaxNumberOfMessages: 10 }),
    );
    if (messages.length === 0) return found.toSorted();
    found.push(...messages.map(({ Body }) => Body ?? ''));
  }
}

const events = (count: number) => Array.from({ length: count }, (_, index) => `event ${index}`).toSorted();

test('every parked message is moved back with its body, and none stays', async () => {
  await park(23);

  expect(await run({})).toEqual({ action: 'redrive', dryRun: false, parked: 23, moved: 23 });
  expect(await bodies(queueUrl)).toEqual(events(23));
  expect(await bodies(deadLetterQueueUrl)).toEqual([]);
});

test('messages that are too large for one batch are all moved', async () => {
  await park(5, (index) => `${index}`.padEnd(300_000, '€x'));

  expect(await run({})).toMatchObject({ parked: 5, moved: 5 });
  expect((await bodies(queueUrl)).map((body) => body[0])).toEqual(['0', '1', '2', '3', '4']);
  expect(await bodies(deadLetterQueueUrl)).toEqual([]);
});

test('a dry run counts the parked messages and moves none', async () => {
  await park(3);

  expect(await run({ dryRun: true })).toEqual({ action: 'redrive', dryRun: true, parked: 3, moved: 0 });
  expect(await visible(deadLetterQueueUrl)).toBe(3);
});

test('a message that somebody looks at counts as parked', async () => {
  await park(3);
  await sqs.send(new ReceiveMessageCommand({ QueueUrl: deadLetterQueueUrl, VisibilityTimeout: 30 }));

  expect(await run({ dryRun: true })).toMatchObject({ parked: 3 });
  expect(await run({})).toMatchObject({ parked: 3, moved: 2 });
});

test('a limit moves no more messages than it says', async () => {
  await park(13);

  expect(await run({ limit: 12 })).toMatchObject({ parked: 13, moved: 12 });
  expect(await visible(queueUrl)).toBe(12);
});

test('a redrive that is out of time answers with the request that continues', async () => {
  await park(2);
  const timeIsUp = new AbortController();
  timeIsUp.abort();

  expect(await run({}, timeIsUp.signal)).toMatchObject({ moved: 0, next: { action: 'redrive', limit: 2 } });
});

test('a redrive that is killed between sending and deleting loses no message: each is in one queue or in both', async () => {
  await park(10);
  const send = sqs.send.bind(sqs);
  jest.spyOn(sqs, 'send').mockImplementation((command: unknown) => {
    if (command instanceof DeleteMessageBatchCommand) return Promise.reject(new Error('killed')) as never;
    return send(command as never) as never;
  });

  await expect(run({})).rejects.toThrow('killed');
  jest.restoreAllMocks();

  expect(await bodies(queueUrl)).toEqual(events(10));
  const command = new GetQueueAttributesCommand({
    QueueUrl: deadLetterQueueUrl,
    AttributeNames: ['ApproximateNumberOfMessagesNotVisible'],
  });
  expect((await sqs.send(command)).Attributes).toEqual({ ApproximateNumberOfMessagesNotVisible: '10' });
});

test('a redrive that is killed before sending leaves every message parked', async () => {
  await park(10);
  const send = sqs.send.bind(sqs);
  jest.spyOn(sqs, 'send').mockImplementation((command: unknown) => {
    if (command instanceof ReceiveMessageCommand || command instanceof GetQueueAttributesCommand) {
      return send(command as never) as never;
    }
    return Promise.reject(new Error('killed')) as never;
  });

  await expect(run({})).rejects.toThrow('killed');
  jest.restoreAllMocks();

  expect(await visible(queueUrl)).toBe(0);
  const command = new GetQueueAttributesCommand({ QueueUrl: deadLetterQueueUrl, AttributeNames: ['All'] });
  expect((await sqs.send(command)).Attributes).toMatchObject({ ApproximateNumberOfMessagesNotVisible: '10' });
});
