import { ArnFormat, Stack } from 'aws-cdk-lib';
import { Grant, PolicyStatement, Role, type IGrantable } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { EXPORT_PREFIX } from '../../core/archive/contract';
import { migrationSnapshotPrefix } from '../../lambdas/backup/contract';
import { acknowledgeOwnPolicy, acknowledgeWildcards } from '../policy/acknowledge-permissions';
import { serviceOfAccount } from '../policy/service-principal';
import { acknowledgeObjects } from './archive-access';
import type { DatabaseAccess } from '../data/database-access';

/**
 * Lets a function inspect the backups of an instance and take a snapshot before a migration. Grants nothing for a
 * database that is not on RDS.
 */
export function grantSnapshots(fn: LambdaFunction, { name, instanceIdentifier }: DatabaseAccess): void {
  if (instanceIdentifier === undefined) return;
  const arn = (resource: string, resourceName: string) =>
    Stack.of(fn).formatArn({ service: 'rds', resource, resourceName, arnFormat: ArnFormat.COLON_RESOURCE_NAME });
  const instance = arn('db', instanceIdentifier);
  const snapshots = arn('snapshot', `${migrationSnapshotPrefix(name)}*`);
  fn.addToRolePolicy(
    new PolicyStatement({
      // Listing snapshots is authorised against all snapshots of the account, whose names AWS generates.
      actions: ['rds:DescribeDBInstances', 'rds:DescribeDBSnapshots'],
      resources: [instance, arn('snapshot', '*')],
    }),
  );
  fn.addToRolePolicy(
    new PolicyStatement({
      actions: ['rds:CreateDBSnapshot', 'rds:AddTagsToResource'],
      resources: [instance, snapshots],
    }),
  );
  if (!fn.role) return;
  acknowledgeWildcards(
    fn.role,
    {
      resources: [arn('snapshot', '*')],
      reason: 'RDS generates the names of automated snapshots; the permission is read-only',
    },
    {
      resources: [snapshots],
      reason: 'The names of snapshots before migrations contain the time; the prefix separates them from all others',
    },
  );
}

/**
 * Lets the grantee pass the use of a key on to an AWS service that acts for it, such as RDS while it exports or runs an
 * instance. The condition excludes every other principal.
 */
export function grantKeyToService(grantee: IGrantable, key: IKey): void {
  const resourceArns = [key.keyArn];
  Grant.addToPrincipal({ grantee, actions: ['kms:DescribeKey'], resourceArns });
  Grant.addToPrincipal({
    grantee,
    actions: ['kms:CreateGrant'],
    resourceArns,
    conditions: { Bool: { 'kms:GrantIsForAWSResource': 'true' } },
  });
}

export interface SnapshotExportRoleProps {
  /** Bucket that RDS exports to. */
  readonly archiveBucket: IBucket;
  /** Encrypts the exports. */
  readonly archiveKey: IKey;
}

/** The role by which RDS exports snapshots to the archive bucket, under a prefix of their own. */
export class SnapshotExportRole extends Construct {
  readonly role: Role;
  private readonly key: IKey;

  constructor(scope: Construct, id: string, props: SnapshotExportRoleProps) {
    super(scope, id);
    const { archiveBucket } = props;
    this.key = props.archiveKey;
    this.role = new Role(this, 'Role', {
      assumedBy: serviceOfAccount(this, 'export.rds.amazonaws.com'),
      description: 'Exports snapshots that are too large to stream',
    });
    this.role.addToPolicy(
      new PolicyStatement({
        // The actions that RDS documents. It deletes files of its own during an export.
        actions: ['s3:PutObject', 's3:GetObject', 's3:DeleteObject'],
        resources: [archiveBucket.arnForObjects(`${EXPORT_PREFIX}*`)],
      }),
    );
    this.role.addToPolicy(
      new PolicyStatement({
        actions: ['s3:ListBucket', 's3:GetBucketLocation'],
        resources: [archiveBucket.bucketArn],
      }),
    );
    // The actions that RDS documents, without those on key pairs that the grant of the framework adds.
    this.key.grant(
      this.role,
      'kms:Encrypt',
      'kms:Decrypt',
      'kms:ReEncryptFrom',
      'kms:ReEncryptTo',
      'kms:GenerateDataKey',
      'kms:GenerateDataKeyWithoutPlaintext',
    );
    acknowledgeOwnPolicy(this.role);
    acknowledgeObjects(this.role, archiveBucket, `${EXPORT_PREFIX}*`);
  }

  /** Lets a function start exports and follow their progress. */
  grantStart(fn: LambdaFunction): void {
    const arn = (resource: string) =>
      Stack.of(this).formatArn({
        service: 'rds',
        resource,
        resourceName: '*',
        arnFormat: ArnFormat.COLON_RESOURCE_NAME,
      });
    fn.addToRolePolicy(
      new PolicyStatement({
        // RDS generates the names of automated snapshots.
        actions: ['rds:StartExportTask', 'rds:DescribeExportTasks'],
        resources: [arn('snapshot'), arn('export-task')],
      }),
    );
    fn.addToRolePolicy(
      new PolicyStatement({
        actions: ['iam:PassRole'],
        resources: [this.role.roleArn],
        conditions: { StringEquals: { 'iam:PassedToService': ['rds.amazonaws.com', 'export.rds.amazonaws.com'] } },
      }),
    );
    // The export continues when the function has ended, by a grant on the key that the function creates for RDS.
    grantKeyToService(fn, this.key);
    if (!fn.role) return;
    acknowledgeWildcards(fn.role, {
      resources: [arn('snapshot'), arn('export-task')],
      reason: 'RDS generates the names of automated snapshots; exports are encrypted with the archive key only',
    });
  }
}
