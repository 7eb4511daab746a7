import type { Manifest } from '../../core/archive/manifest';
import { haveSameVersions } from '../../core/archive/schema-version';
import type { SignedStore } from '../../core/archive/signed-manifest';
import { compareArchivedSchemas } from '../../core/restore/archived-texts';
import { findEarlierArchive } from '../../core/restore/select-archive';
import { messageOf } from '../../core/runtime/errors';
import type { Log } from '../../core/runtime/telemetry';
import type { SchemaChange } from './contract';

/** Objects in a report; `ops backups diff` has all of them. */
const SHOWN = 20;

/** What a run reports that has no archive of its own to compare. */
export const NOT_COMPARED: SchemaChange = { state: 'not-compared', since: null, total: 0, objects: [] };

/**
 * Compares a new archive with the one before it, so that a change of the schema that no migration recorded is known within
 * a day. The archive is good whatever comes of it: an archive before that cannot be read is logged.
 */
export async function describeSchemaChange(
  { store, log }: { readonly store: SignedStore; readonly log: Log },
  manifest: Manifest,
): Promise<SchemaChange> {
  const { database, slot } = manifest;
  try {
    const earlier = await findEarlierArchive(store, database, slot);
    if (earlier === undefined) return { ...NOT_COMPARED, state: 'first' };
    const since = earlier.slot;
    if (!haveSameVersions(earlier, manifest)) return { ...NOT_COMPARED, state: 'recorded', since };
    const differences = await compareArchivedSchemas(store, earlier, manifest);
    if (differences.length === 0) return { ...NOT_COMPARED, state: 'none', since };
    const objects = differences.slice(0, SHOWN).map(({ kind, object }) => `${kind}: ${object}`);
    log.warn('The schema was changed without a recorded migration', {
      database,
      slot,
      since,
      total: differences.length,
      objects,
    });
    return { state: 'unrecorded', since, total: differences.length, objects };
  } catch (error) {
    log.warn('The schema was not compared with the archive before', { database, slot, reason: messageOf(error) });
    return NOT_COMPARED;
  }
}
