import { Duration } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import type { DatabaseName } from '../../../core/contract';
import type { InspectEnvironment } from '../../../lambdas/inspect/contract';
import { BACKUP_POLICIES } from '../../config/policies';
import { passwordSecretsOf, type DatabaseAccess } from '../../data/database-access';
import { type ArchiveAccess, archiveEnvironment, grantReadingArchives } from '../archive-access';
import { billingDatabaseEnvironment, loginSecretsEnvironment, mainDatabaseEnvironment } from '../database-connection';
import type { EventQueue } from '../event-queue';
import { OperationalFunction, type OperationsContext } from '../operational-function';

export interface InspectProps {
  /** What all functions of the environment share. */
  readonly context: OperationsContext;
  /** How to reach each database. */
  readonly databases: Readonly<Record<DatabaseName, DatabaseAccess>>;
  /** The archives of the environment. */
  readonly archives: ArchiveAccess;
  /** Queue of the events, and the one of those that are parked; their messages are counted. */
  readonly queues: EventQueue;
  /** Secret with the key of the Stripe API, whose age is reported. */
  readonly stripeApiSecretArn: string;
  /** Secret with Stripe's signing secrets, whose age is reported. */
  readonly stripeSigningSecretArn: string;
}

/** Answers what operators ask about the state of the platform. It changes nothing. */
export class Inspect extends Construct {
  readonly function: IFunction;

  constructor(scope: Construct, id: string, props: InspectProps) {
    super(scope, id);
    const { archives, queues, stripeApiSecretArn, stripeSigningSecretArn } = props;
    const { billing, main } = props.databases;
    const { function: fn } = new OperationalFunction<InspectEnvironment>(this, 'Inspect', {
      context: props.context,
      stem: 'inspect',
      description: 'Answers questions of operators about databases, archives, events and queues',
      environment: {
        ...billingDatabaseEnvironment(billing),
        ...mainDatabaseEnvironment(main),
        ...archiveEnvironment(archives),
        BILLING_FREQUENCY_HOURS: String(BACKUP_POLICIES.billing.frequencyHours),
        MAIN_FREQUENCY_HOURS: String(BACKUP_POLICIES.main.frequencyHours),
        QUEUE_URL: queues.queue.queueUrl,
        DEAD_LETTER_QUEUE_URL: queues.deadLetterQueue.queueUrl,
        STRIPE_API_SECRET_ARN: stripeApiSecretArn,
        STRIPE_SIGNING_SECRET_ARN: stripeSigningSecretArn,
        ...loginSecretsEnvironment(props.databases),
      },
      timeout: Duration.minutes(1),
      memorySize: 512,
      databases: [billing, main],
      // Several people look at an incident at the same time.
      reservedConcurrentExecutions: 3,
    });
    this.function = fn;
    grantReadingArchives(fn, archives);
    fn.addToRolePolicy(
      new PolicyStatement({
        // The number of messages, not the messages.
        actions: ['sqs:GetQueueAttributes'],
        resources: [queues.queue.queueArn, queues.deadLetterQueue.queueArn],
      }),
    );
    fn.addToRolePolicy(
      new PolicyStatement({
        // The dates of the versions of a secret, not their values.
        actions: ['secretsmanager:ListSecretVersionIds'],
        resources: [...new Set([billing, main].flatMap(passwordSecretsOf)), stripeApiSecretArn, stripeSigningSecretArn],
      }),
    );
    fn.addToRolePolicy(
      new PolicyStatement({
        // DescribeAlarms is allowed for all alarms or none; by its prefix it asks for those of the environment.
        actions: ['cloudwatch:DescribeAlarms'],
        resources: ['*'],
      }),
    );
  }
}
