import { Duration } from 'aws-cdk-lib';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import type { ReplayEnvironment } from '../../../lambdas/replay/contract';
import type { DatabaseAccess } from '../../data/database-access';
import { billingDatabaseEnvironment } from '../database-connection';
import type { EntitlementCache } from '../entitlement-cache';
import type { EventQueue } from '../event-queue';
import { OperationalFunction, type OperationsContext } from '../operational-function';
import { grantStripeApi, objectDefaults, stripeApiEnvironment, type StripeApiSecret } from '../stripe-access';
import { grantTilledApi, tilledApiEnvironment, type TilledApiSecret } from '../tilled-access';

export interface ReplayProps {
  /** What all functions of the environment share. */
  readonly context: OperationsContext;
  /** How to reach the billing database. */
  readonly billing: DatabaseAccess;
  /** Queue of the events, and the one of those that are parked. */
  readonly queues: EventQueue;
  /** Secret with the key of the Stripe API. */
  readonly stripeApiSecret: StripeApiSecret;
  /** Secret with the key of the Tilled API. @default - the environment takes no Tilled */
  readonly tilledApiSecret?: TilledApiSecret | undefined;
  /** Where entitlements that a replayed event changed are invalidated. @default - no cache */
  readonly cache?: EntitlementCache;
}

/**
 * Finds gaps in the received events, and applies single events, failed events or those of a range again. Invoked by an
 * operator.
 */
export class Replay extends Construct {
  readonly function: IFunction;

  constructor(scope: Construct, id: string, props: ReplayProps) {
    super(scope, id);
    const { context, queues, stripeApiSecret, tilledApiSecret } = props;
    const target = new OperationalFunction<ReplayEnvironment>(this, 'Replay', {
      context,
      stem: 'replay',
      description: 'Finds gaps in the received events, and applies events again',
      environment: {
        ...billingDatabaseEnvironment(props.billing),
        ...stripeApiEnvironment(stripeApiSecret, context.config),
        ...tilledApiEnvironment(tilledApiSecret, context.config),
        ...objectDefaults(context.config),
        CACHE_URL: props.cache?.url ?? '',
        QUEUE_URL: queues.queue.queueUrl,
        DEAD_LETTER_QUEUE_URL: queues.deadLetterQueue.queueUrl,
      },
      timeout: Duration.minutes(15),
      memorySize: 512,
      databases: [props.billing],
      // Two at a time would share Stripe's rate limit.
      reservedConcurrentExecutions: 1,
      // No retry: only the operator decides that a replay runs again.
      asynchronous: { retryAttempts: 0, maximumAge: Duration.minutes(5) },
    });
    const fn = target.function;
    this.function = fn;
    grantStripeApi(fn, stripeApiSecret);
    grantTilledApi(fn, tilledApiSecret);
    props.cache?.allowAccess(target);
    // From the parked events to the queue, and in that direction only.
    queues.deadLetterQueue.grantConsumeMessages(fn);
    queues.queue.grantSendMessages(fn);
  }
}
