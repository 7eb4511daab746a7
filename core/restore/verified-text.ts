import { createHash } from 'node:crypto';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ArchivedText } from '../archive/manifest';
import { explainPartFailure, objectDamaged } from './archive-errors';
import { createDecompressor } from './decompressor';
import type { VerifiedObjects } from './verified-objects';

/**
 * The text of an object, as a whole.
 *
 * @throws OperationError `archive_damaged` naming the object, `store_unavailable` (retryable)
 */
export async function readVerifiedText(objects: VerifiedObjects, object: ArchivedText): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  const sink = new Writable({
    write(piece: Buffer, _encoding, done) {
      bytes += piece.length;
      // At once: the manifest bounds what is kept in memory.
      if (bytes > object.bytes) return done(objectDamaged(object, `it holds more than ${object.bytes} bytes`));
      pieces.push(piece);
      done();
    },
  });
  await pipeline([...(await objects.open(object)), createDecompressor(), sink]).catch((cause: unknown) => {
    throw explainPartFailure(object, cause);
  });
  const text = Buffer.concat(pieces);
  const sha256 = createHash('sha256').update(text).digest('hex');
  if (bytes === object.bytes && sha256 === object.plainSha256) return text.toString('utf8');
  throw objectDamaged(object, `it holds ${bytes} bytes with SHA-256 ${sha256} instead of ${object.plainSha256}`);
}
