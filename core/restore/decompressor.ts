import type { Transform } from 'node:stream';
import { createZstdDecompress } from 'node:zlib';
import { freeBuffer } from '../runtime/free-buffer';

/** Bytes of text of a chunk; with Node's default of 16 KiB, changing threads took longer than decompressing. */
const PLAIN_CHUNK_BYTES = 256 * 1024;

/** Decompresses an object of an archive, and frees each compressed chunk as soon as it is read. */
export function createDecompressor(): Transform {
  const decompressor = createZstdDecompress({ chunkSize: PLAIN_CHUNK_BYTES });
  const decompress = decompressor._transform.bind(decompressor);
  decompressor._transform = (chunk: Buffer, encoding, done) => {
    decompress(chunk, encoding, (error, data) => {
      freeBuffer(chunk);
      done(error, data);
    });
  };
  return decompressor;
}
