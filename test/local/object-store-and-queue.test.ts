import { randomBytes } from 'node:crypto';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { CreateQueueCommand, ReceiveMessageCommand, SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { QUEUE_ACCOUNT } from '../../local/aws/object-store-and-queue';
import { sqsClient } from '../../local/platform/resources';
import { createBucket, objectStore } from '../support/object-store';
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

test('the store refuses a write whose condition does not hold, as S3 does', async () => {
  const s3 = objectStore();
  try {
    const Bucket = await createBucket(s3);
    // A key with characters that a URL escapes, and an object that is written again.
    const put = (Body: string, condition: { IfMatch?: string; IfNoneMatch?: string }, Key = 'a b/ü+1') =>
      s3.send(new PutObjectCommand({ Bucket, Key, Body, ...condition }));
    const refused = (name: string, httpStatusCode: number) => ({ name, $metadata: { httpStatusCode } });
    const { ETag: first } = await put('first', { IfNoneMatch: '*' });
    await expect(put('other', { IfNoneMatch: '*' })).rejects.toMatchObject(refused('PreconditionFailed', 412));
    await put('second', { IfMatch: first ?? '' });
    await expect(put('third', { IfMatch: first ?? '' })).rejects.toMatchObject(refused('PreconditionFailed', 412));
    await expect(put('new', { IfMatch: first ?? '' }, 'new')).rejects.toMatchObject(refused('NoSuchKey', 404));
  } finally {
    s3.destroy();
  }
});
