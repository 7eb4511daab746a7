import { paginateListObjectsV2 } from '@aws-sdk/client-s3';
import type { DatabaseName } from '../contract';
import { EXPORT_PREFIX } from './contract';
import { manifestKey } from './keys';
import { keyToSlot, type Slot } from './slot';
import { type ArchiveStore, listSlots, unavailable } from './store';

/**
 * Slot of the newest archive of a database, or of its newest export where it is too large to stream; `undefined` when
 * there is neither. From the names of the objects alone: the collector may not read what is in them.
 *
 * @throws OperationError `store_unavailable` (retryable)
 */
export async function newestBackup(store: ArchiveStore, database: DatabaseName): Promise<Date | undefined> {
  const newest = [await newestArchive(store, database), await newestExport(store, database)]
    .filter((slot) => slot !== undefined)
    .toSorted()
    .at(-1);
  return newest === undefined ? undefined : new Date(newest);
}

/** Mostly the first slot has its manifest; the others are attempts that failed. */
async function newestArchive(store: ArchiveStore, database: DatabaseName): Promise<Slot | undefined> {
  for (const slot of await listSlots(store, database)) {
    const key = manifestKey(database, slot);
    const [found] = await list(store, key, (page) => page.Contents?.map((object) => object.Key) ?? []);
    if (found === key) return slot;
  }
  return undefined;
}

/** An export is a folder with the name of its task, which ends in the slot. */
async function newestExport(store: ArchiveStore, database: DatabaseName): Promise<Slot | undefined> {
  const start = `${EXPORT_PREFIX}${database}/${database}-`;
  const folders = await list(store, start, (page) => page.CommonPrefixes?.map(({ Prefix }) => Prefix) ?? []);
  return folders
    .flatMap((folder) => keyToSlot(folder?.slice(start.length, -1).toUpperCase() ?? '') ?? [])
    .toSorted()
    .at(-1);
}

type Page = Awaited<ReturnType<ReturnType<typeof paginateListObjectsV2>['next']>>['value'];

async function list<T>(store: ArchiveStore, prefix: string, read: (page: NonNullable<Page>) => T[]): Promise<T[]> {
  const found: T[] = [];
  try {
    const pages = paginateListObjectsV2({ client: store.s3 }, { Bucket: store.bucket, Prefix: prefix, Delimiter: '/' });
    for await (const page of pages) found.push(...read(page));
  } catch (cause) {
    throw unavailable(`list ${prefix}`, cause);
  }
  return found;
}
