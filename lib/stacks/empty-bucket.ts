import {
  AbortMultipartUploadCommand,
  DeleteObjectsCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  type S3Client,
} from '@aws-sdk/client-s3';

/**
 * Deletes every version of every object of a bucket, the locked ones too, and what unfinished uploads hold.
 *
 * @returns how many versions were deleted
 * @throws Error naming the first object that S3 did not delete, and why
 */
export async function emptyBucket(s3: S3Client, bucket: string): Promise<number> {
  await abortUploads(s3, bucket);
  let deleted = 0;
  for (;;) {
    // Always the first page: what it listed is gone.
    const { Versions = [], DeleteMarkers = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket: bucket }));
    const objects = [...Versions, ...DeleteMarkers].map(({ Key, VersionId }) => ({ Key, VersionId }));
    if (objects.length === 0) return deleted;
    const { Errors: [error] = [] } = await s3.send(
      new DeleteObjectsCommand({
        Bucket: bucket,
        // Archives are locked in governance mode, which whoever may destroy the environment may end.
        BypassGovernanceRetention: true,
        Delete: { Objects: objects, Quiet: true },
      }),
    );
    if (error) throw new Error(`${bucket}: ${error.Key} was not deleted: ${error.Message ?? error.Code}`);
    deleted += objects.length;
  }
}

async function abortUploads(s3: S3Client, bucket: string): Promise<void> {
  // Some servers list for some seconds what was aborted: nothing is aborted twice.
  const aborted = new Set<string>();
  for (;;) {
    const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
    const open = Uploads.filter(({ UploadId = '' }) => !aborted.has(UploadId));
    if (open.length === 0) return;
    for (const { Key, UploadId = '' } of open) {
      await s3.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId }));
      aborted.add(UploadId);
    }
  }
}
