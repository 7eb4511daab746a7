import { Duration } from 'aws-cdk-lib';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { byAccess, type Person } from '../../../core/access/contract';
import type { MigrateEnvironment } from '../../../lambdas/migrate/contract';
import { DATABASE_NAMES, type DatabaseName } from '../../../core/contract';
import type { DatabaseAccess } from '../../data/database-access';
import { billingDatabaseEnvironment, loginSecretsEnvironment, mainDatabaseEnvironment } from '../database-connection';
import { OperationalFunction, type OperationsContext } from '../operational-function';

export interface MigrateProps {
  /** What all functions of the environment share. */
  readonly context: OperationsContext;
  /** How to reach each database, as the owner of its schema. */
  readonly databases: Readonly<Record<DatabaseName, DatabaseAccess>>;
  /** People who log in to each database by IAM. */
  readonly people: Readonly<Record<DatabaseName, readonly Person[]>>;
}

/** Applies the migrations of one database. Invoked by an operator, before the functions that need the new schema. */
export class Migrate extends Construct {
  readonly function: LambdaFunction;

  constructor(scope: Construct, id: string, props: MigrateProps) {
    super(scope, id);
    const { databases, people } = props;
    const target = new OperationalFunction<MigrateEnvironment>(this, 'Migrate', {
      context: props.context,
      stem: 'migrate',
      description: 'Applies migrations to one database, or lists what is pending',
      environment: {
        ...billingDatabaseEnvironment(databases.billing),
        ...mainDatabaseEnvironment(databases.main),
        ...loginSecretsEnvironment(databases),
        ...(DATABASE_NAMES.some((name) => people[name].length > 0)
          ? { DATABASE_PEOPLE: JSON.stringify({ billing: byAccess(people.billing), main: byAccess(people.main) }) }
          : {}),
      },
      timeout: Duration.minutes(15),
      memorySize: 512,
      databases: [databases.billing, databases.main],
      // Migrations of one database run one after the other.
      reservedConcurrentExecutions: 1,
      // No retry: a failed migration waits for an operator.
      asynchronous: { retryAttempts: 0, maximumAge: Duration.minutes(5) },
    });
    this.function = target.function;
    // It gives the users of the logins the passwords of their secrets.
    for (const name of DATABASE_NAMES) {
      for (const [login, secretArn] of Object.entries(databases[name].logins?.secretArns ?? {})) {
        Secret.fromSecretCompleteArn(target.function, `${name}-${login}`, secretArn).grantRead(target.function);
      }
      databases[name].logins?.key.grantDecrypt(target.function);
    }
  }
}
