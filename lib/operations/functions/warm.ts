import { Duration } from 'aws-cdk-lib';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { DATABASE_NAMES, type DatabaseName } from '../../../core/contract';
import type { WarmEnvironment } from '../../../lambdas/warm/contract';
import type { DatabaseAccess } from '../../data/database-access';
import { billingDatabaseEnvironment, mainDatabaseEnvironment } from '../database-connection';
import { OperationalFunction, type OperationsContext } from '../operational-function';

export interface WarmProps {
  /** What all functions of the environment share. */
  readonly context: OperationsContext;
  /** How to reach each database. */
  readonly databases: Readonly<Record<DatabaseName, DatabaseAccess>>;
}

/** Reads a recovered instance once, so that its lazily loaded disk is warm before the cut-over. Changes nothing. */
export class Warm extends Construct {
  readonly function: IFunction;

  constructor(scope: Construct, id: string, props: WarmProps) {
    super(scope, id);
    const { databases } = props;
    this.function = new OperationalFunction<WarmEnvironment>(this, 'Warm', {
      context: props.context,
      stem: 'warm',
      description: 'Reads a database once, so that a lazily loaded disk is warm',
      environment: { ...billingDatabaseEnvironment(databases.billing), ...mainDatabaseEnvironment(databases.main) },
      timeout: Duration.minutes(15),
      // PostgreSQL reads, and answers a number a statement: the function waits.
      memorySize: 512,
      databases: [databases.billing, databases.main],
      // One for each database.
      reservedConcurrentExecutions: DATABASE_NAMES.length,
    }).function;
  }
}
