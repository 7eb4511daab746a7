import { Duration } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import type { ReconciliationEnvironment, ReconciliationRequest } from '../../../lambdas/reconciliation/contract';
import { reconciliationSchedule } from '../../config/schedules';
import type { DatabaseAccess } from '../../data/database-access';
import { billingDatabaseEnvironment } from '../database-connection';
import type { EntitlementCache } from '../entitlement-cache';
import { FunctionSchedule } from '../function-schedule';
import { OperationalFunction, type OperationsContext } from '../operational-function';
import { grantStripeApi, objectDefaults, stripeApiEnvironment, type StripeApiSecret } from '../stripe-access';
import { grantTilledApi, tilledApiEnvironment, type TilledApiSecret } from '../tilled-access';

export interface ReconciliationProps {
  /** What all functions of the environment share. */
  readonly context: OperationsContext;
  /** How to reach the billing database. */
  readonly billing: DatabaseAccess;
  /** Secret with the key of the Stripe API. */
  readonly stripeApiSecret: StripeApiSecret;
  /** Secret with the key of the Tilled API. @default - the environment takes no Tilled */
  readonly tilledApiSecret?: TilledApiSecret | undefined;
  /** Where entitlements that a correction changed are invalidated. @default - no cache */
  readonly cache?: EntitlementCache;
}

/** Compares the billing database with Stripe once a day, and heals it. */
export class Reconciliation extends Construct {
  constructor(scope: Construct, id: string, props: ReconciliationProps) {
    super(scope, id);
    const { context, stripeApiSecret, tilledApiSecret } = props;
    const { reconciliation } = context.config;
    const target = new OperationalFunction<ReconciliationEnvironment>(this, 'Reconciliation', {
      context,
      stem: 'reconciliation',
      description: 'Compares the billing database with Stripe and corrects it',
      environment: {
        ...billingDatabaseEnvironment(props.billing),
        ...stripeApiEnvironment(stripeApiSecret, context.config),
        ...tilledApiEnvironment(tilledApiSecret, context.config),
        ...objectDefaults(context.config),
        CACHE_URL: props.cache?.url ?? '',
        DAYS_BACK: String(reconciliation.daysBack),
        SAMPLED_ENTITLEMENTS: String(reconciliation.sampledEntitlements),
      },
      timeout: Duration.minutes(15),
      memorySize: 1024,
      databases: [props.billing],
      // Two runs at a time would share Stripe's rate limit and correct the same rows.
      reservedConcurrentExecutions: 1,
      asynchronous: { retryAttempts: 1, maximumAge: Duration.hours(1) },
    });
    grantStripeApi(target.function, stripeApiSecret);
    grantTilledApi(target.function, tilledApiSecret);
    props.cache?.allowAccess(target);

    new FunctionSchedule(this, 'Daily', {
      target,
      definition: reconciliationSchedule(reconciliation.hourUtc),
      description: 'Reconciliation with Stripe',
      input: { dryRun: false } satisfies ReconciliationRequest,
      enabled: reconciliation.enabled,
    });
  }
}
