import type { DatabaseName } from '../shared/contract';
import { distribute } from '../shared/archive/distribute';
import type { ArchivedPart, Manifest } from '../shared/archive/manifest';
import { normaliseSlot } from '../shared/archive/slot';
import { type ArchiveStore, listSlots, objectSize, readManifest } from '../shared/archive/store';
import { OperationError } from '../shared/errors';
import { readVerified } from './read-part';

/** Objects looked up at once: a request takes some 20 ms and no memory. */
const LOOKUPS_IN_FLIGHT = 8;
/** Objects read and hashed at once. */
const READS_IN_FLIGHT = 2;

/**
 * The manifest of the archive that was asked for. `latest` is the newest one that is complete; slots whose backup
 * failed are passed over.
 *
 * @throws OperationError `archive_not_found`, or as {@link readManifest} describes
 */
export async function findArchive(store: ArchiveStore, database: DatabaseName, archive: string): Promise<Manifest> {
  const slots = archive === 'latest' ? await listSlots(store, database) : [normaliseSlot(archive)];
  for (const slot of slots) {
    const manifest = await readManifest(store, database, slot);
    if (manifest) return manifest;
  }
  throw new OperationError(
    'archive_not_found',
    archive === 'latest'
      ? `The ${database} database has no archive in bucket ${store.bucket}: take a backup first`
      : `The ${database} database has no archive of ${slots[0]} in bucket ${store.bucket}: check the time, or ask for the latest`,
  );
}

/**
 * Proves that every object of an archive is there and is what was written, before anything is restored: first that all
 * exist at their size, which is quick, then that each has its hash, which reads all of them.
 *
 * @throws OperationError `archive_damaged` naming the object, `store_unavailable` (retryable)
 */
export async function verifyObjects(store: ArchiveStore, manifest: Manifest): Promise<void> {
  const parts = manifest.tables.flatMap((table) => table.parts);
  await distribute(parts, lanes(LOOKUPS_IN_FLIGHT), (part) => assertSize(store, part));
  await distribute(parts, lanes(READS_IN_FLIGHT), async (part, _lane, signal) => {
    await readVerified(store, part, signal);
  });
}

async function assertSize(store: ArchiveStore, part: ArchivedPart): Promise<void> {
  const size = await objectSize(store, part.key);
  if (size === part.compressedBytes) return;
  throw new OperationError(
    'archive_damaged',
    size === undefined
      ? `Object ${part.key} of the archive is missing: restore another archive`
      : `Object ${part.key} of the archive has ${size} bytes instead of ${part.compressedBytes}: restore another archive, or an earlier version of the object`,
  );
}

function lanes(count: number): number[] {
  return Array.from({ length: count }, (_, lane) => lane);
}
