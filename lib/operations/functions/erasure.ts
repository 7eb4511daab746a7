import { Duration } from 'aws-cdk-lib';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { DATABASE_NAMES, type DatabaseName } from '../../../core/contract';
import { ERASURE_PREFIX } from '../../../core/erasure/contract';
import type { ErasureFunctionEnvironment } from '../../../lambdas/erasure/contract';
import { ROW_RECOVERY_PREFIX } from '../../../lambdas/row-recovery/contract';
import type { DatabaseAccess } from '../../data/database-access';
import { type ArchiveAccess, grantDestroying, grantWritingLocked } from '../archive-access';
import { billingDatabaseEnvironment, mainDatabaseEnvironment } from '../database-connection';
import { type ErasureAccess, erasureEnvironment, grantReadingErasures } from '../erasure-access';
import { OperationalFunction, type OperationsContext } from '../operational-function';

export interface ErasureProps {
  /** What all functions of the environment share. */
  readonly context: OperationsContext;
  /** The archives of the environment, whose bucket holds the ledger. */
  readonly archives: ArchiveAccess;
  /** How to reach each database. */
  readonly databases: Readonly<Record<DatabaseName, DatabaseAccess>>;
  /** The key of the ledger, and what is erased from the main database. */
  readonly erasures: ErasureAccess;
}

/** Erases people, exports what is stored of them, and erases them again from instances that were recovered. */
export class Erasure extends Construct {
  readonly function: IFunction;

  constructor(scope: Construct, id: string, props: ErasureProps) {
    super(scope, id);
    const { archives, databases, erasures } = props;
    const { function: fn } = new OperationalFunction<ErasureFunctionEnvironment>(this, 'Erasure', {
      context: props.context,
      stem: 'erasure',
      description: 'Erases people from both databases, and again after a restore',
      environment: {
        ...billingDatabaseEnvironment(databases.billing),
        ...mainDatabaseEnvironment(databases.main),
        ...erasureEnvironment(erasures),
        ARCHIVE_BUCKET: archives.bucket.bucketName,
      },
      timeout: Duration.minutes(15),
      memorySize: 512,
      databases: [databases.billing, databases.main],
      // A recovery and a drill of each database may erase again for hours, in calls as long as the timeout. With fewer, one of them or
      // `ops erase` would be throttled for longer than it is repeated.
      reservedConcurrentExecutions: 2 * DATABASE_NAMES.length + 1,
    });
    this.function = fn;
    grantReadingErasures(fn, archives.bucket, erasures);
    grantWritingLocked(fn, archives.bucket, `${ERASURE_PREFIX}*`);
    grantDestroying(fn, archives.bucket, `${ROW_RECOVERY_PREFIX}*`);
  }
}
