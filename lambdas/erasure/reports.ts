import {
  DeleteObjectsCommand,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
} from '@aws-sdk/client-s3';
import { removeObjects } from '../../core/archive/removal';
import { type ArchiveStore, listObjects, unavailable } from '../../core/archive/store';
import { ROW_RECOVERY_PREFIX } from '../../core/archive/contract';

/**
 * Deletes every version of every report of row recovery: they hold rows as they were, of anybody, and can be made again. What is
 * made from now on leaves erased people out.
 *
 * @returns how many versions
 * @throws OperationError `store_unavailable` (retryable)
 */
export async function deleteRowReports(store: ArchiveStore): Promise<number> {
  const { s3, bucket } = store;
  let deleted = 0;
  let marker: { KeyMarker?: string; VersionIdMarker?: string } = {};
  try {
    for (;;) {
      const list = new ListObjectVersionsCommand({ Bucket: bucket, Prefix: ROW_RECOVERY_PREFIX, ...marker });
      const page: ListObjectVersionsCommandOutput = await s3.send(list);
      const versions = [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])];
      if (versions.length > 0) {
        const Objects = versions.map(({ Key, VersionId }) => ({ Key, VersionId }));
        const answer = await s3.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } }));
        const [refused] = answer.Errors ?? [];
        if (refused) throw new Error(`${refused.Key}: ${refused.Code}`);
        deleted += versions.length;
      }
      // A truncated page without a marker would be listed for ever.
      if (page.IsTruncated !== true || page.NextKeyMarker === undefined) break;
      marker = { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker };
    }
    return deleted + (await removeListed(store));
  } catch (cause) {
    throw unavailable(`delete the reports below ${ROW_RECOVERY_PREFIX}`, cause);
  }
}

/** What a server without versions lists all the same. On S3, nothing is left. */
async function removeListed(store: ArchiveStore): Promise<number> {
  const keys: string[] = [];
  for await (const { Key } of listObjects(store, ROW_RECOVERY_PREFIX)) if (Key !== undefined) keys.push(Key);
  await removeObjects(store, keys);
  return keys.length;
}
