import type { ISecurityGroup } from 'aws-cdk-lib/aws-ec2';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { FunctionLogin } from '../../core/access/contract';
import type { DatabaseManagement, DatabaseName } from '../../core/contract';

/** Users that functions log in as, each by its secret. */
export interface DatabaseLogins {
  /** Complete ARNs. */
  readonly secretArns: Readonly<Partial<Record<FunctionLogin, string>>>;
  /** Encrypts them. */
  readonly key: IKey;
}

/** Everything the other rooms know about a database, whether the Data stack created it or it existed before. */
export interface DatabaseAccess {
  /** Which of the two databases it is. */
  readonly name: DatabaseName;
  /** Host name or address of the server, or of the proxy in front of it. */
  readonly host: string;
  /** TCP port. */
  readonly port: number;
  /** Name of the PostgreSQL database on that server. */
  readonly databaseName: string;
  /** Complete ARN of the JSON secret with `username` and `password`. */
  readonly secretArn: string;
  /** Secret of the owner of the tables, where `secretArn` is that of a login. @default - `secretArn` */
  readonly ownerSecretArn?: string;
  /** Secrets of the users that functions log in as. @default - all as that of `secretArn` */
  readonly logins?: DatabaseLogins;
  /** Customer-managed key of the secret. @default - Secrets Manager's own key */
  readonly secretKey?: IKey;
  /** Security group of the server. @default - access is arranged elsewhere, or there is no network */
  readonly securityGroup?: ISecurityGroup;
  /** Who makes its tables. @default - here, by the migrations of this repository */
  readonly managed?: DatabaseManagement;
  /** RDS identifier of the instance. @default - the database does not run on RDS */
  readonly instanceIdentifier?: string;
  /** Which plan makes AWS Backup take recovery points of the instance. @default - this stack */
  readonly recoveryPoints?: 'here' | 'elsewhere' | 'none';
  /** GiB of disk at creation; RDS may have grown it since. */
  readonly allocatedStorageGiB: number;
}

/** The database as it is reached by one login of functions; as its owner, where it has none. */
export function accessAs(access: DatabaseAccess, login: FunctionLogin): DatabaseAccess {
  const secretArn = access.logins?.secretArns[login];
  return secretArn === undefined
    ? access
    : { ...access, secretArn, ownerSecretArn: access.secretArn, secretKey: access.logins?.key };
}

/** The secrets with passwords of a database: that of its owner, and of the logins of functions. */
export function passwordSecretsOf({ secretArn, ownerSecretArn, logins }: DatabaseAccess): string[] {
  return [...new Set([ownerSecretArn ?? secretArn, ...Object.values(logins?.secretArns ?? {})])];
}
