import { Duration } from 'aws-cdk-lib';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import { MAX_RECEIVES } from '../../lambdas/processor/contract';
import { acknowledge } from '../policy/acknowledge';
import { operationalQueue } from './operational-queue';
import { parameterName } from '../config/parameter-name';
import { removalPolicyOf } from '../config/removal-policy';

/**
 * Systems Manager parameter with the name of a queue, for Monitoring. The queues have no fixed names, because they outlive
 * their stack; and the stack exports nothing, because an export cannot change while it is in use.
 */
export function queueParameterName(environmentName: string, queue: 'events' | 'parked'): string {
  return parameterName(environmentName, `${queue}-queue`);
}

export interface EventQueueProps {
  /** Name of the environment, which names contain. */
  readonly environmentName: string;
  /** Timeout of the function that takes events from the queue. */
  readonly consumerTimeout: Duration;
  /** Keep the queues and their messages when the stack is removed. */
  readonly removalProtection: boolean;
}

/** Verified events between `webhook` and `processor`; those that failed every attempt are parked. */
export class EventQueue extends Construct {
  readonly queue: Queue;
  readonly deadLetterQueue: Queue;

  constructor(scope: Construct, id: string, props: EventQueueProps) {
    super(scope, id);
    // An event that was acknowledged to Stripe exists only here until it is applied.
    const removalPolicy = removalPolicyOf(props.removalProtection);
    this.deadLetterQueue = operationalQueue(this, 'Parked', {
      removalPolicy,
      retention: Duration.days(14),
    });
    acknowledge(this.deadLetterQueue, {
      nag: ['Serverless-SQSRedrivePolicy'],
      reason:
        'This is the dead-letter queue: an operator has parked events applied again, or reconciliation fetches them from Stripe',
    });
    this.queue = operationalQueue(this, 'Events', {
      removalPolicy,
      // The rule of AWS for event sources. Shorter delivers an event again while its first batch still runs.
      visibilityTimeout: Duration.seconds(props.consumerTimeout.toSeconds() * 6),
      // Shorter than that of the parked queue: a message keeps its age when it is parked.
      retention: Duration.days(4),
      deadLetterQueue: { queue: this.deadLetterQueue, maxReceiveCount: MAX_RECEIVES },
    });
    for (const [queue, { queueName }] of [
      ['events', this.queue],
      ['parked', this.deadLetterQueue],
    ] as const) {
      new StringParameter(this, `${queue}Name`, {
        parameterName: queueParameterName(props.environmentName, queue),
        description: 'Name of a queue, for its alarms',
        stringValue: queueName,
      });
    }
  }
}
