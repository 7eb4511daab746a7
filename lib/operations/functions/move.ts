import { Duration } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { addressOf } from '../../../core/database/contract';
import type { MoveEnvironment } from '../../../lambdas/move/contract';
import type { OtherServer } from '../../config/database-settings';
import type { DatabaseAccess } from '../../data/database-access';
import { allowAccess, billingDatabaseEnvironment } from '../database-connection';
import { OperationalFunction, type OperationsContext } from '../operational-function';

export interface MoveProps {
  /** What all functions of the environment share. */
  readonly context: OperationsContext;
  /** The billing database of the configuration, as its owner reaches it. */
  readonly billing: DatabaseAccess;
  /** The same, as functions reach it: through a proxy, where there is one. */
  readonly pooled: DatabaseAccess;
  /** The server that it moves to, or that it came from. */
  readonly other: OtherServer;
}

/** Moves the billing database to another server. Invoked by an operator, a step at a time. */
export class Move extends Construct {
  constructor(scope: Construct, id: string, props: MoveProps) {
    super(scope, id);
    const { context, billing, pooled, other } = props;
    const { secretArns = {}, key } = billing.logins ?? {};
    const { function: fn } = new OperationalFunction<MoveEnvironment>(this, 'Move', {
      context,
      stem: 'move',
      description: 'Moves the billing database to another server',
      environment: {
        ...billingDatabaseEnvironment(billing),
        MOVE_HOST: other.host,
        MOVE_PORT: String(other.port),
        MOVE_DATABASE_NAME: other.databaseName,
        MOVE_SECRET_ARN: other.secretArn,
        ...(Object.keys(secretArns).length > 0
          ? { LOGIN_SECRETS: JSON.stringify({ billing: secretArns, main: {} }) }
          : {}),
        ...(pooled.host === billing.host ? {} : { MOVE_FROM: JSON.stringify([addressOf(pooled)]) }),
      },
      timeout: Duration.minutes(15),
      memorySize: 1769,
      databases: [billing],
      // One step at a time.
      reservedConcurrentExecutions: 1,
    });
    const target: DatabaseAccess = {
      ...other,
      name: 'billing',
      allocatedStorageGiB: billing.allocatedStorageGiB,
      ...(other.secretKeyArn ? { secretKey: Key.fromKeyArn(this, 'OtherSecretKey', other.secretKeyArn) } : {}),
    };
    // The secret alone: every function that connects to billing may open the port of the other server.
    allowAccess(fn, 'move', target, undefined, 'other');

    // Functions find the database by its secrets: the cut-over writes there where it is, within a second and for all of them.
    for (const [login, arn] of Object.entries(secretArns)) {
      Secret.fromSecretCompleteArn(fn, `billing-${login}`, arn).grantRead(fn);
    }
    fn.addToRolePolicy(
      new PolicyStatement({
        actions: [
          'secretsmanager:DescribeSecret',
          'secretsmanager:PutSecretValue',
          'secretsmanager:UpdateSecretVersionStage',
        ],
        resources: [billing.secretArn, ...Object.values(secretArns)],
      }),
    );
    for (const secretKey of [key, billing.secretKey]) secretKey?.grant(fn, 'kms:Decrypt', 'kms:GenerateDataKey');
  }
}
