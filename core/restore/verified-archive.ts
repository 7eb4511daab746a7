import { type ArchivedTable, type Manifest, objectsOf } from '../archive/manifest';
import { COPY_SETTINGS } from '../archive/copy-session';
import type { SignedStore } from '../archive/signed-manifest';
import { readMigrationFiles } from '../migrations/files';
import { assertHistory } from '../migrations/journal';
import { OperationError } from '../runtime/errors';
import { type VerifiedObjects, verifyObjects } from './verified-objects';

/** An archive that this code can restore, and whose objects are what was written. */
export interface VerifiedArchive {
  readonly manifest: Manifest;
  /** The tables whose objects were verified. */
  readonly tables: readonly ArchivedTable[];
  readonly objects: VerifiedObjects;
}

export interface VerificationDependencies {
  readonly store: SignedStore;
  /** Folder with the migrations of the archive's database. */
  readonly migrationsDirectory: string;
  /** Bytes of objects that stay in memory between their verification and their loading. @default 64 MiB */
  readonly cachedBytes?: number;
}

/**
 * Verifies an archive before anything is written: its migrations are those of this code, its values are spelled as this
 * code reads them, and its objects have their hashes.
 *
 * @param tables the tables to load; the schema is verified in any case. @default all, with everything else of the archive
 * @throws OperationError `schema_newer_than_code`, `migration_edited`, `migration_gap`, `archive_malformed`,
 * `archive_damaged` naming the object; and, retryable, `store_unavailable`
 */
export async function verifyArchive(
  dependencies: VerificationDependencies,
  manifest: Manifest,
  tables?: readonly ArchivedTable[],
): Promise<VerifiedArchive> {
  const { store, cachedBytes } = dependencies;
  await assertReadable(dependencies, manifest);
  const texts = manifest.version === 1 ? [] : [manifest.schema.before, manifest.schema.after];
  const wanted = tables === undefined ? objectsOf(manifest) : [...texts, ...tables.flatMap(({ parts }) => parts)];
  const objects = await verifyObjects(store, manifest, wanted, cachedBytes);
  return { manifest, tables: tables ?? manifest.tables, objects };
}

/** @throws OperationError `schema_newer_than_code`, `migration_edited`, `migration_gap`, `archive_malformed` */
export async function assertReadable(
  { migrationsDirectory }: Pick<VerificationDependencies, 'migrationsDirectory'>,
  manifest: Manifest,
): Promise<void> {
  assertHistory(manifest.migrations, await readMigrationFiles(migrationsDirectory), `The archive of ${manifest.slot}`);
  assertCopySettings(manifest);
}

/** Every version of this platform has written values under the same settings; under others, they may mean something else. */
export function assertCopySettings({ slot, copySettings }: Manifest): void {
  const [name] = Object.entries(COPY_SETTINGS).find(([key, value]) => copySettings[key] !== value) ?? [];
  if (name === undefined) return;
  throw new OperationError(
    'archive_malformed',
    `The archive of ${slot} was written with ${name} = ${copySettings[name] ?? 'nothing'}, and is read with another value: restore another archive`,
  );
}
