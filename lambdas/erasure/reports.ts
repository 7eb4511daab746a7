import { removeObjects } from '../../core/archive/removal';
import { type ArchiveStore, listObjects, unavailable } from '../../core/archive/store';
import { ROW_RECOVERY_PREFIX } from '../../core/archive/contract';
import { removeVersions } from '../../core/objects/remove-versions';

/**
 * Deletes every version of every report of row recovery: they hold rows as they were, of anybody, and can be made again. What is
 * made from now on leaves erased people out.
 *
 * @returns how many versions
 * @throws OperationError `store_unavailable` (retryable)
 */
export async function deleteRowReports(store: ArchiveStore): Promise<number> {
  try {
    const deleted = await removeVersions({ ...store, prefix: ROW_RECOVERY_PREFIX });
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
