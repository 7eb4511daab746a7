import { createHash, createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { S3Client, _Object as StoredObject } from '@aws-sdk/client-s3';
import * as z from 'zod';
import type { DatabaseName } from '../../core/contract';
import { CommandError } from '../errors';
import { whyUnreadable } from '../files';

/** Archives looked at for one that is whole: two days of them of billing. */
const LOOKED_AT = 8;

const object = z.object({ key: z.string(), compressedBytes: z.int() });
const tables = z.array(z.object({ parts: z.array(object) }));
/** What the check needs of a manifest, whose whole form is in `core/archive/manifest.ts`. */
const manifestShape = z.object({
  database: z.string(),
  attempt: z.string(),
  slot: z.string(),
  startedAt: z.string(),
  rows: z.int(),
  compressedBytes: z.int(),
  tables,
  largeObjects: tables.optional(),
  schema: z.object({ before: object, after: object }).optional(),
  recoveryPoint: z.object({ takenAt: z.string() }).optional(),
});

/** An archive in a bucket of copies, all of whose objects are there. */
export interface CopiedArchive {
  readonly database: DatabaseName;
  /** ISO time that names it. */
  readonly slot: string;
  /** Beginning of all its keys. */
  readonly prefix: string;
  /** ISO time of its rows. */
  readonly rowsOf: string;
  readonly rows: number;
  readonly bytes: number;
  /** Digest of the manifest, which a restore in another region asks for. */
  readonly manifestSha256: string;
  /** Of every object that it consists of, its manifest and signature included. */
  readonly keys: readonly string[];
  readonly signature: 'valid' | 'invalid' | 'missing' | 'unchecked';
  /** Region of the key that its objects are encrypted under; undefined where S3 names none. */
  readonly keyRegion: string | undefined;
}

/** What was found of a database's archives. */
export interface CopiedArchives {
  /** The newest one that is whole. */
  readonly whole: CopiedArchive | undefined;
  /** Newer ones, with what each lacks. */
  readonly incomplete: readonly string[];
}

/** Public half of the key that signs archives. @throws CommandError `usage` for a file that is no such key */
export function readPublicKey(file: string): ReturnType<typeof createPublicKey> {
  try {
    return createPublicKey(readFileSync(file));
  } catch (cause) {
    throw new CommandError(
      'usage',
      `--public-key ${file}: expected the PEM file that docs/deploy.md, step 11, had you keep (${whyUnreadable(cause)})`,
      { cause },
    );
  }
}

/** The newest archive of a database that a restore from this bucket alone could read. Its manifest and a part of it are read. */
export async function newestCopy(
  s3: S3Client,
  bucket: string,
  database: DatabaseName,
  publicKey: ReturnType<typeof createPublicKey> | undefined,
): Promise<CopiedArchives> {
  const incomplete: string[] = [];
  for (const prefix of (await slotsOf(s3, bucket, database)).slice(0, LOOKED_AT)) {
    const found = await readCopy(s3, bucket, database, prefix, publicKey);
    if (typeof found !== 'string') return { whole: found, incomplete };
    incomplete.push(`${prefix.split('/').at(-2)} ${found}`);
  }
  return { whole: undefined, incomplete };
}

/** Prefixes of the archives, the newest first: their names sort by time. */
async function slotsOf(s3: S3Client, Bucket: string, database: DatabaseName): Promise<string[]> {
  const { paginateListObjectsV2 } = await import('@aws-sdk/client-s3');
  const found: string[] = [];
  const request = { Bucket, Prefix: `archives/${database}/`, Delimiter: '/' };
  for await (const { CommonPrefixes = [] } of paginateListObjectsV2({ client: s3 }, request)) {
    found.push(...CommonPrefixes.flatMap(({ Prefix }) => Prefix ?? []));
  }
  return found.toSorted().toReversed();
}

/** @returns what the archive lacks, where it is not whole */
async function readCopy(
  s3: S3Client,
  bucket: string,
  database: DatabaseName,
  prefix: string,
  publicKey: ReturnType<typeof createPublicKey> | undefined,
): Promise<CopiedArchive | string> {
  const objects = await objectsUnder(s3, bucket, prefix);
  const manifestKey = `${prefix}manifest.json`;
  if (!objects.has(manifestKey)) return 'has no manifest yet';
  const { bytes, keyRegion } = await readObject(s3, bucket, manifestKey);
  const parsed = manifestShape.safeParse(parseJson(bytes));
  if (!parsed.success) return `has a manifest that cannot be read (${parsed.error.issues[0]?.path.join('.')})`;
  const manifest = parsed.data;
  if (manifest.database !== database) return `has a manifest of ${manifest.database}`;
  const parts = [
    ...Object.values(manifest.schema ?? {}),
    ...[...manifest.tables, ...(manifest.largeObjects ?? [])].flatMap((each) => each.parts),
  ];
  const lacking = parts.filter(({ key, compressedBytes }) => objects.get(key)?.Size !== compressedBytes);
  if (lacking.length > 0) return `lacks ${lacking.length} of ${parts.length} objects, such as ${lacking[0]?.key}`;
  // Of one part a byte, since who may read the list may lack the key.
  if (parts[0] !== undefined) await readObject(s3, bucket, parts[0].key, 'bytes=0-0');
  const signatureKey = `${prefix}${manifest.attempt}/manifest.sig`;
  const manifestSha256 = createHash('sha256').update(bytes).digest('hex');
  const signed = objects.has(signatureKey) ? (await readObject(s3, bucket, signatureKey)).bytes : undefined;
  return {
    database,
    slot: manifest.slot,
    prefix,
    rowsOf: manifest.recoveryPoint?.takenAt ?? manifest.startedAt,
    rows: manifest.rows,
    bytes: manifest.compressedBytes,
    manifestSha256,
    keys: [...parts.map(({ key }) => key), ...(signed ? [signatureKey] : []), manifestKey],
    signature: signatureOf(manifestSha256, signed, publicKey),
    keyRegion,
  };
}

function signatureOf(
  sha256: string,
  signature: Uint8Array | undefined,
  publicKey: ReturnType<typeof createPublicKey> | undefined,
): CopiedArchive['signature'] {
  if (signature === undefined) return 'missing';
  if (publicKey === undefined) return 'unchecked';
  // The line of sha256sum is what the backup signs.
  return verify('sha256', Buffer.from(`${sha256}  manifest.json\n`), publicKey, signature) ? 'valid' : 'invalid';
}

/** The objects under a prefix, by their keys. */
export async function objectsUnder(s3: S3Client, Bucket: string, Prefix: string): Promise<Map<string, StoredObject>> {
  const { paginateListObjectsV2 } = await import('@aws-sdk/client-s3');
  const found = new Map<string, StoredObject>();
  for await (const { Contents = [] } of paginateListObjectsV2({ client: s3 }, { Bucket, Prefix })) {
    for (const each of Contents) found.set(each.Key ?? '', each);
  }
  return found;
}

/** Bytes of an object, which version of it they are, and where its key is. */
export async function readObject(
  s3: S3Client,
  Bucket: string,
  Key: string,
  Range?: string,
): Promise<{ readonly bytes: Uint8Array; readonly etag: string; readonly keyRegion: string | undefined }> {
  const { GetObjectCommand } = await import('@aws-sdk/client-s3');
  const { Body, ETag = '', SSEKMSKeyId } = await s3.send(new GetObjectCommand({ Bucket, Key, Range }));
  const bytes = (await Body?.transformToByteArray()) ?? new Uint8Array();
  return { bytes, etag: ETag, keyRegion: SSEKMSKeyId?.split(':')[3] };
}

/** @returns `undefined` for what is no JSON */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
}
