import { Duration } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import type { RefreshEnvironment, RefreshRequest } from '../../../lambdas/refresh/contract';
import { REFRESH_SCHEDULE } from '../../config/schedules';
import type { DatabaseAccess } from '../../data/database-access';
import { billingDatabaseEnvironment } from '../database-connection';
import type { EntitlementCache } from '../entitlement-cache';
import { FunctionSchedule } from '../function-schedule';
import { OperationalFunction, type OperationsContext } from '../operational-function';
import { grantStripeApi, objectDefaults, stripeApiEnvironment, type StripeApiSecret } from '../stripe-access';

export interface RefreshProps {
  /** What all functions of the environment share. */
  readonly context: OperationsContext;
  /** How to reach the billing database. */
  readonly billing: DatabaseAccess;
  /** Secret with the key of the Stripe API. */
  readonly stripeApiSecret: StripeApiSecret;
  /** Where entitlements that a refresh changed are invalidated. @default - no cache */
  readonly cache?: EntitlementCache;
}

/** Reads objects from Stripe again, every minute, that events alone cannot bring up to date. */
export class Refresh extends Construct {
  constructor(scope: Construct, id: string, props: RefreshProps) {
    super(scope, id);
    const { context, stripeApiSecret } = props;
    const target = new OperationalFunction<RefreshEnvironment>(this, 'Refresh', {
      context,
      stem: 'refresh',
      description: 'Reads objects from Stripe again that events alone cannot bring up to date',
      environment: {
        ...billingDatabaseEnvironment(props.billing),
        ...stripeApiEnvironment(stripeApiSecret, context.config),
        ...objectDefaults(context.config),
        CACHE_URL: props.cache?.url ?? '',
      },
      // Together with the part that is kept for the end, less than the minute between two starts.
      timeout: Duration.minutes(1),
      memorySize: 512,
      databases: [props.billing],
      // Two at a time would read the same objects.
      reservedConcurrentExecutions: 1,
      // No retry: the next run replaces this one. A start that finds the run before still at work waits for it.
      asynchronous: { retryAttempts: 0, maximumAge: Duration.minutes(5) },
    });
    grantStripeApi(target.function, stripeApiSecret);
    props.cache?.allowAccess(target);

    new FunctionSchedule(this, 'EveryMinute', {
      target,
      definition: REFRESH_SCHEDULE,
      description: 'Refresh of objects from Stripe',
      input: { dryRun: false } satisfies RefreshRequest,
    });
  }
}
