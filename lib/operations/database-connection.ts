import {
  CfnSecurityGroupIngress,
  Peer,
  Port,
  SecurityGroup,
  type ISecurityGroup,
  type IVpc,
} from 'aws-cdk-lib/aws-ec2';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import {
  DATABASE_NAMES,
  type BillingDatabaseEnvironment,
  type DatabaseName,
  type MainDatabaseEnvironment,
} from '../../core/contract';
import type { OtherServer } from '../config/database-settings';
import type { DatabaseAccess } from '../data/database-access';

/** The environment variables by which a function finds the billing database. */
export function billingDatabaseEnvironment(database: DatabaseAccess): BillingDatabaseEnvironment {
  return {
    BILLING_DATABASE_HOST: database.host,
    BILLING_DATABASE_PORT: String(database.port),
    BILLING_DATABASE_NAME: database.databaseName,
    BILLING_DATABASE_SECRET_ARN: database.secretArn,
  };
}

/** The environment variables by which a function finds the main database. */
export function mainDatabaseEnvironment(database: DatabaseAccess): MainDatabaseEnvironment {
  return {
    MAIN_DATABASE_HOST: database.host,
    MAIN_DATABASE_PORT: String(database.port),
    MAIN_DATABASE_NAME: database.databaseName,
    MAIN_DATABASE_SECRET_ARN: database.secretArn,
    ...(database.managed === 'elsewhere' ? { MAIN_DATABASE_MANAGED: database.managed } : {}),
  };
}

/** The environment variable by which a function finds the secrets of all logins; nothing where functions work as the owner. */
export function loginSecretsEnvironment(databases: Readonly<Record<DatabaseName, DatabaseAccess>>): {
  readonly LOGIN_SECRETS?: string;
} {
  if (DATABASE_NAMES.every((name) => databases[name].logins === undefined)) return {};
  const secrets = DATABASE_NAMES.map((name) => [name, databases[name].logins?.secretArns ?? {}]);
  return { LOGIN_SECRETS: JSON.stringify(Object.fromEntries(secrets)) };
}

/**
 * Lets a function read the secret of a database and open connections to it.
 *
 * @param stem stem of the function, for the descriptions of the security-group rules
 * @param securityGroup security group of the function. @default - the function is in no network
 * @param id tells two servers of one database apart
 */
export function allowAccess(
  fn: LambdaFunction,
  stem: string,
  database: DatabaseAccess,
  securityGroup?: ISecurityGroup,
  id: string = database.name,
): void {
  // Imported by its ARN: a grant on the resource itself would put the function's role into a key policy of the Data
  // stack, which would make Data depend on Operations.
  const secret = Secret.fromSecretCompleteArn(fn, `${id}Secret`, database.secretArn);
  secret.grantRead(fn);
  database.secretKey?.grantDecrypt(fn);
  if (securityGroup) openPort(securityGroup, fn, stem, database, id);
}

/**
 * The group that functions which connect to billing are in as well, to reach the other server of a move: from the cut-over on its
 * secret sends them there. One for all: with a rule for each, an environment with everything else has too many resources.
 *
 * @param billing the configured server
 * @returns `undefined` where both servers are in one group, which admits the functions already
 */
export function otherServerGroup(
  scope: Construct,
  vpc: IVpc,
  { port, securityGroupId }: OtherServer,
  billing: Pick<DatabaseAccess, 'port' | 'securityGroup'>,
): SecurityGroup | undefined {
  if (securityGroupId && billing.securityGroup?.securityGroupId === securityGroupId && billing.port === port) {
    return undefined;
  }
  const group = new SecurityGroup(scope, 'OtherServerClients', {
    vpc,
    description: 'Functions that connect to billing, where it moves to or came from',
    allowAllOutbound: false,
  });
  const server = securityGroupId
    ? { securityGroup: SecurityGroup.fromSecurityGroupId(scope, 'OtherServer', securityGroupId) }
    : {};
  openPort(group, group, 'Functions', { name: 'billing', port, ...server }, 'other');
  return group;
}

/** Both rules belong to the stack of the functions, so that the Data stack never names its consumers. */
function openPort(
  source: ISecurityGroup,
  scope: Construct,
  who: string,
  database: Pick<DatabaseAccess, 'name' | 'port' | 'securityGroup'>,
  id: string,
): void {
  const port = Port.tcp(database.port);
  const description =
    id === database.name
      ? `${who} connects to the ${database.name} database`
      : `${who} connect to the ${id} ${database.name} server`;
  if (!database.securityGroup) {
    source.addEgressRule(Peer.anyIpv4(), port, description);
    return;
  }
  source.addEgressRule(Peer.securityGroupId(database.securityGroup.securityGroupId), port, description);
  new CfnSecurityGroupIngress(scope, `To${id}`, {
    groupId: database.securityGroup.securityGroupId,
    sourceSecurityGroupId: source.securityGroupId,
    ipProtocol: 'tcp',
    fromPort: database.port,
    toPort: database.port,
    description,
  });
}
