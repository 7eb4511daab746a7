import { AbortMultipartUploadCommand, ListMultipartUploadsCommand, type S3Client } from '@aws-sdk/client-s3';
import { removeVersions } from '../../core/objects/remove-versions';

/**
 * Deletes every version of every object of a bucket, the locked ones too, and what unfinished uploads hold.
 *
 * @returns how many versions were deleted
 * @throws Error as `removeVersions` does
 */
export async function emptyBucket(s3: S3Client, bucket: string): Promise<number> {
  await abortUploads(s3, bucket);
  let deleted = 0;
  for (;;) {
    // Archives are locked in governance mode, which a role that may destroy the environment may end.
    const removed = await removeVersions({ s3, bucket }, { endsLocks: true });
    // Until nothing is left: S3 may deliver a log meanwhile.
    if (removed === 0) return deleted;
    deleted += removed;
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
