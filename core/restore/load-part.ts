import { pipeline } from 'node:stream/promises';
import type { Client } from 'pg';
import { columnList, qualified } from '../archive/copy-session';
import type { ArchivedPart, ArchivedTable } from '../archive/manifest';
import { type Measurement, Meter } from '../archive/meter';
import { OperationError } from '../runtime/errors';
import { CopyIn } from './copy-in';
import { createDecompressor } from './decompressor';
import { explainPartFailure, objectDamaged } from './archive-errors';
import type { VerifiedObjects } from './verified-objects';

/**
 * Loads one object into its table. Hash, bytes and rows are checked before the COPY is completed, so an object that
 * differs from the manifest leaves no row.
 *
 * @param options.freeze marks the rows as visible to every transaction; the table was emptied in this one
 * @throws OperationError `archive_damaged` naming the object when it is not what was written, `archive_inconsistent`
 * when the table refuses its rows, `store_unavailable` (retryable)
 */
export async function loadPart(
  objects: VerifiedObjects,
  client: Client,
  table: ArchivedTable,
  part: ArchivedPart,
  { signal, freeze = false }: { readonly signal: AbortSignal; readonly freeze?: boolean },
): Promise<void> {
  const compressed = await objects.open(part);
  const plain = new Meter({ countRows: true, hash: false, verify: (measured) => assertPlain(part, measured) });
  // A table whose columns are all generated, or that has none, is copied by its rows alone.
  const columns = table.columns.length > 0 ? ` (${columnList(table.columns)})` : '';
  const into = qualified(table.loadThrough ?? table);
  const target = new CopyIn(client, `COPY ${into}${columns} FROM STDIN${freeze ? ' WITH (FREEZE)' : ''}`);
  await pipeline([...compressed, createDecompressor(), plain, target], { signal }).catch((cause: unknown) => {
    throw explainPartFailure(part, cause);
  });
  if (target.rowCount === part.rows) return;
  throw new OperationError(
    'archive_inconsistent',
    `Table ${table.schema}.${table.name} stored ${target.rowCount} of the ${part.rows} rows of ${part.key}`,
  );
}

/** The hash of the text is not computed again: that of the object was, and the checksum within it covers the text. */
function assertPlain(part: ArchivedPart, { rows, bytes }: Measurement): void {
  if (rows === part.rows && bytes === part.bytes) return;
  throw objectDamaged(part, `it holds ${rows} rows in ${bytes} bytes instead of ${part.rows} in ${part.bytes}`);
}
