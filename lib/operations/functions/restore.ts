import { Duration } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import type { RestoreEnvironment } from '../../../lambdas/restore/contract';
import { DATABASE_NAMES, type DatabaseName } from '../../../core/contract';
import { type ArchiveAccess, archiveEnvironment, grantReadingArchives } from '../archive-access';
import type { DatabaseAccess } from '../../data/database-access';
import { billingDatabaseEnvironment, mainDatabaseEnvironment } from '../database-connection';
import { OperationalFunction, type OperationsContext } from '../operational-function';

export interface RestoreProps {
  /** What all functions of the environment share. */
  readonly context: OperationsContext;
  /** The archives of the environment. */
  readonly archives: ArchiveAccess;
  /** How to reach each database. */
  readonly databases: Readonly<Record<DatabaseName, DatabaseAccess>>;
}

/** Loads an archive into a new database and verifies it. Invoked by an operator. */
export class Restore extends Construct {
  constructor(scope: Construct, id: string, props: RestoreProps) {
    super(scope, id);
    const { archives, databases } = props;
    const { function: fn } = new OperationalFunction<RestoreEnvironment>(this, 'Restore', {
      context: props.context,
      stem: 'restore',
      description: 'Restores an archive into a new database and verifies it',
      environment: {
        ...billingDatabaseEnvironment(databases.billing),
        ...mainDatabaseEnvironment(databases.main),
        ...archiveEnvironment(archives),
      },
      timeout: Duration.minutes(15),
      memorySize: 3538,
      sparing: true,
      databases: [databases.billing, databases.main],
      // One for each database; more would compete for the same disk.
      reservedConcurrentExecutions: DATABASE_NAMES.length,
      // No retry: the target database exists after the first attempt, and an operator decides what to do with it.
      asynchronous: { retryAttempts: 0, maximumAge: Duration.minutes(5) },
    });
    grantReadingArchives(fn, archives);
  }
}
