import { Duration } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { DRILL_PREFIX, type DrillEnvironment } from '../../../lambdas/drill/contract';
import { DATABASE_NAMES, type DatabaseName } from '../../../core/contract';
import { BACKUP_POLICIES } from '../../config/policies';
import { DRILL_SCHEDULES } from '../../config/schedules';
import { type ArchiveAccess, archiveEnvironment, grantReadingArchives, grantWriting } from '../archive-access';
import type { DatabaseAccess } from '../../data/database-access';
import { type ErasureAccess, erasureEnvironment, grantReadingErasures } from '../erasure-access';
import { billingDatabaseEnvironment, mainDatabaseEnvironment } from '../database-connection';
import { FunctionSchedule } from '../function-schedule';
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
  constructor(scope: Construct, id: string, props: DrillProps) {
    super(scope, id);
    const { archives, databases, erasures } = props;
    const target = new OperationalFunction<DrillEnvironment>(this, 'Drill', {
      context: props.context,
      stem: 'drill',
      description: 'Restores the newest archive into a scratch database and times it',
      environment: {
        ...billingDatabaseEnvironment(databases.billing),
        ...mainDatabaseEnvironment(databases.main),
        ...archiveEnvironment(archives),
        ...erasureEnvironment(erasures),
        BILLING_RESTORE_TARGET_MINUTES: String(BACKUP_POLICIES.billing.restoreTargetMinutes),
        MAIN_RESTORE_TARGET_MINUTES: String(BACKUP_POLICIES.main.restoreTargetMinutes),
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
    grantReadingArchives(target.function, archives);
    grantReadingErasures(target.function, archives.bucket, erasures);
    grantWriting(target.function, archives.bucket, `${DRILL_PREFIX}*`);

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
