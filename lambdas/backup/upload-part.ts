import { NoSuchUpload } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress } from 'node:zlib';
import type { Client } from 'pg';
import type { ArchivedPart } from '../../core/archive/manifest';
import { Meter } from '../../core/archive/meter';
import { type ArchiveStore, lookUpObject, unavailable } from '../../core/archive/store';
import { CopyOut } from './copy-out';
import type { PlannedPart } from './parts';
import { copyFailed } from './snapshot';

/** Bytes of one multipart upload part. S3 takes 10,000 of them, so an object may hold 60 GB. */
const UPLOAD_PART_BYTES = 6 * 1024 * 1024;
/** Parts in flight per worker. Each holds UPLOAD_PART_BYTES in memory. */
const UPLOADS_IN_FLIGHT = 2;
/** Level 1 keeps up with PostgreSQL on one core; level 3 costs a third of the throughput for 5 % of the size. */
const ZSTD_LEVEL = 1;
/** Bytes that the compressor emits at a time; with Node's default of 16 KiB it changed threads six times as often. */
const COMPRESSED_CHUNK_BYTES = 128 * 1024;
const CLOSING = ['ERR_STREAM_DESTROYED', 'ERR_STREAM_PREMATURE_CLOSE'];

/** A part that was copied, and which of all objects that were ever under its key it is. */
export interface UploadedPart {
  readonly part: ArchivedPart;
  /** `undefined` where S3 completed the upload and its answer was lost. */
  readonly etag: string | undefined;
}

/**
 * Streams rows from the database into one object, with a few chunks in memory whatever the size of the table.
 *
 * The object exists only if everything succeeded: a failing COPY aborts the upload, and a failing upload stops the COPY.
 * After a failure the connection is in the middle of a COPY and has to be closed.
 *
 * PostgreSQL builds each line as a whole before it sends it: a bytea of 200 MB, which is a line of 400 MB, took 1 GB of
 * the server's memory, and none of the function's.
 *
 * @throws OperationError `store_unavailable` (retryable) when S3 fails after the SDK's retries, `copy_failed`
 * (retryable) when the database does
 */
export async function uploadPart(
  store: ArchiveStore,
  client: Client,
  part: PlannedPart,
  retainUntil: Date,
  signal: AbortSignal,
): Promise<UploadedPart> {
  const stop = new AbortController();
  const stopped = AbortSignal.any([signal, stop.signal]);
  const rows = client.query(new CopyOut(part.sql, stopped));
  const compressor = createZstdCompress({
    chunkSize: COMPRESSED_CHUNK_BYTES,
    params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL, [constants.ZSTD_c_checksumFlag]: 1 },
  });
  const compressed = new Meter();
  const upload = new Upload({
    client: store.s3,
    params: {
      Bucket: store.bucket,
      Key: part.key,
      Body: compressed,
      ContentType: 'application/zstd',
      ChecksumAlgorithm: 'SHA256',
      ObjectLockMode: 'GOVERNANCE',
      ObjectLockRetainUntilDate: retainUntil,
    },
    partSize: UPLOAD_PART_BYTES,
    queueSize: UPLOADS_IN_FLIGHT,
  });
  // A failure of one stage stops the others.
  const stoppingOthers = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      stop.abort();
      throw error;
    });
  const [copying, streaming, uploading] = await Promise.allSettled([
    stoppingOthers(compressRows(rows, compressor, stopped)),
    stoppingOthers(pipeline(compressor, compressed, { signal: stopped })),
    stoppingOthers(upload.done()),
  ]);
  for (const stage of [copying, streaming]) {
    if (stage.status === 'rejected' && !isClosing(stage.reason)) throw copyFailed(part.table, stage.reason);
  }
  if (uploading.status === 'rejected') {
    const sentWhole = copying.status === 'fulfilled' && streaming.status === 'fulfilled';
    if (!sentWhole || !(await isCompleted(store, part.key, compressed, uploading.reason))) {
      throw unavailable(`write ${part.key}`, uploading.reason);
    }
  }
  if (copying.status === 'rejected') throw copyFailed(part.table, copying.reason);
  return {
    part: {
      key: part.key,
      rows: rows.rows,
      bytes: copying.value,
      compressedBytes: compressed.measurement.bytes,
      sha256: compressed.measurement.sha256,
    },
    etag: uploading.status === 'fulfilled' ? uploading.value.ETag : undefined,
  };
}

/**
 * Writes the rows to the compressor, one chunk at a time: the next may overwrite the last one's memory. They are not hashed:
 * the compressor adds a checksum of them, and what it makes is hashed.
 *
 * @returns the bytes of text
 */
async function compressRows(rows: CopyOut, compressor: Writable, signal: AbortSignal): Promise<number> {
  let bytes = 0;
  for await (const chunk of rows) {
    bytes += chunk.length;
    await write(compressor, chunk, signal);
  }
  compressor.end();
  return bytes;
}

/** Resolves once the chunk is no longer needed. A stream that is destroyed meanwhile never calls back. */
function write(stream: Writable, chunk: Buffer, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', giveUp, { once: true });
    stream.write(chunk, (error) => {
      signal.removeEventListener('abort', giveUp);
      if (error) reject(error);
      else resolve();
    });
  });
}

/**
 * Whether a failed upload is complete after all. When S3 completed it and its answer was lost, S3 answers the retry that
 * there is no such upload; the key belongs to this attempt alone, so an object there came from it.
 */
async function isCompleted(store: ArchiveStore, key: string, sent: Meter, error: unknown): Promise<boolean> {
  if (!(error instanceof NoSuchUpload)) return false;
  return (await lookUpObject(store, key))?.bytes === sent.measurement.bytes;
}

/** Whether a stream ended because another stage stopped it. */
function isClosing(error: unknown): boolean {
  return (
    error instanceof Error && (error.name === 'AbortError' || ('code' in error && CLOSING.includes(String(error.code))))
  );
}
