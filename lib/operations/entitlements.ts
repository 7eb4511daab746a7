import { Duration } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import type { EntitlementsEnvironment } from '../../lambdas/entitlements/contract';
import { billingDatabaseEnvironment, type DatabaseAccess } from './database-access';
import type { EntitlementCache } from './entitlement-cache';
import { OperationalFunction, type OperationsContext } from './operational-function';

export interface EntitlementsProps {
  readonly context: OperationsContext;
  readonly billing: DatabaseAccess;
  /** @default - no cache */
  readonly cache?: EntitlementCache;
}

/** Computes entitlements again, changes their rules, or says what somebody may use. Invoked by an operator. */
export class Entitlements extends Construct {
  constructor(scope: Construct, id: string, props: EntitlementsProps) {
    super(scope, id);
    const target = new OperationalFunction<EntitlementsEnvironment>(this, 'Entitlements', {
      context: props.context,
      stem: 'entitlements',
      description: 'Computes entitlements again, on demand',
      environment: { ...billingDatabaseEnvironment(props.billing), CACHE_URL: props.cache?.url ?? '' },
      timeout: Duration.minutes(15),
      memorySize: 1024,
      databases: [props.billing],
      asynchronous: { retryAttempts: 1, maximumAge: Duration.minutes(30) },
    });
    props.cache?.allowAccess(target);
  }
}
