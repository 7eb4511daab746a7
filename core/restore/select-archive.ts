import type { DatabaseName } from '../contract';
import type { Manifest } from '../archive/manifest';
import { normaliseSlot } from '../archive/slot';
import { type ArchiveStore, listSlots, readManifest } from '../archive/store';
import { InvalidRequestError, OperationError } from '../runtime/errors';

/** Names an archive of a database. */
export interface ArchiveChoice {
  /** Slot of the archive (its ISO time), or `latest`. */
  readonly archive: string;
  /** With `latest`: the newest archive that was finished by this ISO time. */
  readonly notAfter?: string;
}

/**
 * Finds the requested archive. `latest` is the newest complete one; slots whose backup failed are skipped. With
 * `notAfter` it is the newest that was finished by then: the slot is not the time of the data, since a retried backup
 * reads it later, and rows lost before that are not in the archive.
 *
 * @returns its manifest
 *
 * @throws OperationError `archive_not_found`, or as {@link readManifest} describes
 * @throws InvalidRequestError for `notAfter` with a named archive
 */
export async function findArchive(
  store: ArchiveStore,
  database: DatabaseName,
  choice: ArchiveChoice,
): Promise<Manifest> {
  const { archive, notAfter } = choice;
  const moment = notAfter === undefined ? undefined : normaliseSlot(notAfter);
  if (moment !== undefined && archive !== 'latest') {
    throw new InvalidRequestError('notAfter: only together with `latest`; a named archive is of one time');
  }
  const slots = archive === 'latest' ? await listSlots(store, database) : [normaliseSlot(archive)];
  for (const slot of slots) {
    // An archive is never finished before its slot: later ones need not be opened.
    if (moment !== undefined && slot > moment) continue;
    const manifest = await readManifest(store, database, slot);
    if (manifest && (moment === undefined || Date.parse(manifest.finishedAt) <= Date.parse(moment))) return manifest;
  }
  throw archiveNotFound(`The ${database} database has no archive`, store.bucket, archive, moment);
}

function archiveNotFound(what: string, bucket: string, archive: string, moment: string | undefined): OperationError {
  const [which, wayOut] =
    moment !== undefined
      ? [` finished by ${moment}`, 'ask for a later time, or have RDS restore the instance to that second']
      : archive === 'latest'
        ? ['', 'take a backup first']
        : [` of ${normaliseSlot(archive)}`, 'check the time, or ask for the latest'];
  return new OperationError('archive_not_found', `${what}${which} in bucket ${bucket}: ${wayOut}`);
}
