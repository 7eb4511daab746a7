import { Duration, Stack } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import type { RestoreEnvironment } from '../../../lambdas/restore/contract';
import { DATABASE_NAMES, type DatabaseName } from '../../../core/contract';
import { STREAMING_LIMIT_GIB } from '../../config/policies';
import { restoreWorkflowArn } from '../recovery/large-restore';
import { type ArchiveAccess, archiveEnvironment, grantReadingArchives } from '../archive-access';
import type { DatabaseAccess } from '../../data/database-access';
import { type ErasureAccess, erasureEnvironment, grantReadingErasures } from '../erasure-access';
import { billingDatabaseEnvironment, mainDatabaseEnvironment } from '../database-connection';
import { OperationalFunction, type OperationsContext } from '../operational-function';

export interface RestoreProps {
  /** What all functions of the environment share. */
  readonly context: OperationsContext;
  /** The archives of the environment. */
  readonly archives: ArchiveAccess;
  /** How to reach each database. */
  readonly databases: Readonly<Record<DatabaseName, DatabaseAccess>>;
  /** Who has to be erased again from what is restored. */
  readonly erasures: ErasureAccess;
}

/** Loads an archive into a new database and verifies it. Invoked by an operator. */
export class Restore extends Construct {
  readonly function: LambdaFunction;

  constructor(scope: Construct, id: string, props: RestoreProps) {
    super(scope, id);
    const { context, archives, databases, erasures } = props;
    const { config } = context;
    const workflowArn = (name: DatabaseName) => restoreWorkflowArn(Stack.of(this), config.name, name);
    const { function: fn } = new OperationalFunction<RestoreEnvironment>(this, 'Restore', {
      context,
      stem: 'restore',
      description: 'Restores an archive into a new database and verifies it',
      environment: {
        ...billingDatabaseEnvironment(databases.billing),
        ...mainDatabaseEnvironment(databases.main),
        ...archiveEnvironment(archives),
        ...erasureEnvironment(erasures),
        STREAMING_LIMIT_GIB: String(STREAMING_LIMIT_GIB),
        BILLING_RESTORE_WORKFLOW_ARN: workflowArn('billing'),
        MAIN_RESTORE_WORKFLOW_ARN: workflowArn('main'),
      },
      timeout: Duration.minutes(15),
      memorySize: 3538,
      sparing: true,
      databases: [databases.billing, databases.main],
      // One for each database; more would compete for the same disk. The calls of large restores come on top.
      reservedConcurrentExecutions: DATABASE_NAMES.length * (1 + config.largeArchives.concurrentParts),
      // No retry: the target database exists after the first attempt, and an operator decides what to do with it.
      asynchronous: { retryAttempts: 0, maximumAge: Duration.minutes(5) },
    });
    this.function = fn;
    grantReadingArchives(fn, archives);
    grantReadingErasures(fn, archives.bucket, erasures);
    fn.addToRolePolicy(
      new PolicyStatement({ actions: ['states:StartExecution'], resources: DATABASE_NAMES.map(workflowArn) }),
    );
  }
}
