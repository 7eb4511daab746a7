import { Stack } from 'aws-cdk-lib';
import { Grant, type IRole } from 'aws-cdk-lib/aws-iam';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import { acknowledgeWildcards } from '../policy/acknowledge-permissions';

/*
 * What functions may do in the archive bucket, action by action: the framework's own grants are of `s3:GetObject*`,
 * `s3:List*` and the like, and of writing to where nobody has to.
 */

const WHY_BY_PREFIX =
  'Names of archives, records and reports are made up at run time; the function is held to the prefix that is its own';

/** Lets a function list the bucket, and read the objects below a prefix, which ends in `*`. */
export function grantReading(fn: LambdaFunction, bucket: IBucket, pattern: string): void {
  grantObjects(fn, bucket, pattern, ['s3:GetObject']);
  Grant.addToPrincipal({ grantee: fn, actions: ['s3:ListBucket'], resourceArns: [bucket.bucketArn] });
  bucket.encryptionKey?.grant(fn, 'kms:Decrypt');
}

/** Lets a function write objects below a prefix, and abort its uploads. Nothing that it wrote can it take away again. */
export function grantWriting(fn: LambdaFunction, bucket: IBucket, pattern: string): void {
  grantObjects(fn, bucket, pattern, ['s3:PutObject', 's3:AbortMultipartUpload']);
  // Reading belongs to it: the parts of an upload are put together with the key that they were written with.
  bucket.encryptionKey?.grant(fn, 'kms:GenerateDataKey', 'kms:Decrypt');
}

/** Lets a function write objects that cannot be removed before their date. */
export function grantWritingLocked(fn: LambdaFunction, bucket: IBucket, pattern: string): void {
  grantWriting(fn, bucket, pattern);
  // Without the right to see a lock, S3 says nothing of it, and one that is about to end is not prolonged.
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

function grantObjects(fn: LambdaFunction, bucket: IBucket, pattern: string, actions: string[]): void {
  Grant.addToPrincipal({ grantee: fn, actions, resourceArns: [bucket.arnForObjects(pattern)] });
  if (fn.role) acknowledgeObjects(fn.role, bucket, pattern);
}

/** Accepts that a role is granted objects by their prefix, in a bucket of another stack. */
export function acknowledgeObjects(role: IRole, bucket: IBucket, pattern: string): void {
  // By the name under which the stack of the bucket hands it over, which is what stands in the template.
  const bucketArn = Stack.of(bucket).exportValue(bucket.bucketArn);
  acknowledgeWildcards(role, { resources: [`${bucketArn}/${pattern}`], reason: WHY_BY_PREFIX });
}
