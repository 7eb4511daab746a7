import { Arn, ArnFormat, Stack } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { CfnBucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { REPLICATION_RULE } from '../../core/archive/contract';
import { acknowledgeOwnPolicy, acknowledgeWildcards } from '../policy/acknowledge-permissions';
import type { Archives } from './archives';
import type { RecoveryRegion } from './recovery-region';

export interface ArchiveReplicationProps {
  /** Bucket and key to copy from. */
  readonly archives: Archives;
  /** Names of the bucket and the key to copy to. */
  readonly recoveryRegion: RecoveryRegion;
}

/** Copies each archive, with its lock, to the bucket of the second region. */
export class ArchiveReplication extends Construct {
  constructor(scope: Construct, id: string, props: ArchiveReplicationProps) {
    super(scope, id);
    const { bucket, key } = props.archives;
    const { region, archiveBucketName, archiveKeyAlias } = props.recoveryRegion;
    const stack = Stack.of(this);
    const destinationArn = Arn.format(
      { service: 's3', resource: archiveBucketName, account: '', region: '', arnFormat: ArnFormat.NO_RESOURCE_NAME },
      stack,
    );
    const keyArn = (resource: string, resourceName: string) =>
      Arn.format({ service: 'kms', region, resource, resourceName }, stack);

    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('s3.amazonaws.com'),
      description: 'Copies archives to the second region',
    });
    role.addToPolicy(
      new PolicyStatement({
        actions: ['s3:GetReplicationConfiguration', 's3:ListBucket'],
        resources: [bucket.bucketArn],
      }),
    );
    role.addToPolicy(
      new PolicyStatement({
        actions: [
          's3:GetObjectVersionForReplication',
          's3:GetObjectVersionAcl',
          's3:GetObjectVersionTagging',
          // Without these two a locked object is not copied at all.
          's3:GetObjectRetention',
          's3:GetObjectLegalHold',
        ],
        resources: [bucket.arnForObjects('*')],
      }),
    );
    role.addToPolicy(
      new PolicyStatement({
        // Of deletions, only delete markers are replicated, which hide an object; the lock of the copy stays.
        actions: ['s3:ReplicateObject', 's3:ReplicateTags', 's3:ReplicateDelete'],
        resources: [`${destinationArn}/*`],
      }),
    );
    key.grantDecrypt(role);
    role.addToPolicy(
      new PolicyStatement({
        actions: ['kms:Encrypt', 'kms:GenerateDataKey'],
        // The id of a key in another region is unknown here; its alias is known.
        resources: [keyArn('key', '*')],
        conditions: { 'ForAnyValue:StringEquals': { 'kms:ResourceAliases': archiveKeyAlias } },
      }),
    );

    acknowledgeOwnPolicy(role);
    acknowledgeWildcards(
      role,
      {
        resources: [bucket.arnForObjects('*'), `${destinationArn}/*`],
        reason: 'Every object of the first bucket is copied to the second',
      },
      {
        resources: [keyArn('key', '*')],
        reason:
          'The id of the key in the second region is unknown to this stack; the condition admits only the key with one alias',
      },
    );

    const cfnBucket = bucket.node.defaultChild;
    if (!(cfnBucket instanceof CfnBucket)) throw new Error('The archive bucket is not a CloudFormation bucket');
    // Set on the resource itself: the rule of the framework needs a key, and only an alias is known.
    cfnBucket.replicationConfiguration = {
      role: role.roleArn,
      rules: [
        {
          id: REPLICATION_RULE,
          status: 'Enabled',
          priority: 1,
          filter: { prefix: '' },
          deleteMarkerReplication: { status: 'Enabled' },
          sourceSelectionCriteria: { sseKmsEncryptedObjects: { status: 'Enabled' } },
          destination: {
            bucket: destinationArn,
            encryptionConfiguration: { replicaKmsKeyId: keyArn('alias', archiveKeyAlias.replace('alias/', '')) },
            // Published as metrics, so that a copy that falls behind can be seen.
            metrics: { status: 'Enabled' },
          },
        },
      ],
    };
  }
}
