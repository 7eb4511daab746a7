import { Duration } from 'aws-cdk-lib';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { MAX_ATTEMPTS } from '../../lambdas/processor/contract';
import { removalPolicyOf } from '../config/removal-policy';

/** Name of the queue of verified events, for whoever only watches it. */
export function eventQueueName(environmentName: string): string {
  return `BillingOps-${environmentName}-events`;
}

/** Name of the queue in which events are parked, for whoever only watches it. */
export function parkedQueueName(environmentName: string): string {
  return `BillingOps-${environmentName}-parked`;
}

export interface EventQueueProps {
  readonly environmentName: string;
  /** Timeout of the function that takes events from the queue. */
  readonly consumerTimeout: Duration;
  /** Keep the queues, with what is in them, when the stack is removed. */
  readonly removalProtection: boolean;
}

/** Verified events between `webhook` and `processor`; those that failed every attempt are parked. */
export class EventQueue extends Construct {
  readonly queue: Queue;
  readonly deadLetterQueue: Queue;

  constructor(scope: Construct, id: string, props: EventQueueProps) {
    super(scope, id);
    // What was acknowledged to Stripe and is not in the database yet is nowhere else. The names are fixed so that a stack
    // that is made again does not quietly begin with empty queues beside the ones that were kept: empty those first.
    const removalPolicy = removalPolicyOf(props.removalProtection);
    this.deadLetterQueue = new Queue(this, 'Parked', {
      queueName: parkedQueueName(props.environmentName),
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      removalPolicy,
      retentionPeriod: Duration.days(14),
    });
    this.queue = new Queue(this, 'Events', {
      queueName: eventQueueName(props.environmentName),
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      removalPolicy,
      // AWS's rule for event sources. Shorter delivers an event again while its first batch still runs.
      visibilityTimeout: Duration.seconds(props.consumerTimeout.toSeconds() * 6),
      // Shorter than the parked queue's: a parked message keeps the age that it has.
      retentionPeriod: Duration.days(4),
      deadLetterQueue: { queue: this.deadLetterQueue, maxReceiveCount: MAX_ATTEMPTS },
    });
  }
}
