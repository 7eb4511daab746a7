import { Stack } from 'aws-cdk-lib';
import { Grant, type IRole } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import type { ArchiveEnvironment } from '../../core/archive/contract';
import { acknowledgeWildcards } from '../policy/acknowledge-permissions';

/*
 * What functions may do in the archive bucket, action by action. The framework's own grants contain `s3:GetObject*`,
 * `s3:List*` and the like, and allow writing where no function has to.
 */

const WHY_BY_PREFIX =
  'Names of archives, records and reports are generated at run time; the function is restricted to its own prefix';

/** The archives of an environment. */
export interface ArchiveAccess {
  /** Bucket that holds them. */
  readonly bucket: IBucket;
  /** Key pair that manifests are signed with. */
  readonly signingKey: IKey;
}

/** Variables of a function that reads or writes archives. */
export function archiveEnvironment({ bucket, signingKey }: ArchiveAccess): {
  [Name in keyof ArchiveEnvironment]: string;
} {
  return { ARCHIVE_BUCKET: bucket.bucketName, ARCHIVE_SIGNING_KEY_ARN: signingKey.keyArn };
}

/** Lets a function read archives, and tell those that this environment's backups wrote from others. */
export function grantReadingArchives(fn: LambdaFunction, { bucket, signingKey }: ArchiveAccess): void {
  grantReading(fn, bucket, 'archives/*');
  signingKey.grant(fn, 'kms:GetPublicKey');
}

/** Lets a function list the bucket, and read the objects below a prefix, which ends in `*`. */
export function grantReading(fn: LambdaFunction, bucket: IBucket, pattern: string): void {
  grantObjects(fn, bucket, pattern, ['s3:GetObject']);
  Grant.addToPrincipal({ grantee: fn, actions: ['s3:ListBucket'], resourceArns: [bucket.bucketArn] });
  bucket.encryptionKey?.grant(fn, 'kms:Decrypt');
}

/** Lets a function list the versions of the bucket, and read those of objects below a prefix, hidden ones included. */
export function grantReadingVersions(fn: LambdaFunction, bucket: IBucket, pattern: string): void {
  grantObjects(fn, bucket, pattern, ['s3:GetObject', 's3:GetObjectVersion']);
  const actions = ['s3:ListBucket', 's3:ListBucketVersions'];
  Grant.addToPrincipal({ grantee: fn, actions, resourceArns: [bucket.bucketArn] });
  bucket.encryptionKey?.grant(fn, 'kms:Decrypt');
}

/** Lets a function write objects below a prefix, and abort its uploads. It cannot delete what it wrote. */
export function grantWriting(fn: LambdaFunction, bucket: IBucket, pattern: string): void {
  grantObjects(fn, bucket, pattern, ['s3:PutObject', 's3:AbortMultipartUpload']);
  // Decryption is part of it: completing a multipart upload decrypts its parts.
  bucket.encryptionKey?.grant(fn, 'kms:GenerateDataKey', 'kms:Decrypt');
}

/** Lets a function write objects that cannot be deleted before their retain-until date. */
export function grantWritingLocked(fn: LambdaFunction, bucket: IBucket, pattern: string): void {
  grantWriting(fn, bucket, pattern);
  // Without the permission to read a lock, S3 omits it, and a lock that is about to end would not be extended.
  grantObjects(fn, bucket, pattern, ['s3:PutObjectRetention', 's3:GetObjectRetention']);
}

/**
 * Lets a function hide objects behind delete markers and abort uploads. Not `grantDelete`, which would also let it
 * destroy versions.
 */
export function grantHiding(fn: LambdaFunction, bucket: IBucket, pattern: string): void {
  grantObjects(fn, bucket, pattern, ['s3:DeleteObject', 's3:AbortMultipartUpload']);
  Grant.addToPrincipal({ grantee: fn, actions: ['s3:ListBucketMultipartUploads'], resourceArns: [bucket.bucketArn] });
}

/** Lets a function destroy every version of the objects below a prefix. */
export function grantDestroying(fn: LambdaFunction, bucket: IBucket, pattern: string): void {
  grantObjects(fn, bucket, pattern, ['s3:DeleteObject', 's3:DeleteObjectVersion']);
  Grant.addToPrincipal({ grantee: fn, actions: ['s3:ListBucketVersions'], resourceArns: [bucket.bucketArn] });
}

function grantObjects(fn: LambdaFunction, bucket: IBucket, pattern: string, actions: string[]): void {
  Grant.addToPrincipal({ grantee: fn, actions, resourceArns: [bucket.arnForObjects(pattern)] });
  if (fn.role) acknowledgeObjects(fn.role, bucket, pattern);
}

/** Accepts a grant on objects by their prefix, in a bucket of another stack. */
export function acknowledgeObjects(role: IRole, bucket: IBucket, pattern: string): void {
  // The template contains the name of the export of the stack that owns the bucket.
  const bucketArn = Stack.of(bucket).exportValue(bucket.bucketArn);
  acknowledgeWildcards(role, { resources: [`${bucketArn}/${pattern}`], reason: WHY_BY_PREFIX });
}
