import { Duration } from 'aws-cdk-lib';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { DATABASE_NAMES, type DatabaseName } from '../../../core/contract';
import type { VerifyEnvironment } from '../../../lambdas/verify/contract';
import type { DatabaseAccess } from '../../data/database-access';
import { billingDatabaseEnvironment, mainDatabaseEnvironment } from '../database-connection';
import { OperationalFunction, type OperationsContext } from '../operational-function';

export interface VerifyProps {
  /** What all functions of the environment share. */
  readonly context: OperationsContext;
  /** How to reach each database. */
  readonly databases: Readonly<Record<DatabaseName, DatabaseAccess>>;
}

/** Verifies a database in place, such as on a recovered instance. Changes nothing. */
export class Verify extends Construct {
  readonly function: IFunction;

  constructor(scope: Construct, id: string, props: VerifyProps) {
    super(scope, id);
    const { databases } = props;
    this.function = new OperationalFunction<VerifyEnvironment>(this, 'Verify', {
      context: props.context,
      stem: 'verify',
      description: 'Verifies a database where it is',
      environment: { ...billingDatabaseEnvironment(databases.billing), ...mainDatabaseEnvironment(databases.main) },
      timeout: Duration.minutes(15),
      memorySize: 1769,
      databases: [databases.billing, databases.main],
      // One for each database.
      reservedConcurrentExecutions: DATABASE_NAMES.length,
    }).function;
  }
}
