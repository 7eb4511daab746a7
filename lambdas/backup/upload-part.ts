import { NoSuchUpload } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress } from 'node:zlib';
import type { Client } from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import type { ArchivedPart } from '../shared/archive/manifest';
import { Meter } from '../shared/archive/meter';
import { type ArchiveStore, objectSize, unavailable } from '../shared/archive/store';
import { messageOf, OperationError } from '../shared/errors';
import type { PlannedPart } from './parts';

/** Bytes of one multipart upload part. S3 takes 10,000 of them, so an object may hold 60 GB. */
const UPLOAD_PART_BYTES = 6 * 1024 * 1024;
/** Parts in flight per worker. Each holds UPLOAD_PART_BYTES in memory. */
const UPLOADS_IN_FLIGHT = 2;
/** Level 1 keeps up with PostgreSQL on one core; 3 costs a third of the throughput for 5 % of the size. */
const ZSTD_LEVEL = 1;
const CLOSING = ['ABORT_ERR', 'ERR_STREAM_PREMATURE_CLOSE'];

/**
 * Streams rows from the database into one object, holding a few chunks in memory whatever the table's size.
 *
 * The object exists only if everything worked: a failing COPY fails the upload, which S3 then forgets, and a failing
 * upload stops the COPY. After a failure the connection is in the middle of a COPY and fit only to be ended.
 *
 * PostgreSQL builds each line whole before it sends it: a bytea of 200 MB, which is a line of 400 MB, was seen to take
 * 1 GB of the server's memory, and none of ours.
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
): Promise<ArchivedPart> {
  const source = client.query(copyTo(part.sql));
  const plain = new Meter({ countRows: true });
  const compressed = new Meter();
  const compressor = createZstdCompress({
    params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL, [constants.ZSTD_c_checksumFlag]: 1 },
  });
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
  const [uploading, streaming] = await Promise.allSettled([
    upload.done(),
    pipeline(source, plain, compressor, compressed, { signal }),
  ]);
  // A stream that fails takes its upload along, and the other way round: a failing upload closes the stream it reads.
  if (streaming.status === 'rejected' && !isClosing(streaming.reason)) throw copyFailed(part, streaming.reason);
  if (uploading.status === 'rejected' && !(await isCompleted(store, part.key, compressed, uploading.reason))) {
    throw unavailable(`write ${part.key}`, uploading.reason);
  }
  // The server's own count arrives after the last row; this statement waits for it.
  await client.query('SELECT').catch((cause: unknown) => {
    throw copyFailed(part, cause);
  });
  const { rows, bytes, sha256 } = plain.measurement;
  if (source.rowCount !== rows) {
    throw copyFailed(part, new Error(`the server sent ${source.rowCount} rows, but ${rows} arrived`));
  }
  return {
    key: part.key,
    rows,
    bytes,
    compressedBytes: compressed.measurement.bytes,
    sha256: compressed.measurement.sha256,
    plainSha256: sha256,
  };
}

/**
 * Whether an upload that failed is complete after all. When S3 completed it and its answer was lost, the retry is told
 * that there is no such upload; the key is this attempt's own, so what lies there came from it.
 */
async function isCompleted(store: ArchiveStore, key: string, sent: Meter, error: unknown): Promise<boolean> {
  if (!(error instanceof NoSuchUpload)) return false;
  return (await objectSize(store, key)) === sent.measurement.bytes;
}

/** Whether a stream ended because somebody else stopped it. */
function isClosing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && CLOSING.includes(String(error.code));
}

function copyFailed(part: PlannedPart, cause: unknown): OperationError {
  return new OperationError(
    'copy_failed',
    `Table ${part.table.schema}.${part.table.name} was not copied: ${messageOf(cause)}`,
    { retryable: true, cause },
  );
}
