import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress } from 'node:zlib';
import { type Client, DatabaseError } from 'pg';
import { columnList, qualified } from '../shared/archive/copy-session';
import type { ArchivedPart, ArchivedTable } from '../shared/archive/manifest';
import { type Measurement, Meter } from '../shared/archive/meter';
import { type ArchiveStore, openObject, unavailable } from '../shared/archive/store';
import { OperationError } from '../shared/errors';
import { CopyIn } from './copy-in';

/** Bytes of text that are handed on at a time; with Node's 16 KiB, changing threads took longer than decompressing. */
const PLAIN_CHUNK_BYTES = 256 * 1024;

/** Reads one object to its end and checks its hash, keeping nothing. */
export async function readVerified(store: ArchiveStore, part: ArchivedPart, signal: AbortSignal): Promise<void> {
  const object = await openObject(store, part.key);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  await pipeline(object, compressedMeter(part), nowhere, { signal }).catch((cause: unknown) => {
    throw explain(part, cause);
  });
}

/**
 * Loads one object into its table. Hash, bytes and rows are checked before the server is told that the data is
 * complete, so an object that differs from the manifest leaves no row.
 *
 * @param options.freeze marks the rows as visible to everybody; the table was emptied in the same transaction
 * @throws OperationError `archive_damaged` naming the object when it is not what was written, `archive_inconsistent`
 * when the table refuses its rows, `store_unavailable` (retryable)
 */
export async function loadPart(
  store: ArchiveStore,
  client: Client,
  table: ArchivedTable,
  part: ArchivedPart,
  { signal, freeze = false }: { readonly signal: AbortSignal; readonly freeze?: boolean },
): Promise<void> {
  const object = await openObject(store, part.key);
  const plain = new Meter({ countRows: true, hash: false, verify: (measured) => assertPlain(part, measured) });
  // A table whose columns are all generated, or that has none, is copied by its rows alone.
  const columns = table.columns.length > 0 ? ` (${columnList(table.columns)})` : '';
  const target = new CopyIn(client, `COPY ${qualified(table)}${columns} FROM STDIN${freeze ? ' WITH (FREEZE)' : ''}`);
  const decompressor = createZstdDecompress({ chunkSize: PLAIN_CHUNK_BYTES });
  await pipeline(object, compressedMeter(part), decompressor, plain, target, { signal }).catch((cause: unknown) => {
    throw explain(part, cause);
  });
  if (target.rowCount === part.rows) return;
  throw new OperationError(
    'archive_inconsistent',
    `Table ${table.schema}.${table.name} took ${target.rowCount} of the ${part.rows} rows of ${part.key}`,
  );
}

function compressedMeter(part: ArchivedPart): Meter {
  return new Meter({
    verify: ({ bytes, sha256 }) => {
      if (bytes !== part.compressedBytes || sha256 !== part.sha256) {
        throw damaged(part, `it has ${bytes} bytes with SHA-256 ${sha256} instead of ${part.sha256}`);
      }
    },
  });
}

/** The text's own hash is not computed again: the object has its hash, and the checksum within it covers the text. */
function assertPlain(part: ArchivedPart, { rows, bytes }: Measurement): void {
  if (rows === part.rows && bytes === part.bytes) return;
  throw damaged(part, `it holds ${rows} rows in ${bytes} bytes instead of ${part.rows} in ${part.bytes}`);
}

function damaged(part: ArchivedPart, what: string, cause?: unknown): OperationError {
  return new OperationError(
    'archive_damaged',
    `Object ${part.key} of the archive is not what was written, ${what}: restore another archive, or an earlier version of the object`,
    { cause },
  );
}

function explain(part: ArchivedPart, cause: unknown): unknown {
  if (cause instanceof OperationError) return cause;
  if (cause instanceof DatabaseError) {
    return new OperationError('archive_inconsistent', `The rows of ${part.key} are refused: ${cause.message}`, {
      cause,
    });
  }
  if (cause instanceof Error && cause.name === 'AbortError') return cause;
  if (cause instanceof Error && 'code' in cause && String(cause.code).startsWith('ZSTD_')) {
    return damaged(part, `it cannot be decompressed (${cause.message})`, cause);
  }
  return unavailable(`read ${part.key}`, cause);
}
