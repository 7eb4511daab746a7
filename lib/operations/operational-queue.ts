import type { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { Queue, QueueEncryption, type DeadLetterQueue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { acknowledge } from '../policy/acknowledge';

export interface OperationalQueueProps {
  /** SQS keeps a message 14 days at most. */
  readonly retention: Duration;
  /** @default - made up by CloudFormation */
  readonly queueName?: string;
  /** Where messages go that were received too often. @default - nowhere, and `endsHere` says why */
  readonly deadLetterQueue?: DeadLetterQueue;
  /** Why a message that is not taken goes nowhere else. @default - it goes to the dead-letter queue */
  readonly endsHere?: string;
  /** How long a message is hidden from others once it was received. @default - 30 seconds */
  readonly visibilityTimeout?: Duration;
  /** @default - removed with the stack */
  readonly removalPolicy?: RemovalPolicy;
}

/** A queue that is encrypted and refuses plain HTTP. */
export function operationalQueue(scope: Construct, id: string, props: OperationalQueueProps): Queue {
  const { retention, endsHere, ...queueProps } = props;
  const queue = new Queue(scope, id, {
    encryption: QueueEncryption.SQS_MANAGED,
    enforceSSL: true,
    retentionPeriod: retention,
    ...queueProps,
  });
  acknowledge(queue, {
    checkov: ['CKV_AWS_27'],
    reason:
      'Encrypted with the key of SQS, which checkov does not look for; whoever may read the queue is said by its policy',
  });
  if (endsHere !== undefined) {
    acknowledge(queue, { nag: ['AwsSolutions-SQS3', 'Serverless-SQSRedrivePolicy'], reason: endsHere });
  }
  return queue;
}
