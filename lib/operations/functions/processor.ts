import { Duration } from 'aws-cdk-lib';
import { EventSourceMapping } from 'aws-cdk-lib/aws-lambda';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { BATCH_SIZE, type ProcessorEnvironment } from '../../../lambdas/processor/contract';
import { acknowledge } from '../../policy/acknowledge';
import type { DatabaseAccess } from '../../data/database-access';
import { billingDatabaseEnvironment } from '../database-connection';
import type { EntitlementCache } from '../entitlement-cache';
import { OperationalFunction, type OperationsContext } from '../operational-function';
import { objectDefaults } from '../stripe-access';

/** How long one batch may take. The queue hides its messages for six times as long. */
export const PROCESSOR_TIMEOUT = Duration.seconds(30);

export interface ProcessorProps {
  /** What all functions of the environment share. */
  readonly context: OperationsContext;
  /** Queue with the verified events. */
  readonly queue: IQueue;
  /** Where events are parked that failed every attempt. */
  readonly deadLetterQueue: IQueue;
  /** How to reach the billing database. */
  readonly billing: DatabaseAccess;
  /** Where entitlements that an event changed are invalidated. @default - no cache */
  readonly cache?: EntitlementCache;
}

/** Applies verified events to the billing database. */
export class Processor extends Construct {
  constructor(scope: Construct, id: string, props: ProcessorProps) {
    super(scope, id);
    // Batches at a time, which is also the number of database connections: each instance holds one.
    const { processorConcurrency } = props.context.config;
    const target = new OperationalFunction<ProcessorEnvironment>(this, 'Processor', {
      context: props.context,
      stem: 'processor',
      description: 'Applies Stripe events to the billing database',
      environment: {
        ...billingDatabaseEnvironment(props.billing),
        ...objectDefaults(props.context.config),
        CACHE_URL: props.cache?.url ?? '',
        DEAD_LETTER_QUEUE_URL: props.deadLetterQueue.queueUrl,
      },
      timeout: PROCESSOR_TIMEOUT,
      memorySize: 512,
      databases: [props.billing],
      // Reserved, so that no other function of the account can delay the events.
      reservedConcurrentExecutions: processorConcurrency,
      gradual: true,
    });
    props.deadLetterQueue.grantSendMessages(target.function);
    props.cache?.allowAccess(target);
    target.live.addEventSource(
      new SqsEventSource(props.queue, {
        batchSize: BATCH_SIZE,
        maxBatchingWindow: Duration.seconds(1),
        maxConcurrency: processorConcurrency,
        reportBatchItemFailures: true,
      }),
    );
    const mapping = target.live.node.findAll().find((child) => child instanceof EventSourceMapping);
    if (!mapping) throw new Error('The processor has no event source');
    acknowledge(mapping, {
      nag: ['Serverless-LambdaEventSourceMappingDestination'],
      reason:
        'An SQS event source supports no failure destination: the redrive policy of the queue parks events that fail too often',
    });
  }
}
