import { CfnSecurityGroupIngress, Peer, Port, type ISecurityGroup } from 'aws-cdk-lib/aws-ec2';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { BillingDatabaseEnvironment, DatabaseName, MainDatabaseEnvironment } from '../../core/contract';

/** All that the functions know about a database, whether the stack made it or it was there before. */
export interface DatabaseAccess {
  readonly name: DatabaseName;
  readonly host: string;
  readonly port: number;
  /** Name of the PostgreSQL database on that server. */
  readonly databaseName: string;
  /** JSON secret with `username` and `password`. */
  readonly secretArn: string;
  /** Customer-managed key of the secret. @default - Secrets Manager's own key */
  readonly secretKey?: IKey;
  /** Guards the database. @default - access is arranged elsewhere, or there is no network */
  readonly securityGroup?: ISecurityGroup;
  /** RDS identifier. @default - not on RDS */
  readonly instanceIdentifier?: string;
  /** GiB of disk at the start; RDS may have grown it since. */
  readonly allocatedStorageGiB: number;
}

export function billingDatabaseEnvironment(database: DatabaseAccess): BillingDatabaseEnvironment {
  return {
    BILLING_DATABASE_HOST: database.host,
    BILLING_DATABASE_PORT: String(database.port),
    BILLING_DATABASE_NAME: database.databaseName,
    BILLING_DATABASE_SECRET_ARN: database.secretArn,
  };
}

export function mainDatabaseEnvironment(database: DatabaseAccess): MainDatabaseEnvironment {
  return {
    MAIN_DATABASE_HOST: database.host,
    MAIN_DATABASE_PORT: String(database.port),
    MAIN_DATABASE_NAME: database.databaseName,
    MAIN_DATABASE_SECRET_ARN: database.secretArn,
  };
}

/**
 * Lets a function read the secret of a database, and reach it.
 *
 * @param stem of the function, for the description of the rules
 * @param securityGroup of the function. @default - the function is in no network
 */
export function allowAccess(
  fn: LambdaFunction,
  stem: string,
  database: DatabaseAccess,
  securityGroup?: ISecurityGroup,
): void {
  // The secret as a name only: granting on the resource itself would write the function's role into a key policy of the
  // Data stack, and so make Data depend on Operations.
  const secret = Secret.fromSecretCompleteArn(fn, `${database.name}Secret`, database.secretArn);
  secret.grantRead(fn);
  database.secretKey?.grantDecrypt(fn);
  if (securityGroup) openPort(securityGroup, fn, stem, database);
}

/** Both halves of the rule live beside the function: the database's own stack never mentions who connects to it. */
function openPort(source: ISecurityGroup, fn: LambdaFunction, stem: string, database: DatabaseAccess): void {
  const port = Port.tcp(database.port);
  const description = `${stem} connects to the ${database.name} database`;
  if (!database.securityGroup) {
    source.addEgressRule(Peer.anyIpv4(), port, description);
    return;
  }
  source.addEgressRule(Peer.securityGroupId(database.securityGroup.securityGroupId), port, description);
  new CfnSecurityGroupIngress(fn, `To${database.name}`, {
    groupId: database.securityGroup.securityGroupId,
    sourceSecurityGroupId: source.securityGroupId,
    ipProtocol: 'tcp',
    fromPort: database.port,
    toPort: database.port,
    description,
  });
}
