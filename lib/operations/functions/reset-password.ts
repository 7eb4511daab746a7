import { Duration } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import type { ResetPasswordEnvironment } from '../../../lambdas/reset-password/contract';
import { DATABASE_NAMES, type DatabaseName } from '../../../core/contract';
import { acknowledgeWildcards } from '../../policy/acknowledge-permissions';
import type { DatabaseAccess } from '../../data/database-access';
import { OperationalFunction, type OperationsContext } from '../operational-function';

export interface ResetPasswordProps {
  /** What all functions of the environment share. */
  readonly context: OperationsContext;
  /** Databases whose passwords the function reads. */
  readonly databases: Readonly<Record<DatabaseName, DatabaseAccess>>;
}

/** Sets the current password on a recovered instance, so that it never appears in the history of a workflow. */
export class ResetPassword extends Construct {
  readonly function: LambdaFunction;

  constructor(scope: Construct, id: string, props: ResetPasswordProps) {
    super(scope, id);
    const { databases } = props;
    // Outside the network: it calls RDS and Secrets Manager, and connects to no database.
    this.function = new OperationalFunction<ResetPasswordEnvironment>(this, 'ResetPassword', {
      context: props.context,
      stem: 'reset-password',
      description: 'Gives a recovered instance the current password of its database',
      environment: {
        BILLING_DATABASE_SECRET_ARN: databases.billing.secretArn,
        MAIN_DATABASE_SECRET_ARN: databases.main.secretArn,
      },
      timeout: Duration.seconds(30),
      memorySize: 256,
      // One for each database.
      reservedConcurrentExecutions: DATABASE_NAMES.length,
    }).function;
    for (const name of DATABASE_NAMES) {
      const { secretArn, secretKey } = databases[name];
      Secret.fromSecretCompleteArn(this.function, `${name}Secret`, secretArn).grantRead(this.function);
      secretKey?.grantDecrypt(this.function);
    }
  }

  /** Lets the function set the password of recovered or temporary instances, never that of the instance in use. */
  grantReset(recoveredInstancesArn: string): void {
    this.function.addToRolePolicy(
      new PolicyStatement({ actions: ['rds:ModifyDBInstance'], resources: [recoveredInstancesArn] }),
    );
    if (!this.function.role) return;
    acknowledgeWildcards(this.function.role, {
      resources: [recoveredInstancesArn],
      reason:
        'The names of recovered and temporary instances end in a random suffix; the prefix never matches the instance in use',
    });
  }
}
