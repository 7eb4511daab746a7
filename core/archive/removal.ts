import {
  AbortMultipartUploadCommand,
  DeleteObjectsCommand,
  ListMultipartUploadsCommand,
  NoSuchUpload,
} from '@aws-sdk/client-s3';
import { type ArchiveStore, unavailable } from './store';

/** The most that S3 takes in one call. */
const KEYS_PER_CALL = 1000;

/**
 * Deletes objects without destroying them. In a bucket with versions, such as the archive bucket, this adds a delete
 * marker: the lifecycle frees the bytes once their lock has ended, and until then deleting the marker brings the object
 * back. The function needs no permission to delete a version, and has none.
 *
 * @throws OperationError `store_unavailable` (retryable) naming the first object that was refused
 */
export async function removeObjects(store: ArchiveStore, keys: readonly string[]): Promise<void> {
  for (let from = 0; from < keys.length; from += KEYS_PER_CALL) {
    const batch = keys.slice(from, from + KEYS_PER_CALL);
    const removed = await store.s3
      .send(
        new DeleteObjectsCommand({
          Bucket: store.bucket,
          Delete: { Objects: batch.map((Key) => ({ Key })), Quiet: true },
        }),
      )
      .catch((cause: unknown) => {
        throw unavailable(`remove ${batch[0]} and ${batch.length - 1} more`, cause);
      });
    const [refused] = removed.Errors ?? [];
    if (refused) throw unavailable(`remove ${refused.Key}`, new Error(`${refused.Code}: ${refused.Message}`));
  }
}

/**
 * Aborts the multipart uploads under a prefix that were begun before a moment. S3 keeps, and charges for, the parts of
 * uploads that are never completed.
 *
 * @returns how many
 * @throws OperationError `store_unavailable` (retryable)
 */
export async function abortUploads(store: ArchiveStore, prefix: string, begunBefore: Date): Promise<number> {
  let aborted = 0;
  let marker: { KeyMarker?: string; UploadIdMarker?: string } | undefined = {};
  try {
    while (marker) {
      const page: Awaited<ReturnType<typeof listUploads>> = await listUploads(store, prefix, marker);
      for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
        if (Initiated === undefined || Initiated >= begunBefore) continue;
        await abort(store, Key, UploadId);
        aborted += 1;
      }
      // A server that lists no uploads answers with its objects, and would do so for ever.
      marker =
        page.IsTruncated && page.NextKeyMarker !== undefined
          ? { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker }
          : undefined;
    }
  } catch (cause) {
    throw unavailable(`abort unfinished uploads under ${prefix}`, cause);
  }
  return aborted;
}

function listUploads(store: ArchiveStore, prefix: string, marker: { KeyMarker?: string; UploadIdMarker?: string }) {
  return store.s3.send(new ListMultipartUploadsCommand({ Bucket: store.bucket, Prefix: prefix, ...marker }));
}

async function abort(store: ArchiveStore, key: string | undefined, uploadId: string | undefined): Promise<void> {
  try {
    await store.s3.send(new AbortMultipartUploadCommand({ Bucket: store.bucket, Key: key, UploadId: uploadId }));
  } catch (error) {
    // Aborted already, by the lifecycle or by a retried request.
    if (!(error instanceof NoSuchUpload)) throw error;
  }
}
