import { type ArchiveStore, listSlots, readManifest } from '../../core/archive/store';
import type { DatabaseName } from '../../core/contract';
import type { InspectionReport } from './contract';

/** Manifests that are read at the same time: they are small, and S3 takes a tenth of a second for each. */
const CONCURRENCY = 8;

/**
 * Archives of a database, the newest first.
 *
 * @throws OperationError `store_unavailable` (retryable), or as {@link readManifest} describes for one that cannot be read
 */
export async function listArchives(
  store: ArchiveStore,
  database: DatabaseName,
  limit: number,
): Promise<InspectionReport<'archives'>> {
  const slots = await listSlots(store, database);
  const archives: InspectionReport<'archives'>['archives'] = [];
  const incomplete: string[] = [];
  for (let start = 0; start < slots.length && archives.length < limit; start += CONCURRENCY) {
    const batch = slots.slice(start, start + CONCURRENCY);
    const manifests = await Promise.all(batch.map((slot) => readManifest(store, database, slot)));
    for (const [index, manifest] of manifests.entries()) {
      if (manifest === undefined) {
        incomplete.push(batch[index] ?? '');
        continue;
      }
      const { slot, finishedAt, migrations, tables, rows, bytes, compressedBytes, durationMs } = manifest;
      const schemaVersion = migrations.at(-1)?.name ?? null;
      archives.push({
        slot,
        finishedAt,
        schemaVersion,
        tables: tables.length,
        rows,
        bytes,
        compressedBytes,
        durationMs,
      });
    }
  }
  return { action: 'archives', database, archives: archives.slice(0, limit), incomplete };
}
