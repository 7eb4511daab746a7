import { createHash } from 'node:crypto';
import { PutObjectCommand, S3ServiceException } from '@aws-sdk/client-s3';
import type { DatabaseName } from '../contract';
import { OperationError } from '../runtime/errors';
import { spareHeap } from '../runtime/sparing-heap';
import type { SignatureState } from './contract';
import { manifestKey, signatureKey } from './keys';
import { type Manifest, ownKey, parseManifest } from './manifest';
import type { ManifestKey } from './manifest-key';
import type { Slot } from './slot';
import { type ArchiveStore, jsonDocument, jsonText, readBytes, unavailable, writeLocked } from './store';

/** Answers to a conditional write where the key is taken, or another write to it is in progress. */
const TAKEN = [412, 409];

/** The archives of an environment, with the key that tells its own from others. */
export interface SignedStore extends ArchiveStore {
  readonly signingKey: ManifestKey;
}

/** A manifest as the bucket has it. */
export interface StoredManifest {
  readonly manifest: Manifest;
  /** SHA-256 of its bytes; what `sha256sum` prints for the downloaded file. */
  readonly sha256: string;
  readonly signature: SignatureState;
}

/**
 * Looks up the manifest of a slot, signed or not; `undefined` when the slot has none.
 *
 * @throws OperationError `archive_malformed`, `archive_unsupported`, `archive_foreign` when it describes another database
 * or slot; and, retryable, `store_unavailable`, `signing_key_unavailable`
 */
export async function lookUpManifest(
  store: SignedStore,
  database: DatabaseName,
  slot: Slot,
): Promise<StoredManifest | undefined> {
  const key = manifestKey(database, slot);
  const bytes = await readBytes(store, key);
  if (bytes === undefined) return undefined;
  const manifest = parseManifest(bytes.toString('utf8'), key);
  if (ownKey(manifest) !== key) {
    throw new OperationError(
      'archive_foreign',
      `Manifest ${key} describes the ${manifest.database} database at ${manifest.slot}: it was copied there, use the archive at its own place`,
    );
  }
  const signature = await readBytes(store, signatureKey(database, slot, manifest.attempt));
  const state =
    signature === undefined ? 'missing' : (await store.signingKey.verify(bytes, signature)) ? 'valid' : 'invalid';
  return { manifest, sha256: sha256Of(bytes), signature: state };
}

/**
 * The manifest of a slot, or `undefined` when the slot has none. It is one that a backup of this environment signed, or
 * the one that the caller knows by its digest.
 *
 * @param knownSha256 digest of a manifest that a person has checked. @default it has to be signed
 * @throws OperationError `archive_unauthenticated` for any other manifest; else as {@link lookUpManifest} does
 */
export async function readManifest(
  store: SignedStore,
  database: DatabaseName,
  slot: Slot,
  knownSha256?: string,
): Promise<StoredManifest | undefined> {
  const stored = await lookUpManifest(store, database, slot);
  if (!stored) return undefined;
  assertAuthentic(stored, knownSha256);
  spareHeap(stored.manifest.tables.length);
  return stored;
}

function assertAuthentic({ manifest, sha256, signature }: StoredManifest, knownSha256: string | undefined): void {
  const key = ownKey(manifest);
  const refused = (finding: string, wayOut: string) =>
    new OperationError('archive_unauthenticated', `Manifest ${key} ${finding}: ${wayOut}`);
  if (knownSha256 !== undefined) {
    if (sha256 === knownSha256) return;
    throw refused(
      `has SHA-256 ${sha256}, not the ${knownSha256} of the request`,
      'it is not the one that was checked; look for an earlier version of the object',
    );
  }
  if (signature === 'valid') return;
  throw signature === 'missing'
    ? refused(
        'carries no signature',
        `it was written before archives were signed, or not by a backup of this environment. Name another archive; or, once a person has checked this one, name it together with manifestSha256 ${sha256}`,
      )
    : refused(
        'is not what the backup signed',
        'restore another archive, or an earlier version of the object; find out who wrote this one',
      );
}

/**
 * Publishes an archive: its signature first, since a manifest is what makes an archive.
 *
 * @returns the manifest that the slot has now: this one, or that of another attempt which was faster
 * @throws OperationError `archive_unauthenticated` when another program took the slot; and, retryable,
 * `store_unavailable`, `signing_key_unavailable`
 */
export async function writeManifest(
  store: SignedStore,
  manifest: Manifest,
  retainUntil: Date,
): Promise<StoredManifest> {
  const { database, slot, attempt } = manifest;
  const key = ownKey(manifest);
  // As bytes, which are signed and sent as they are: of thousands of tables, it has megabytes.
  const bytes = Buffer.from(jsonText(manifest), 'utf8');
  const document = jsonDocument(store, key, bytes);
  await writeLocked(
    store,
    {
      key: signatureKey(database, slot, attempt),
      body: await store.signingKey.sign(bytes),
      contentType: 'application/octet-stream',
    },
    retainUntil,
  );
  try {
    await store.s3.send(
      new PutObjectCommand({
        ...document,
        ObjectLockMode: 'GOVERNANCE',
        ObjectLockRetainUntilDate: retainUntil,
        // One winner, even among invocations that do not see each other's lock.
        IfNoneMatch: '*',
      }),
    );
    return { manifest, sha256: sha256Of(bytes), signature: 'valid' };
  } catch (cause) {
    if (!(cause instanceof S3ServiceException) || !TAKEN.includes(cause.$metadata.httpStatusCode ?? 0)) {
      throw unavailable(`write ${key}`, cause);
    }
    // It may be this attempt's own, when S3 wrote it and its answer was lost: the retry then finds the key taken.
    const winner = await readManifest(store, database, slot);
    if (winner) return winner;
    throw unavailable(`write ${key}`, cause);
  }
}

function sha256Of(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
