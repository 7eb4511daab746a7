import * as z from 'zod';
import { OperationError } from '../runtime/errors';
import type { SignedStore } from './signed-manifest';
import { readText, writeLocked } from './store';

/** The text of a document, with a signature of it and of its key. */
const envelope = z.strictObject({ document: z.string(), signature: z.base64() });

/**
 * Writes a document that only this environment's backups can have written. What a later call publishes rests on it, so it
 * must not be possible to put another one there.
 *
 * @throws OperationError `store_unavailable`, `signing_key_unavailable` (both retryable)
 */
export async function writeSignedDocument(
  store: SignedStore,
  key: string,
  value: unknown,
  retainUntil: Date,
): Promise<void> {
  const document = JSON.stringify(value);
  const signature = await store.signingKey.sign(signedBytes(key, document));
  const body = Buffer.from(JSON.stringify({ document, signature: signature.toString('base64') }));
  await writeLocked(store, { key, body, contentType: 'application/json' }, retainUntil);
}

/**
 * Reads a document that {@link writeSignedDocument} wrote under this key; `undefined` when there is none.
 *
 * @throws OperationError `archive_unauthenticated` for any other object; and, retryable, `store_unavailable`,
 * `signing_key_unavailable`
 */
export async function readSignedDocument<Document>(
  store: SignedStore,
  key: string,
  schema: z.ZodType<Document>,
): Promise<Document | undefined> {
  const text = await readText(store, key);
  if (text === undefined) return undefined;
  const read = envelope.safeParse(parsed(text));
  const isOurs =
    read.success &&
    (await store.signingKey.verify(signedBytes(key, read.data.document), Buffer.from(read.data.signature, 'base64')));
  const value = isOurs ? schema.safeParse(parsed(read.data.document)) : undefined;
  if (value?.success) return value.data;
  throw new OperationError(
    'archive_unauthenticated',
    `Object ${key} is not what a backup of this environment wrote there: start the backup again; find out who wrote this one`,
  );
}

/** With the key: a document is no document of another place. */
function signedBytes(key: string, document: string): Buffer {
  return Buffer.from(`${key}\n${document}`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
