import { ArnFormat, Stack } from 'aws-cdk-lib';
import { Grant, PolicyStatement, Role, ServicePrincipal, type IGrantable } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { EXPORT_PREFIX } from '../../core/archive/contract';
import { migrationSnapshotPrefix } from '../../lambdas/backup/contract';
import { acknowledgeOwnPolicy, acknowledgeWildcards } from '../policy/acknowledge-permissions';
import { acknowledgeObjects } from './archive-access';
import type { DatabaseAccess } from '../data/database-access';

/** Lets a function look at the backups of an instance, and take a snapshot before a migration. Nothing when not on RDS. */
export function grantSnapshots(fn: LambdaFunction, { name, instanceIdentifier }: DatabaseAccess): void {
  if (instanceIdentifier === undefined) return;
  const arn = (resource: string, resourceName: string) =>
    Stack.of(fn).formatArn({ service: 'rds', resource, resourceName, arnFormat: ArnFormat.COLON_RESOURCE_NAME });
  const instance = arn('db', instanceIdentifier);
  const snapshots = arn('snapshot', `${migrationSnapshotPrefix(name)}*`);
  fn.addToRolePolicy(
    new PolicyStatement({
      // Listing the snapshots of an instance is checked against the snapshots of the account, whose names AWS makes up.
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
      reason: 'RDS makes up the names of automated snapshots; they are only looked at',
    },
    {
      resources: [snapshots],
      reason: 'Snapshots before migrations carry the time in their name; the prefix holds them apart',
    },
  );
}

/**
 * Lets somebody hand the use of a key on to the service that it asks for something, such as RDS for as long as it exports
 * or runs an instance; to nobody else, so that no other principal ever gets to use the key by way of the grantee.
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
  readonly archiveBucket: IBucket;
  /** What the exports are encrypted with. */
  readonly archiveKey: IKey;
}

/** What RDS exports snapshots as, into the archive bucket but outside of the archives. */
export class SnapshotExportRole extends Construct {
  readonly role: Role;
  private readonly key: IKey;

  constructor(scope: Construct, id: string, props: SnapshotExportRoleProps) {
    super(scope, id);
    const { archiveBucket } = props;
    this.key = props.archiveKey;
    this.role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('export.rds.amazonaws.com'),
      description: 'Exports snapshots that are too large to stream',
    });
    this.role.addToPolicy(
      new PolicyStatement({
        // The list that RDS asks for. It removes files of its own while it exports.
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
    // As RDS lists them, without the pairs of keys that the framework's grant would add.
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

  /** Lets a function start exports and see how they are getting on. */
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
        // Automated snapshots get their names from RDS.
        actions: ['rds:StartExportTask', 'rds:DescribeExportTasks'],
        resources: [arn('snapshot'), arn('export-task')],
      }),
    );
    this.role.grantPassRole(fn.grantPrincipal);
    // RDS goes on exporting without the function, by a grant that the function makes it.
    grantKeyToService(fn, this.key);
    if (!fn.role) return;
    acknowledgeWildcards(fn.role, {
      resources: [arn('snapshot'), arn('export-task')],
      reason: 'RDS makes up the names of automated snapshots; what is exported lands under the archive key only',
    });
  }
}
