import * as z from 'zod';
import { DATABASE_NAMES } from '../contract';
import { OperationError, messageOf } from '../runtime/errors';
import { attemptPrefix, manifestKey } from './keys';
import { keyToSlot, normaliseSlot, slotToKey } from './slot';

export const ARCHIVE_FORMAT = 'billing-operations-archive';
/** Raised when an older restore could misread a newer archive; fields that it may ignore do not raise it. */
export const ARCHIVE_VERSION = 1;

const count = z.int().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const slot = z.string().refine((value) => keyToSlot(slotToKey(value)) === value);

/** One object in S3: rows of one table in COPY text format, compressed by zstd. */
const partSchema = z.object({
  key: z.string(),
  rows: count,
  /** Bytes of COPY text. */
  bytes: count,
  compressedBytes: count,
  /** SHA-256 of the object, that is of the compressed bytes; what `sha256sum` prints for the downloaded file. */
  sha256,
  /** SHA-256 of the COPY text; what `zstd -dc … | sha256sum` prints. */
  plainSha256: sha256,
});

const tableSchema = z.object({
  schema: z.string().min(1),
  name: z.string().min(1),
  /** In the order of the COPY text; generated columns are left out, the restore computes them again. */
  columns: z.array(z.string().min(1)),
  rows: count,
  bytes: count,
  compressedBytes: count,
  parts: z.array(partSchema).min(1),
});

const sequenceSchema = z.object({
  schema: z.string().min(1),
  name: z.string().min(1),
  /** Text, because it may exceed what a JSON number holds. */
  lastValue: z.string().regex(/^-?\d+$/),
  /** False when `lastValue` is the next number of the sequence. */
  isCalled: z.boolean(),
});

const manifestSchema = z
  .object({
    format: z.literal(ARCHIVE_FORMAT),
    version: z.literal(ARCHIVE_VERSION),
    database: z.enum(DATABASE_NAMES),
    slot,
    attempt: z.string().min(1),
    startedAt: z.iso.datetime(),
    finishedAt: z.iso.datetime(),
    durationMs: count,
    server: z.object({
      version: z.string(),
      encoding: z.string(),
      localeProvider: z.enum(['builtin', 'icu', 'libc']),
      collate: z.string(),
      ctype: z.string(),
      /** Locale of the `builtin` and `icu` providers. */
      locale: z.string().nullable(),
    }),
    /** The settings under which values were written, so that the text means the same wherever it is read. */
    copySettings: z.record(z.string(), z.string()),
    /** The schema's version: the migrations that had been applied, in order. */
    migrations: z.array(z.object({ name: z.string().min(1), sha256 })).min(1),
    tables: z.array(tableSchema),
    sequences: z.array(sequenceSchema),
    rows: count,
    bytes: count,
    compressedBytes: count,
  })
  .superRefine((manifest, context) => {
    const prefix = attemptPrefix(manifest.database, manifest.slot, manifest.attempt);
    for (const table of manifest.tables) {
      const stray = table.parts.find((part) => !part.key.startsWith(prefix));
      if (stray) context.addIssue(`object ${stray.key} does not belong to this archive`);
      if (!addsUp(table, table.parts)) context.addIssue(`parts of ${table.schema}.${table.name} do not add up`);
    }
    if (!addsUp(manifest, manifest.tables)) context.addIssue('tables do not add up');
  });

export type Manifest = z.infer<typeof manifestSchema>;
export type ArchivedTable = z.infer<typeof tableSchema>;
export type ArchivedPart = z.infer<typeof partSchema>;
export type ArchivedSequence = z.infer<typeof sequenceSchema>;

export interface Sizes {
  readonly rows: number;
  /** Bytes of COPY text. */
  readonly bytes: number;
  /** Bytes in S3. */
  readonly compressedBytes: number;
}

/** The sum of rows and bytes over parts or tables. */
export function totalOf(parts: readonly Sizes[]): Sizes {
  return {
    rows: parts.reduce((sum, part) => sum + part.rows, 0),
    bytes: parts.reduce((sum, part) => sum + part.bytes, 0),
    compressedBytes: parts.reduce((sum, part) => sum + part.compressedBytes, 0),
  };
}

function addsUp(whole: Sizes, parts: readonly Sizes[]): boolean {
  const total = totalOf(parts);
  return total.rows === whole.rows && total.bytes === whole.bytes && total.compressedBytes === whole.compressedBytes;
}

/**
 * Reads a manifest's JSON.
 *
 * @param key where it was read from, for the message
 * @throws OperationError `archive_unsupported` for a format of another version, `archive_malformed` for a document that
 * is not a manifest or contradicts itself
 */
export function parseManifest(json: string, key: string): Manifest {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new OperationError('archive_malformed', `Manifest ${key} is not JSON: ${messageOf(cause)}`, { cause });
  }
  const head = z.object({ format: z.string(), version: z.int() }).safeParse(value);
  if (head.success && (head.data.format !== ARCHIVE_FORMAT || head.data.version !== ARCHIVE_VERSION)) {
    throw new OperationError(
      'archive_unsupported',
      `Manifest ${key} has format ${head.data.format} version ${head.data.version}, this code reads ${ARCHIVE_FORMAT} version ${ARCHIVE_VERSION}: restore with the version that wrote it`,
    );
  }
  const parsed = manifestSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.slice(0, 5).map((issue) => `${issue.path.join('.')} ${issue.message}`.trim());
  throw new OperationError('archive_malformed', `Manifest ${key} is malformed: ${problems.join('; ')}`);
}

/** The key where a manifest belongs; one found elsewhere was moved or copied. */
export function ownKey(manifest: Manifest): string {
  return manifestKey(manifest.database, normaliseSlot(manifest.slot));
}
