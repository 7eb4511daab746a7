import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { freeBuffer } from '../runtime/free-buffer';
import { attemptPrefix } from '../archive/keys';
import type { ArchivedObject, Manifest } from '../archive/manifest';
import { Meter } from '../archive/meter';
import { type ArchiveStore, listObjects, openObject } from '../archive/store';
import { OperationError } from '../runtime/errors';
import { runConcurrently } from '../runtime/run-concurrently';
import { explainPartFailure, objectDamaged } from './archive-errors';

/** Objects read and hashed at once: most are small, and S3 takes longer to begin than to send them. */
const READS_IN_FLIGHT = 6;
/** Bytes kept in memory between verifying and loading: all of a small archive, in a function that may take 300 MB. */
const CACHED_BYTES = 64 * 1024 * 1024;

/**
 * Verifies that some objects of an archive exist and are what was written, before anything is restored: first that all
 * have their size, which is quick, then that each has its hash, which reads all of them.
 *
 * @param cachedBytes how much of the objects stays in memory, to be loaded without reading it again; @default 64 MiB
 * @throws OperationError `archive_damaged` naming the object, `store_unavailable` (retryable)
 */
export async function verifyObjects(
  store: ArchiveStore,
  manifest: Manifest,
  parts: readonly ArchivedObject[],
  cachedBytes = CACHED_BYTES,
): Promise<VerifiedObjects> {
  await verifySizes(store, manifest, parts);
  const objects = new VerifiedObjects(store, cachedBytes);
  await runConcurrently(parts, Array(READS_IN_FLIGHT).keys(), (part, _, signal) => objects.verify(part, signal));
  return objects;
}

/**
 * Verifies that some objects of an archive exist and have their size, which takes a listing.
 *
 * @throws OperationError `archive_damaged` naming the object, `store_unavailable` (retryable)
 */
export async function verifySizes(
  store: ArchiveStore,
  { database, slot, attempt }: Manifest,
  parts: readonly ArchivedObject[],
): Promise<void> {
  const sizes = new Map<string | undefined, number | undefined>();
  for await (const { Key, Size } of listObjects(store, attemptPrefix(database, slot, attempt))) sizes.set(Key, Size);
  for (const part of parts) assertSize(part, sizes.get(part.key));
}

/** Objects of an archive that were verified. The first of them, as far as they fit into memory, are not read again. */
export class VerifiedObjects {
  private readonly cache = new Map<string, readonly Buffer[]>();

  /** @param bytesLeft how much more may be cached */
  constructor(
    private readonly store: ArchiveStore,
    private bytesLeft: number,
  ) {}

  /** @throws OperationError `archive_damaged` naming the object, `store_unavailable` (retryable) */
  async verify(part: ArchivedObject, signal: AbortSignal): Promise<void> {
    const isCached = part.compressedBytes <= this.bytesLeft;
    if (isCached) this.bytesLeft -= part.compressedBytes;
    const pieces: Buffer[] = [];
    let bytes = 0;
    const sink = new Writable({
      write(piece: Buffer, _encoding, done) {
        bytes += piece.length;
        // At once: the manifest bounds what is cached, not the object in its present size.
        if (bytes > part.compressedBytes)
          return done(objectDamaged(part, `it has more than ${part.compressedBytes} bytes`));
        if (isCached) pieces.push(piece);
        else freeBuffer(piece);
        done();
      },
    });
    const object = await openObject(this.store, part.key);
    await pipeline(object, hashMeter(part), sink, { signal }).catch((cause: unknown) => {
      throw explainPartFailure(part, cause);
    });
    if (isCached) this.cache.set(part.key, pieces);
  }

  /**
   * Opens an object, once: its verified bytes from memory, or those that S3 has now, whose hash is checked again at their
   * end.
   *
   * @returns the streams that the bytes pass through, the source first
   *
   * @throws OperationError `store_unavailable` (retryable)
   */
  async open(part: ArchivedObject): Promise<readonly [Readable, ...Meter[]]> {
    const pieces = this.cache.get(part.key);
    if (!pieces) return [await openObject(this.store, part.key), hashMeter(part)];
    this.cache.delete(part.key);
    return [Readable.from(pieces, { objectMode: false })];
  }
}

function hashMeter(part: ArchivedObject): Meter {
  return new Meter({
    gather: false,
    verify: ({ bytes, sha256 }) => {
      if (bytes !== part.compressedBytes || sha256 !== part.sha256) {
        throw objectDamaged(part, `it has ${bytes} bytes with SHA-256 ${sha256} instead of ${part.sha256}`);
      }
    },
  });
}

function assertSize(part: ArchivedObject, size: number | undefined): void {
  if (size === part.compressedBytes) return;
  if (size !== undefined) throw objectDamaged(part, `it has ${size} bytes instead of ${part.compressedBytes}`);
  throw new OperationError('archive_damaged', `Object ${part.key} of the archive is missing: restore another archive`);
}
