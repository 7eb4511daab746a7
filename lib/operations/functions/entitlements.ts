import { Duration } from 'aws-cdk-lib';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import type { EntitlementsEnvironment } from '../../../lambdas/entitlements/contract';
import type { DatabaseAccess } from '../../data/database-access';
import { billingDatabaseEnvironment } from '../database-connection';
import type { EntitlementCache } from '../entitlement-cache';
import { OperationalFunction, type OperationsContext } from '../operational-function';

/** Concurrent requests. Lower rejects operators who work at the same time. */
const MAX_CONCURRENCY = 5;

export interface EntitlementsProps {
  /** What all functions of the environment share. */
  readonly context: OperationsContext;
  /** How to reach the billing database. */
  readonly billing: DatabaseAccess;
  /** Cache whose entries are invalidated and read. @default - no cache */
  readonly cache?: EntitlementCache;
}

/** Recomputes entitlements, changes their rules, or reads those of a user. Invoked by an operator. */
export class Entitlements extends Construct {
  readonly function: IFunction;

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
      // Each instance uses a database connection, which the processor needs more.
      reservedConcurrentExecutions: MAX_CONCURRENCY,
      asynchronous: { retryAttempts: 1, maximumAge: Duration.minutes(30) },
    });
    this.function = target.function;
    props.cache?.allowAccess(target);
  }
}
