import type { DatabaseName } from '../contract';
import type { Manifest } from '../archive/manifest';
import { normaliseSlot } from '../archive/slot';
import { type ArchiveStore, listSlots, readManifest } from '../archive/store';
import { InvalidRequestError, OperationError } from '../runtime/errors';

/** Which archive is meant. */
export interface ArchiveChoice {
  /** Slot of the archive (its ISO time), or `latest`. */
  readonly archive: string;
  /** With `latest`: the newest archive that was finished by this ISO time. */
  readonly notAfter?: string;
}

/**
 * The manifest of the archive that was asked for. `latest` is the newest one that is complete; slots whose backup
 * failed are passed over. With `notAfter` it is the newest that was finished by then: the slot does not say when the
 * data was read, since a retried backup reads it later, and rows lost before that are not in it.
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
    throw new InvalidRequestError('notAfter: only together with `latest`; a named archive is of one time already');
  }
  const slots = archive === 'latest' ? await listSlots(store, database) : [normaliseSlot(archive)];
  for (const slot of slots) {
    // An archive is not finished before its slot: later ones need not be opened.
    if (moment !== undefined && slot > moment) continue;
    const manifest = await readManifest(store, database, slot);
    if (manifest && (moment === undefined || Date.parse(manifest.finishedAt) <= Date.parse(moment))) return manifest;
  }
  throw notFound(`The ${database} database has no archive`, store.bucket, archive, moment);
}

function notFound(what: string, bucket: string, archive: string, moment: string | undefined): OperationError {
  const [which, wayOut] =
    moment !== undefined
      ? [` finished by ${moment}`, 'ask for a later time, or have RDS restore the instance to that second']
      : archive === 'latest'
        ? ['', 'take a backup first']
        : [` of ${normaliseSlot(archive)}`, 'check the time, or ask for the latest'];
  return new OperationError('archive_not_found', `${what}${which} in bucket ${bucket}: ${wayOut}`);
}
