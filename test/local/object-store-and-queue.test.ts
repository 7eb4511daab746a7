import { randomBytes } from 'node:crypto';
import { CreateQueueCommand, ReceiveMessageCommand, SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { QUEUE_ACCOUNT } from '../../local/aws/object-store-and-queue';
import { sqsClient } from '../../local/platform/resources';
import { testServices } from '../support/services';

let sqs: SQSClient;
let QueueUrl: string;

beforeAll(async () => {
  const { awsEndpoint } = testServices();
  sqs = sqsClient(awsEndpoint, 'eu-central-1');
  const QueueName = `alphabet-${randomBytes(6).toString('hex')}`;
  await sqs.send(new CreateQueueCommand({ QueueName }));
  QueueUrl = `${awsEndpoint}/${QUEUE_ACCOUNT}/${QueueName}`;
});
afterAll(() => sqs.destroy());

test.each(['Zoë 🎉', '𠮷野家', '\u{10FFFF}', '\uFFFD', '\t\n\r'])(
  'the queue carries the message %j unchanged, as SQS does',
  async (MessageBody) => {
    await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody }));

    const { Messages } = await sqs.send(new ReceiveMessageCommand({ QueueUrl }));

    expect(Messages).toMatchObject([{ Body: MessageBody }]);
  },
);

test.each(['\uFFFE', '\uFFFF', '\u0000', '\u001F'])(
  'the queue refuses the message %j, as SQS does',
  async (MessageBody) => {
    const sending = sqs.send(new SendMessageCommand({ QueueUrl, MessageBody }));

    await expect(sending).rejects.toThrow('Invalid characters found');
  },
);
