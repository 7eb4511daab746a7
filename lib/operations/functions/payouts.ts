import { Duration } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import type { PayoutsEnvironment } from '../../../lambdas/payouts/contract';
import type { DatabaseAccess } from '../../data/database-access';
import { billingDatabaseEnvironment } from '../database-connection';
import type { EntitlementCache } from '../entitlement-cache';
import { OperationalFunction, type OperationsContext } from '../operational-function';
import { grantStripeApi, objectDefaults, stripeApiEnvironment, type StripeApiSecret } from '../stripe-access';

export interface PayoutsProps {
  /** What all functions of the environment share. */
  readonly context: OperationsContext;
  /** How to reach the billing database. */
  readonly billing: DatabaseAccess;
  /** Secret with the key of the Stripe API. */
  readonly stripeApiSecret: StripeApiSecret;
  /** Where entitlements are invalidated. @default - no cache */
  readonly cache?: EntitlementCache;
}

/** Repeats a failed payout at Stripe. Invoked by an operator. */
export class Payouts extends Construct {
  constructor(scope: Construct, id: string, props: PayoutsProps) {
    super(scope, id);
    const { context, stripeApiSecret } = props;
    const target = new OperationalFunction<PayoutsEnvironment>(this, 'Payouts', {
      context,
      stem: 'payouts',
      description: 'Repeats a failed payout at Stripe, once its account is not restricted any more',
      environment: {
        ...billingDatabaseEnvironment(props.billing),
        ...stripeApiEnvironment(stripeApiSecret, context.config),
        ...objectDefaults(context.config),
        CACHE_URL: props.cache?.url ?? '',
      },
      timeout: Duration.minutes(2),
      memorySize: 256,
      databases: [props.billing],
      reservedConcurrentExecutions: 1,
    });
    grantStripeApi(target.function, stripeApiSecret);
    props.cache?.allowAccess(target);
  }
}
