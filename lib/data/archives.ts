import { Duration } from 'aws-cdk-lib';
import { Key } from 'aws-cdk-lib/aws-kms';
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership, type LifecycleRule } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { EXPORT_PREFIX } from '../../core/archive/contract';
import { DRILL_PREFIX } from '../../lambdas/drill/contract';
import { ROW_RECOVERY_PREFIX } from '../../lambdas/row-recovery/contract';
import { DATABASE_NAMES, type DatabaseName } from '../../core/contract';
import { acknowledge } from '../policy/acknowledge';
import { BACKUP_POLICIES } from '../config/policies';
import { removalPolicyOf } from '../config/removal-policy';

/** Days that access logs are kept: PCI asks for a year. */
const ACCESS_LOG_DAYS = 366;

/** Time in which an access log that was removed before its time can be had back. */
const ACCESS_LOG_GRACE = Duration.days(30);

/** Time in which something hidden by mistake can be had back, or an interrupted upload be looked at. */
const GRACE = Duration.days(1);
/** Days that the records of drills are kept: an auditor asks for the last year's. */
const DRILL_RECORD_DAYS = 400;
/** Days that reports of row-level recovery are kept. They hold rows, with personal data: no longer than a review takes. */
const ROW_REPORT_DAYS = 30;

export interface ArchivesProps {
  readonly removalProtection: boolean;
  /** Whether the archives are copied to another bucket. */
  readonly replicated: boolean;
  /** @default - made up by CloudFormation */
  readonly bucketName?: string;
  /** Alias of the key, with `alias/`. @default - none */
  readonly keyAlias?: string;
}

/** Where the backup function writes. Each archive carries its own retain-until date, before which nothing removes it. */
export class Archives extends Construct {
  readonly bucket: Bucket;
  readonly key: Key;

  constructor(scope: Construct, id: string, props: ArchivesProps) {
    super(scope, id);
    const removalPolicy = removalPolicyOf(props.removalProtection);
    const accessLogs = new Bucket(this, 'AccessLogs', {
      // S3 delivers access logs only under its own key.
      encryption: BucketEncryption.S3_MANAGED,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      // So that a record that is written over or removed can still be had.
      versioned: true,
      lifecycleRules: [
        { id: 'expire', expiration: Duration.days(ACCESS_LOG_DAYS), noncurrentVersionExpiration: ACCESS_LOG_GRACE },
        { id: 'remove-delete-markers', expiredObjectDeleteMarker: true },
      ],
      removalPolicy,
    });
    acknowledgeAccessLogs(accessLogs);
    this.key = new Key(this, 'Key', {
      description: 'Database archives',
      alias: props.keyAlias,
      enableKeyRotation: true,
      removalPolicy,
    });
    this.bucket = new Bucket(this, 'Bucket', {
      bucketName: props.bucketName,
      encryption: BucketEncryption.KMS,
      encryptionKey: this.key,
      // One data key for many objects: fewer calls to KMS while hundreds of parts are written.
      bucketKeyEnabled: true,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      versioned: true,
      // Archives bring their own dates, in governance mode: a person may ask to be erased. No default, because it would
      // also lock reports of row-level recovery, and what RDS exports.
      objectLockEnabled: true,
      serverAccessLogsBucket: accessLogs,
      serverAccessLogsPrefix: 'archives/',
      lifecycleRules: [
        ...DATABASE_NAMES.flatMap(lifecycleOf),
        {
          id: 'expire-drill-records',
          prefix: DRILL_PREFIX,
          expiration: Duration.days(DRILL_RECORD_DAYS),
          noncurrentVersionExpiration: GRACE,
        },
        {
          id: 'expire-row-reports',
          prefix: ROW_RECOVERY_PREFIX,
          expiration: Duration.days(ROW_REPORT_DAYS),
          noncurrentVersionExpiration: GRACE,
          // Of a report that was killed.
          abortIncompleteMultipartUploadAfter: GRACE,
        },
        { id: 'remove-delete-markers', expiredObjectDeleteMarker: true },
      ],
      removalPolicy,
    });
    if (props.replicated) return;
    acknowledge(this.bucket, {
      nag: ['NIST.800.53.R5-S3BucketReplicationEnabled', 'PCI.DSS.321-S3BucketReplicationEnabled'],
      reason:
        'Holds the copies itself, or belongs to an environment that has no second region, which its configuration says',
    });
  }
}

function acknowledgeAccessLogs(bucket: Bucket): void {
  acknowledge(
    bucket,
    {
      nag: ['NIST.800.53.R5-S3DefaultEncryptionKMS', 'PCI.DSS.321-S3DefaultEncryptionKMS'],
      reason: 'S3 delivers access logs only to a bucket under its own key',
    },
    {
      nag: ['NIST.800.53.R5-S3BucketReplicationEnabled', 'PCI.DSS.321-S3BucketReplicationEnabled'],
      reason: 'Each region logs the access to what it holds, and keeps that log where it is',
    },
    { checkov: ['CKV_AWS_18'], reason: 'Is itself where access is logged' },
  );
}

/** What becomes of the objects of one database. */
function lifecycleOf(name: DatabaseName): LifecycleRule[] {
  return [
    {
      id: `free-${name}`,
      prefix: `archives/${name}/`,
      // The backup function hides what is past its retention, but never the newest archive; by age alone, the last one
      // would go after that many days without a backup. This frees the bytes, once the lock has ended.
      noncurrentVersionExpiration: GRACE,
      // Of an interrupted backup. Longer than any backup runs.
      abortIncompleteMultipartUploadAfter: GRACE,
    },
    {
      id: `expire-exports-${name}`,
      prefix: `${EXPORT_PREFIX}${name}/`,
      expiration: Duration.days(BACKUP_POLICIES[name].retentionDays),
      noncurrentVersionExpiration: GRACE,
    },
  ];
}
