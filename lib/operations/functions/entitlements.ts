import { Duration } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import type { EntitlementsEnvironment } from '../../../lambdas/entitlements/contract';
import type { DatabaseAccess } from '../../data/database-access';
import { billingDatabaseEnvironment } from '../database-connection';
import type { EntitlementCache } from '../entitlement-cache';
import { OperationalFunction, type OperationsContext } from '../operational-function';

/** Requests at a time. Lower refuses operators who work side by side. */
const MAX_CONCURRENCY = 5;

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
      // Each holds a connection to the database, which the processor needs more.
      reservedConcurrentExecutions: MAX_CONCURRENCY,
      asynchronous: { retryAttempts: 1, maximumAge: Duration.minutes(30) },
    });
    props.cache?.allowAccess(target);
  }
}
