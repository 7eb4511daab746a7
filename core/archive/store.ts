import {
  type _Object,
  GetObjectCommand,
  HeadObjectCommand,
  NoSuchKey,
  NotFound,
  paginateListObjectsV2,
  PutObjectCommand,
  type S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { Readable } from 'node:stream';
import type { DatabaseName } from '../contract';
import { OperationError, messageOf } from '../runtime/errors';
import { databasePrefix, manifestKey } from './keys';
import { type Manifest, ownKey, parseManifest } from './manifest';
import { keyToSlot, type Slot } from './slot';

/** Answers to a conditional write where the key is taken, or another write to it is in progress. */
const TAKEN = [412, 409];

/** The bucket that holds the archives. */
export interface ArchiveStore {
  readonly s3: S3Client;
  readonly bucket: string;
}

/**
 * The manifest of a slot, or `undefined` when the slot has none.
 *
 * @throws OperationError `archive_malformed`, `archive_unsupported`, `archive_foreign` when it describes another database
 * or slot, `store_unavailable` (retryable)
 */
export async function readManifest(
  store: ArchiveStore,
  database: DatabaseName,
  slot: Slot,
): Promise<Manifest | undefined> {
  const key = manifestKey(database, slot);
  const json = await readText(store, key);
  if (json === undefined) return undefined;
  const manifest = parseManifest(json, key);
  if (ownKey(manifest) === key) return manifest;
  throw new OperationError(
    'archive_foreign',
    `Manifest ${key} describes the ${manifest.database} database at ${manifest.slot}: it was copied there, use the archive at its own place`,
  );
}

/**
 * Publishes an archive.
 *
 * @returns the manifest that the slot has now: this one, or that of another attempt which was faster
 * @throws OperationError `store_unavailable` (retryable)
 */
export async function writeManifest(store: ArchiveStore, manifest: Manifest, retainUntil: Date): Promise<Manifest> {
  const key = ownKey(manifest);
  try {
    await store.s3.send(
      new PutObjectCommand({
        ...jsonDocument(store, key, manifest),
        ObjectLockMode: 'GOVERNANCE',
        ObjectLockRetainUntilDate: retainUntil,
        // One winner, even among invocations that do not see each other's lock.
        IfNoneMatch: '*',
      }),
    );
    return manifest;
  } catch (cause) {
    if (!(cause instanceof S3ServiceException) || !TAKEN.includes(cause.$metadata.httpStatusCode ?? 0)) {
      throw unavailable(`write ${key}`, cause);
    }
    // It may be this attempt's own, when S3 wrote it and its answer was lost: the retry then finds the key taken.
    const winner = await readManifest(store, manifest.database, manifest.slot);
    if (winner) return winner;
    throw unavailable(`write ${key}`, cause);
  }
}

/**
 * Writes a small object, and locks it.
 *
 * @throws OperationError `store_unavailable` (retryable)
 */
export async function writeLocked(
  { s3, bucket }: ArchiveStore,
  object: { readonly key: string; readonly body: Buffer; readonly contentType: string },
  retainUntil: Date,
): Promise<void> {
  const put = new PutObjectCommand({
    Bucket: bucket,
    Key: object.key,
    Body: object.body,
    ContentType: object.contentType,
    ChecksumAlgorithm: 'SHA256',
    ObjectLockMode: 'GOVERNANCE',
    ObjectLockRetainUntilDate: retainUntil,
  });
  await s3.send(put).catch((cause: unknown) => {
    throw unavailable(`write ${object.key}`, cause);
  });
}

/** Slots of a database under which there are objects, newest first. They may lack a manifest. */
export async function listSlots(store: ArchiveStore, database: DatabaseName): Promise<Slot[]> {
  const prefix = databasePrefix(database);
  const slots: Slot[] = [];
  try {
    const pages = paginateListObjectsV2({ client: store.s3 }, { Bucket: store.bucket, Prefix: prefix, Delimiter: '/' });
    for await (const page of pages) {
      for (const folder of page.CommonPrefixes ?? []) {
        const slot = keyToSlot(folder.Prefix?.slice(prefix.length, -1) ?? '');
        if (slot !== undefined) slots.push(slot);
      }
    }
  } catch (cause) {
    throw unavailable(`list ${prefix}`, cause);
  }
  return slots.toSorted().toReversed();
}

/**
 * Every object below a prefix, in the order of their keys.
 *
 * @throws OperationError `store_unavailable` (retryable)
 */
export async function* listObjects(store: ArchiveStore, prefix: string): AsyncGenerator<_Object, void> {
  try {
    for await (const page of paginateListObjectsV2({ client: store.s3 }, { Bucket: store.bucket, Prefix: prefix })) {
      yield* page.Contents ?? [];
    }
  } catch (cause) {
    throw unavailable(`list ${prefix}`, cause);
  }
}

/**
 * The text of an object, or `undefined` when it does not exist.
 *
 * @throws OperationError `store_unavailable` (retryable)
 */
export async function readText(store: ArchiveStore, key: string): Promise<string | undefined> {
  try {
    const object = await store.s3.send(new GetObjectCommand({ Bucket: store.bucket, Key: key }));
    return (await object.Body?.transformToString('utf-8')) ?? '';
  } catch (cause) {
    if (cause instanceof NoSuchKey) return undefined;
    throw unavailable(`read ${key}`, cause);
  }
}

/** The parameters of a PutObject that writes a JSON document for people to read. */
export function jsonDocument(store: ArchiveStore, key: string, value: unknown) {
  return {
    Bucket: store.bucket,
    Key: key,
    Body: JSON.stringify(value, undefined, 2),
    ContentType: 'application/json',
    ChecksumAlgorithm: 'SHA256',
  } as const;
}

/** Bytes of an object, or `undefined` when it does not exist. */
export async function objectSize(store: ArchiveStore, key: string): Promise<number | undefined> {
  try {
    const head = await store.s3.send(new HeadObjectCommand({ Bucket: store.bucket, Key: key }));
    return head.ContentLength;
  } catch (cause) {
    if (cause instanceof NotFound || cause instanceof NoSuchKey) return undefined;
    throw unavailable(`look up ${key}`, cause);
  }
}

/** The bytes of an object, as they arrive. */
export async function openObject(store: ArchiveStore, key: string): Promise<Readable> {
  try {
    const object = await store.s3.send(new GetObjectCommand({ Bucket: store.bucket, Key: key }));
    if (object.Body instanceof Readable) return object.Body;
    throw new Error('the answer has no body');
  } catch (cause) {
    throw unavailable(`read ${key}`, cause);
  }
}

/** An S3 call that failed after the SDK's own retries. */
export function unavailable(what: string, cause: unknown): OperationError {
  if (cause instanceof OperationError) return cause;
  return new OperationError(
    'store_unavailable',
    `Cannot ${what} in the archive bucket: ${messageOf(cause)}. ${adviceOn(cause)}`,
    { cause },
  );
}

function adviceOn(cause: unknown): string {
  if (cause instanceof S3ServiceException && cause.$metadata.httpStatusCode === 403) {
    return "Check the function's permissions on the bucket and on its key, then try again; no archive was changed";
  }
  if (cause instanceof S3ServiceException && cause.name === 'NoSuchBucket') {
    return 'Check ARCHIVE_BUCKET: the function looks for its archives in a bucket that does not exist';
  }
  return "Check the health of S3 and the function's route to it, then try again; no archive was changed";
}
