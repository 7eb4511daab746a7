import type { ISecurityGroup } from 'aws-cdk-lib/aws-ec2';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { DatabaseManagement, DatabaseName } from '../../core/contract';

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
