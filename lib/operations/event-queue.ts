import { Duration } from 'aws-cdk-lib';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import { MAX_ATTEMPTS } from '../../lambdas/processor/contract';
import { acknowledge } from '../policy/acknowledge';
import { operationalQueue } from './operational-queue';
import { removalPolicyOf } from '../config/removal-policy';

/**
 * Parameter in Systems Manager that holds the name of a queue, for whoever only watches it. The queues have no fixed
 * names, because they outlive their stack; and the stack exports nothing, because an export cannot change while it is used.
 */
export function queueParameterName(environmentName: string, queue: 'events' | 'parked'): string {
  return `/billing-operations/${environmentName}/${queue}-queue`;
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
    // What was acknowledged to Stripe and is not in the database yet is nowhere else.
    const removalPolicy = removalPolicyOf(props.removalProtection);
    this.deadLetterQueue = operationalQueue(this, 'Parked', {
      removalPolicy,
      retention: Duration.days(14),
    });
    acknowledge(this.deadLetterQueue, {
      nag: ['Serverless-SQSRedrivePolicy'],
      reason:
        'Is itself the dead-letter queue: an operator has parked events applied again, or they are had from Stripe',
    });
    this.queue = operationalQueue(this, 'Events', {
      removalPolicy,
      // AWS's rule for event sources. Shorter delivers an event again while its first batch still runs.
      visibilityTimeout: Duration.seconds(props.consumerTimeout.toSeconds() * 6),
      // Shorter than the parked queue's: a parked message keeps the age that it has.
      retention: Duration.days(4),
      deadLetterQueue: { queue: this.deadLetterQueue, maxReceiveCount: MAX_ATTEMPTS },
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
