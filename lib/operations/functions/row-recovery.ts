import { Duration } from 'aws-cdk-lib';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { STREAMING_LIMIT_GIB } from '../../config/policies';
import { ROW_RECOVERY_PREFIX, type RowRecoveryEnvironment } from '../../../lambdas/row-recovery/contract';
import type { DatabaseName } from '../../../core/contract';
import {
  type ArchiveAccess,
  archiveEnvironment,
  grantReading,
  grantReadingArchives,
  grantWriting,
} from '../archive-access';
import type { DatabaseAccess } from '../../data/database-access';
import { type ErasureAccess, erasureEnvironment, grantReadingErasures } from '../erasure-access';
import { billingDatabaseEnvironment, mainDatabaseEnvironment } from '../database-connection';
import type { EntitlementCache } from '../entitlement-cache';
import { OperationalFunction, type OperationsContext } from '../operational-function';

export interface RowRecoveryProps {
  /** What all functions of the environment share. */
  readonly context: OperationsContext;
  /** The archives of the environment. */
  readonly archives: ArchiveAccess;
  /** How to reach each database. */
  readonly databases: Readonly<Record<DatabaseName, DatabaseAccess>>;
  /** Who has to be erased again from what is restored. */
  readonly erasures: ErasureAccess;
  /** Where entitlements that merged rows changed are invalidated. @default - no cache */
  readonly cache?: EntitlementCache;
}

/**
 * Finds the rows that were deleted or changed since an archive, or on an instance of a moment, and merges the chosen ones back.
 * Invoked by an operator, and by the workflow that restores such an instance. That has the security group of the database,
 * into which this function is let in already.
 */
export class RowRecovery extends Construct {
  readonly function: IFunction;

  constructor(scope: Construct, id: string, props: RowRecoveryProps) {
    super(scope, id);
    const { archives, databases, erasures, cache } = props;
    const target = new OperationalFunction<RowRecoveryEnvironment>(this, 'RowRecovery', {
      context: props.context,
      stem: 'row-recovery',
      description: 'Finds rows that were deleted since an archive or a moment, and merges them back',
      environment: {
        ...billingDatabaseEnvironment(databases.billing),
        ...mainDatabaseEnvironment(databases.main),
        ...archiveEnvironment(archives),
        ...erasureEnvironment(erasures),
        CACHE_URL: cache?.url ?? '',
        STREAMING_LIMIT_GIB: String(STREAMING_LIMIT_GIB),
      },
      timeout: Duration.minutes(15),
      memorySize: 1769,
      databases: [databases.billing, databases.main],
      // Merges run one after the other.
      reservedConcurrentExecutions: 1,
      // No retry: only the operator decides that rows are merged.
      asynchronous: { retryAttempts: 0, maximumAge: Duration.minutes(5) },
    });
    const fn = target.function;
    this.function = fn;
    grantReadingArchives(fn, archives);
    grantReadingErasures(fn, archives.bucket, erasures);
    grantReading(fn, archives.bucket, `${ROW_RECOVERY_PREFIX}*`);
    grantWriting(fn, archives.bucket, `${ROW_RECOVERY_PREFIX}*`);
    cache?.allowAccess(target);
  }
}
