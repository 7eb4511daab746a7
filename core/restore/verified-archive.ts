import type { ArchivedTable, Manifest } from '../archive/manifest';
import type { ArchiveStore } from '../archive/store';
import { readMigrationFiles } from '../migrations/files';
import { assertHistory } from '../migrations/journal';
import { type VerifiedObjects, verifyObjects } from './verified-objects';

/** An archive that this code can restore, and whose objects are what was written. */
export interface VerifiedArchive {
  readonly manifest: Manifest;
  /** The tables to load. */
  readonly tables: readonly ArchivedTable[];
  /** Whether these are all tables of the archive. */
  readonly isWhole: boolean;
  readonly objects: VerifiedObjects;
}

export interface VerificationDependencies {
  readonly store: ArchiveStore;
  /** Folder with the migrations of the archive's database. */
  readonly migrationsDirectory: string;
  /** Bytes of objects that stay in memory between their verification and their loading. @default 64 MiB */
  readonly cachedBytes?: number;
}

/**
 * Verifies an archive before anything is written: its migrations are those of this code, and its objects have their
 * hashes.
 *
 * @param tables the tables to load, and whose objects are verified. @default all
 * @throws OperationError `schema_newer_than_code`, `migration_edited`, `migration_gap`, `archive_damaged` naming the
 * object; and, retryable, `store_unavailable`
 */
export async function verifyArchive(
  { store, migrationsDirectory, cachedBytes }: VerificationDependencies,
  manifest: Manifest,
  tables: readonly ArchivedTable[] = manifest.tables,
): Promise<VerifiedArchive> {
  assertHistory(manifest.migrations, await readMigrationFiles(migrationsDirectory), `The archive of ${manifest.slot}`);
  const objects = await verifyObjects(store, manifest, tables, cachedBytes);
  return { manifest, tables, isWhole: tables.length === manifest.tables.length, objects };
}
