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
import { versionPages } from '../objects/version-pages';
import { messageOf, OperationError } from '../runtime/errors';
import { databasePrefix } from './keys';
import { keyToSlot, type Slot } from './slot';

/** The bucket that holds the archives. */
export interface ArchiveStore {
  readonly s3: S3Client;
  readonly bucket: string;
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
 * Every version of every object below a prefix, by key, the newest first. Delete markers are left out: they hide an object from
 * {@link listObjects}, and take nothing.
 *
 * @returns none on a server without versions, such as that of `npm start`
 * @throws OperationError `store_unavailable` (retryable)
 */
export async function listVersions(store: ArchiveStore, prefix: string): Promise<Map<string, string[]>> {
  const versions = new Map<string, string[]>();
  try {
    for await (const { Versions = [] } of versionPages({ s3: store.s3, bucket: store.bucket, prefix })) {
      for (const { Key, VersionId } of Versions) {
        if (Key !== undefined && VersionId !== undefined) versions.set(Key, [...(versions.get(Key) ?? []), VersionId]);
      }
    }
    return versions;
  } catch (cause) {
    throw unavailable(`list the versions below ${prefix}`, cause);
  }
}

/**
 * The text of an object, or `undefined` when it does not exist.
 *
 * @param version of the object. @default the newest
 * @throws OperationError `store_unavailable` (retryable)
 */
export async function readText(store: ArchiveStore, key: string, version?: string): Promise<string | undefined> {
  return (await readBytes(store, key, version))?.toString('utf8');
}

/**
 * The bytes of a small object, or `undefined` when it does not exist.
 *
 * @param version of the object. @default the newest
 * @throws OperationError `store_unavailable` (retryable)
 */
export async function readBytes(store: ArchiveStore, key: string, version?: string): Promise<Buffer | undefined> {
  try {
    const object = await store.s3.send(
      new GetObjectCommand({
        Bucket: store.bucket,
        Key: key,
        ...(version === undefined ? {} : { VersionId: version }),
      }),
    );
    const bytes = (await object.Body?.transformToByteArray()) ?? new Uint8Array();
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  } catch (cause) {
    if (cause instanceof NoSuchKey) return undefined;
    throw unavailable(`read ${key}`, cause);
  }
}

/** JSON for people to read. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value, undefined, 2);
}

/** The parameters of a PutObject that writes a JSON document, a text by {@link jsonText} or its bytes. */
export function jsonDocument<Body extends string | Buffer>(store: ArchiveStore, key: string, body: Body) {
  return {
    Bucket: store.bucket,
    Key: key,
    Body: body,
    ContentType: 'application/json',
    ChecksumAlgorithm: 'SHA256',
  } as const;
}

/** Size of an object, and what tells it from all others that were ever under its key. */
export interface ObjectState {
  readonly bytes: number | undefined;
  readonly etag: string | undefined;
}

/** Looks an object up; `undefined` when it does not exist. */
export async function lookUpObject(store: ArchiveStore, key: string): Promise<ObjectState | undefined> {
  try {
    const head = await store.s3.send(new HeadObjectCommand({ Bucket: store.bucket, Key: key }));
    return { bytes: head.ContentLength, etag: head.ETag };
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
