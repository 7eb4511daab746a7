import type { DatabaseName } from '../contract';
import type { Manifest } from '../archive/manifest';
import { normaliseSlot, type Slot } from '../archive/slot';
import { readManifest, type SignedStore, type StoredManifest } from '../archive/signed-manifest';
import { listSlots } from '../archive/store';
import { InvalidRequestError, OperationError } from '../runtime/errors';

/** Names an archive of a database. */
export interface ArchiveChoice {
  /** Slot of the archive (its ISO time), or `latest`. */
  readonly archive: string;
  /** With `latest`: the newest archive that was finished by this ISO time. */
  readonly notAfter?: string;
  /** With a named archive: digest of its manifest, which a person has checked. @default it has to be signed */
  readonly manifestSha256?: string;
}

/**
 * Finds the requested archive. `latest` is the newest complete one; slots whose backup failed are skipped. With
 * `notAfter` it is the newest that was finished by then: the slot is not the time of the data, since a retried backup
 * reads it later, and rows lost before that are not in the archive. A newer one that no backup of this environment signed
 * is refused, not skipped: another program wrote it.
 *
 * @returns its manifest
 *
 * @throws OperationError `archive_not_found`, or as {@link readManifest} describes
 * @throws InvalidRequestError for `notAfter` with a named archive, and for `manifestSha256` without one
 */
export async function findArchive(
  store: SignedStore,
  database: DatabaseName,
  choice: ArchiveChoice,
): Promise<Manifest> {
  return (await findStoredArchive(store, database, choice)).manifest;
}

/** {@link findArchive}, with the digest of the manifest. */
export async function findStoredArchive(
  store: SignedStore,
  database: DatabaseName,
  choice: ArchiveChoice,
): Promise<StoredManifest> {
  const { archive, notAfter, manifestSha256 } = choice;
  const moment = notAfter === undefined ? undefined : normaliseSlot(notAfter);
  if (moment !== undefined && archive !== 'latest') {
    throw new InvalidRequestError('notAfter: only together with `latest`; a named archive is of one time');
  }
  if (manifestSha256 !== undefined && archive === 'latest') {
    throw new InvalidRequestError('manifestSha256: only together with a named archive; name the one that was checked');
  }
  const slots = archive === 'latest' ? await listSlots(store, database) : [normaliseSlot(archive)];
  for (const slot of slots) {
    // An archive is never finished before its slot: later ones need not be opened.
    if (moment !== undefined && slot > moment) continue;
    const stored = await readManifest(store, database, slot, manifestSha256);
    if (stored && (moment === undefined || Date.parse(stored.manifest.finishedAt) <= Date.parse(moment))) return stored;
  }
  throw archiveNotFound(`The ${database} database has no archive`, store.bucket, archive, moment);
}

/**
 * The newest complete archive from before a slot; `undefined` when there is none.
 *
 * @throws OperationError as {@link readManifest} describes
 */
export async function findEarlierArchive(
  store: SignedStore,
  database: DatabaseName,
  before: Slot,
): Promise<Manifest | undefined> {
  for (const slot of await listSlots(store, database)) {
    const { manifest } = slot < before ? ((await readManifest(store, database, slot)) ?? {}) : {};
    if (manifest) return manifest;
  }
  return undefined;
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
