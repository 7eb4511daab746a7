import type { CompleteManifest, Manifest } from '../archive/manifest';
import type { ArchiveStore } from '../archive/store';
import { OperationError } from '../runtime/errors';
import { compareSchemas } from '../schema/compare';
import type { CapturedSchema, SchemaDifference } from '../schema/contract';
import { VerifiedObjects } from './verified-objects';
import { readVerifiedText } from './verified-text';

/**
 * The schema of an archive, as it was captured.
 *
 * @throws OperationError `archive_damaged` naming the object, `store_unavailable` (retryable)
 */
export async function readArchivedTexts(
  objects: VerifiedObjects,
  { schema: { before, after, facts } }: CompleteManifest,
): Promise<CapturedSchema> {
  return { before: await readVerifiedText(objects, before), after: await readVerifiedText(objects, after), facts };
}

/**
 * What differs between the schemas of two archives, object by object; empty when they are equal. No database is needed.
 *
 * @throws OperationError `archive_unsupported` for an archive of version 1, which has no schema; `archive_damaged`,
 * `schema_malformed`; and, retryable, `store_unavailable`
 */
export async function compareArchivedSchemas(
  store: ArchiveStore,
  from: Manifest,
  to: Manifest,
): Promise<SchemaDifference[]> {
  const objects = new VerifiedObjects(store, 0);
  const [before, after] = await Promise.all([from, to].map((one) => readArchivedTexts(objects, withSchema(one))));
  if (!before || !after || plainText(before) === plainText(after)) return [];
  return compareSchemas(before, after);
}

function withSchema(manifest: Manifest): CompleteManifest {
  if (manifest.version !== 1) return manifest;
  throw new OperationError(
    'archive_unsupported',
    `The archive of ${manifest.slot} has version 1, which holds rows without their schema: compare archives that were made after it`,
  );
}

/** Two captures of one schema differ in their key alone: most archives need no reading of their statements. */
function plainText({ before, after, facts: { key, database, extensions } }: CapturedSchema): string {
  return `${before}${after}`.replaceAll(key, '') + JSON.stringify([database, extensions]);
}
