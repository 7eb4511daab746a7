import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { CreateQueueCommand, GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { PlatformTemplate, QueueDefinition } from '../template/platform-template';

/** The emulator checks no credentials, but requests carry some, and the queue's region is read from them. */
export const CREDENTIALS = { accessKeyId: 'local', secretAccessKey: 'local' };

/** A client of the local SQS. */
export function sqsClient(endpoint: string, region: string): SQSClient {
  return new SQSClient({ endpoint, region, credentials: CREDENTIALS });
}

async function createQueue(sqs: SQSClient, queue: QueueDefinition, deadLetterArn?: string): Promise<string> {
  const attributes: Record<string, string> = { VisibilityTimeout: String(queue.visibilityTimeoutSeconds) };
  if (deadLetterArn !== undefined) {
    attributes.RedrivePolicy = JSON.stringify({
      deadLetterTargetArn: deadLetterArn,
      maxReceiveCount: queue.redrive?.maxReceiveCount,
    });
  }
  await sqs.send(new CreateQueueCommand({ QueueName: queue.name, Attributes: attributes }));
  const command = new GetQueueAttributesCommand({ QueueUrl: queue.url, AttributeNames: ['QueueArn'] });
  const { Attributes: { QueueArn: arn } = {} } = await sqs.send(command);
  if (arn === undefined) throw new Error(`Queue ${queue.name} has no ARN.`);
  return arn;
}

/** Creates the template's buckets and queues; a queue after the one that takes what it gives up on. */
export async function createResources(template: PlatformTemplate, endpoint: string, sqs: SQSClient): Promise<void> {
  const s3 = new S3Client({ endpoint, region: template.region, credentials: CREDENTIALS, forcePathStyle: true });
  const createBuckets = template.buckets.map((Bucket) => s3.send(new CreateBucketCommand({ Bucket })));
  const arns = new Map<string, string>();
  for (const queue of template.queues.filter(({ redrive }) => redrive === undefined)) {
    arns.set(queue.arn, await createQueue(sqs, queue));
  }
  for (const queue of template.queues.filter(({ redrive }) => redrive !== undefined)) {
    const deadLetterArn = arns.get(queue.redrive?.deadLetterArn ?? '');
    if (deadLetterArn === undefined) throw new Error(`The dead-letter queue of ${queue.name} is not in the template.`);
    await createQueue(sqs, queue, deadLetterArn);
  }
  await Promise.all(createBuckets);
  s3.destroy();
}
