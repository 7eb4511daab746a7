import { randomBytes, randomUUID } from 'node:crypto';
import {
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { discard } from '../../../lambdas/replay/discard';
import { testServices } from '../../support/services';

const EVENT = {
  id: 'evt_parked',
  object: 'event',
  type: 'invoice.paid',
  created: 1_764_000_000,
  livemode: false,
  api_version: null,
  data: { object: { id: 'in_1', object: 'invoice' } },
};

let sqs: SQSClient;
let deadLetterQueueUrl: string;

beforeEach(async () => {
  sqs = new SQSClient({ endpoint: testServices().awsEndpoint });
  const name = `discard-${randomBytes(6).toString('hex')}`;
  deadLetterQueueUrl = (await sqs.send(new CreateQueueCommand({ QueueName: name }))).QueueUrl ?? '';
});
afterEach(() => {
  jest.restoreAllMocks();
  sqs.destroy();
});

async function park(body: string | object, provider?: string): Promise<string> {
  const MessageBody = typeof body === 'string' ? body : JSON.stringify(body);
  const MessageAttributes = provider && { provider: { DataType: 'String', StringValue: provider } };
  const command = new SendMessageCommand({
    QueueUrl: deadLetterQueueUrl,
    MessageBody,
    ...(MessageAttributes && { MessageAttributes }),
  });
  return (await sqs.send(command)).MessageId ?? '';
}

async function parked(): Promise<Record<string, string> | undefined> {
  const AttributeNames = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'] as const;
  const command = new GetQueueAttributesCommand({ QueueUrl: deadLetterQueueUrl, AttributeNames: [...AttributeNames] });
  return (await sqs.send(command)).Attributes;
}
const visible = (count: number) => ({
  ApproximateNumberOfMessages: String(count),
  ApproximateNumberOfMessagesNotVisible: '0',
});

const run = (messages: readonly string[], dryRun = false, stop = new AbortController().signal) =>
  discard({ sqs, deadLetterQueueUrl, stop }, { messages, dryRun });

test('the named message that is no event is deleted, and every other stays to be seen', async () => {
  const ids: string[] = [];
  for (let index = 0; index < 24; index += 1) ids.push(await park(`by hand ${index}`));
  const [named = ''] = ids.slice(20);

  expect(await run([named])).toEqual({
    action: 'discard',
    dryRun: false,
    messages: [
      {
        message: named,
        outcome: 'deleted',
        sentAt: expect.stringMatching(/^20/) as string,
        bytes: 10,
        reason: 'The body is not JSON',
      },
    ],
  });
  expect(await parked()).toEqual(visible(23));
  expect(await run([named])).toMatchObject({ messages: [{ message: named, outcome: 'notFound' }] });
});

test('a dry run says what would be deleted, and deletes nothing', async () => {
  const message = await park({ id: 'jane@example.com' });

  const report = await run([message], true);

  expect(report).toMatchObject({ dryRun: true, messages: [{ message, outcome: 'wouldDelete' }] });
  expect(JSON.stringify(report)).not.toContain('jane');
  expect(await parked()).toEqual(visible(1));
});

test('a message that holds an event stays parked beside one that does not', async () => {
  const event = await park(EVENT);
  const foreign = await park(EVENT, 'paypal');
  // Has the id and type of an event, which the processor reads no further than that.
  const cutOff = await park({ id: 'evt_1', type: 'invoice.paid' });

  expect((await run([event, foreign, cutOff])).messages).toMatchObject([
    { message: event, outcome: 'isEvent', event: 'evt_parked' },
    { message: foreign, outcome: 'deleted', reason: 'provider: expected one of `stripe`, `tilled`, not `paypal`' },
    { message: cutOff, outcome: 'deleted' },
  ]);
  expect(await parked()).toEqual(visible(1));
});

test('what SQS does not delete is an error that names the message, which stays parked', async () => {
  const message = await park('by hand');
  const send = sqs.send.bind(sqs);
  jest.spyOn(sqs, 'send').mockImplementation((command: unknown) => {
    if (!(command instanceof DeleteMessageBatchCommand)) return send(command as never) as never;
    return Promise.resolve({ Failed: [{ Id: '0', Code: 'InternalError', SenderFault: false }] }) as never;
  });

  await expect(run([message])).rejects.toMatchObject({
    code: 'redrive_failed',
    message: `SQS did not delete message ${message}: InternalError`,
  });
  expect(await parked()).toEqual(visible(1));
});

test('a search that is out of time ends with an error, and not with a message that is not there', async () => {
  const timeIsUp = new AbortController();
  timeIsUp.abort();
  await expect(run([randomUUID()], false, timeIsUp.signal)).rejects.toMatchObject({ code: 'redrive_failed' });
});
