import { Duration, Stack } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { DRILL_PREFIX, type DrillEnvironment } from '../../../lambdas/drill/contract';
import { DATABASE_NAMES, type DatabaseName } from '../../../core/contract';
import { BACKUP_POLICIES, STREAMING_LIMIT_GIB } from '../../config/policies';
import { DRILL_SCHEDULES } from '../../config/schedules';
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
import { FunctionSchedule } from '../function-schedule';
import { restoreWorkflowArn } from '../recovery/large-restore';
import { OperationalFunction, type OperationsContext } from '../operational-function';

export interface DrillProps {
  /** What all functions of the environment share. */
  readonly context: OperationsContext;
  /** The archives of the environment. */
  readonly archives: ArchiveAccess;
  /** How to reach each database. */
  readonly databases: Readonly<Record<DatabaseName, DatabaseAccess>>;
  /** Who has to be erased again from what is restored. */
  readonly erasures: ErasureAccess;
}

/** Restores the newest archive of each database once a month, and compares the duration with the restore target. */
export class Drill extends Construct {
  readonly function: LambdaFunction;

  constructor(scope: Construct, id: string, props: DrillProps) {
    super(scope, id);
    const { context, archives, databases, erasures } = props;
    const workflowArn = (name: DatabaseName) => restoreWorkflowArn(Stack.of(this), context.config.name, name);
    const target = new OperationalFunction<DrillEnvironment>(this, 'Drill', {
      context,
      stem: 'drill',
      description: 'Restores the newest archive into a scratch database and times it',
      environment: {
        ...billingDatabaseEnvironment(databases.billing),
        ...mainDatabaseEnvironment(databases.main),
        ...archiveEnvironment(archives),
        ...erasureEnvironment(erasures),
        BILLING_RESTORE_TARGET_MINUTES: String(BACKUP_POLICIES.billing.restoreTargetMinutes),
        MAIN_RESTORE_TARGET_MINUTES: String(BACKUP_POLICIES.main.restoreTargetMinutes),
        STREAMING_LIMIT_GIB: String(STREAMING_LIMIT_GIB),
        BILLING_RESTORE_WORKFLOW_ARN: workflowArn('billing'),
        MAIN_RESTORE_WORKFLOW_ARN: workflowArn('main'),
      },
      timeout: Duration.minutes(15),
      // As much as the restore function has: otherwise the drill would measure something else.
      memorySize: 3538,
      sparing: true,
      databases: [databases.billing, databases.main],
      // Two drills at once would compete for the disk and distort the times.
      reservedConcurrentExecutions: 1,
      // No retry: a failed drill must be investigated, not hidden by a second one that passes.
      asynchronous: { retryAttempts: 0, maximumAge: Duration.hours(1) },
    });
    this.function = target.function;
    grantReadingArchives(target.function, archives);
    grantReadingErasures(target.function, archives.bucket, erasures);
    grantWriting(target.function, archives.bucket, `${DRILL_PREFIX}*`);
    // A call that is repeated finds the record of the first.
    grantReading(target.function, archives.bucket, `${DRILL_PREFIX}*`);
    target.function.addToRolePolicy(
      new PolicyStatement({
        // The listing tells what a stopped execution has left.
        actions: ['states:StartExecution', 'states:ListExecutions'],
        resources: DATABASE_NAMES.map(workflowArn),
      }),
    );

    for (const name of DATABASE_NAMES) {
      new FunctionSchedule(this, name === 'billing' ? 'MonthlyBilling' : 'MonthlyMain', {
        target,
        definition: DRILL_SCHEDULES[name],
        description: `Restore drill of the ${name} database`,
        input: { database: name },
      });
    }
  }
}
