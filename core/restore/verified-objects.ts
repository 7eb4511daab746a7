import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { distribute } from '../archive/distribute';
import { freeBuffer } from '../archive/free-buffer';
import { attemptPrefix } from '../archive/keys';
import type { ArchivedPart, Manifest } from '../archive/manifest';
import { Meter } from '../archive/meter';
import { type ArchiveStore, listObjects, openObject } from '../archive/store';
import { OperationError } from '../runtime/errors';
import { damaged, explain } from './part-errors';

/** Objects read and hashed at once: most are small, and S3 takes longer to begin than to send them. */
const READS_IN_FLIGHT = 6;
/** Kept of an archive between its proof and its loading: all of a small one, in a function that may take 300 MB. */
const HELD_BYTES = 64 * 1024 * 1024;

/**
 * Proves that every object of an archive is there and is what was written, before anything is restored: first that all
 * exist at their size, which is quick, then that each has its hash, which reads all of them.
 *
 * @param heldBytes of the objects that stay in memory, to be loaded without reading them again; @default 64 MiB
 * @throws OperationError `archive_damaged` naming the object, `store_unavailable` (retryable)
 */
export async function verifyObjects(
  store: ArchiveStore,
  manifest: Manifest,
  heldBytes = HELD_BYTES,
): Promise<VerifiedObjects> {
  const { database, slot, attempt, tables } = manifest;
  const parts = tables.flatMap((table) => table.parts);
  const sizes = new Map<string | undefined, number | undefined>();
  for await (const { Key, Size } of listObjects(store, attemptPrefix(database, slot, attempt))) sizes.set(Key, Size);
  for (const part of parts) assertSize(part, sizes.get(part.key));
  const objects = new VerifiedObjects(store, heldBytes);
  const lanes = Array.from({ length: READS_IN_FLIGHT }, (_, lane) => lane);
  await distribute(parts, lanes, (part, _lane, signal) => objects.verify(part, signal));
  return objects;
}

/** The objects of an archive that were proven. The first of them, as far as they fit into memory, are not read again. */
export class VerifiedObjects {
  private readonly held = new Map<string, readonly Buffer[]>();

  /** @param bytesLeft to hold */
  constructor(
    private readonly store: ArchiveStore,
    private bytesLeft: number,
  ) {}

  /** @throws OperationError `archive_damaged` naming the object, `store_unavailable` (retryable) */
  async verify(part: ArchivedPart, signal: AbortSignal): Promise<void> {
    const isHeld = part.compressedBytes <= this.bytesLeft;
    if (isHeld) this.bytesLeft -= part.compressedBytes;
    const pieces: Buffer[] = [];
    let bytes = 0;
    const sink = new Writable({
      write(piece: Buffer, _encoding, done) {
        bytes += piece.length;
        // At once: what is held is bounded by the manifest, not by what lies there now.
        if (bytes > part.compressedBytes) return done(damaged(part, `it has more than ${part.compressedBytes} bytes`));
        if (isHeld) pieces.push(piece);
        else freeBuffer(piece);
        done();
      },
    });
    const object = await openObject(this.store, part.key);
    await pipeline(object, hashMeter(part), sink, { signal }).catch((cause: unknown) => {
      throw explain(part, cause);
    });
    if (isHeld) this.held.set(part.key, pieces);
  }

  /**
   * The streams that an object comes through, once: the bytes that were proven, or those that S3 has now, whose hash is
   * checked again at their end.
   *
   * @throws OperationError `store_unavailable` (retryable)
   */
  async open(part: ArchivedPart): Promise<readonly [Readable, ...Meter[]]> {
    const pieces = this.held.get(part.key);
    if (!pieces) return [await openObject(this.store, part.key), hashMeter(part)];
    this.held.delete(part.key);
    return [Readable.from(pieces, { objectMode: false })];
  }
}

function hashMeter(part: ArchivedPart): Meter {
  return new Meter({
    gather: false,
    verify: ({ bytes, sha256 }) => {
      if (bytes !== part.compressedBytes || sha256 !== part.sha256) {
        throw damaged(part, `it has ${bytes} bytes with SHA-256 ${sha256} instead of ${part.sha256}`);
      }
    },
  });
}

function assertSize(part: ArchivedPart, size: number | undefined): void {
  if (size === part.compressedBytes) return;
  if (size !== undefined) throw damaged(part, `it has ${size} bytes instead of ${part.compressedBytes}`);
  throw new OperationError('archive_damaged', `Object ${part.key} of the archive is missing: restore another archive`);
}
