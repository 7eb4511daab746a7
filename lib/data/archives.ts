import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { Key } from 'aws-cdk-lib/aws-kms';
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership, type LifecycleRule } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { DATABASE_NAMES } from '../../lambdas/shared/contract';
import { BACKUP_POLICIES } from '../config/policies';

/** Days that access logs are kept: PCI asks for a year. */
const ACCESS_LOG_DAYS = 366;

export interface ArchivesProps {
  readonly removalProtection: boolean;
}

/** Where the backup function writes. Each object carries its own retain-until date; lifecycle removes it after that. */
export class Archives extends Construct {
  readonly bucket: Bucket;

  constructor(scope: Construct, id: string, props: ArchivesProps) {
    super(scope, id);
    const removalPolicy = props.removalProtection ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY;
    const accessLogs = new Bucket(this, 'AccessLogs', {
      // S3 delivers access logs only under its own key.
      encryption: BucketEncryption.S3_MANAGED,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      lifecycleRules: [{ id: 'expire', expiration: Duration.days(ACCESS_LOG_DAYS) }],
      removalPolicy,
    });
    this.bucket = new Bucket(this, 'Bucket', {
      encryption: BucketEncryption.KMS,
      encryptionKey: new Key(this, 'Key', {
        description: 'Database archives',
        enableKeyRotation: true,
        removalPolicy,
      }),
      // One data key for many objects: fewer calls to KMS while hundreds of parts are written.
      bucketKeyEnabled: true,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      versioned: true,
      // Cannot be switched on later without AWS's help. The retention itself is set on each object.
      objectLockEnabled: true,
      serverAccessLogsBucket: accessLogs,
      serverAccessLogsPrefix: 'archives/',
      lifecycleRules: [
        ...DATABASE_NAMES.map((name): LifecycleRule => ({
          id: `expire-${name}`,
          prefix: `archives/${name}/`,
          expiration: Duration.days(BACKUP_POLICIES[name].retentionDays),
          // Expiry only hides the object behind a delete marker; this frees the bytes.
          noncurrentVersionExpiration: Duration.days(1),
          // Of an interrupted backup. Longer than any backup runs.
          abortIncompleteMultipartUploadAfter: Duration.days(1),
        })),
        { id: 'remove-delete-markers', expiredObjectDeleteMarker: true },
      ],
      removalPolicy,
    });
  }
}
