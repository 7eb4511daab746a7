import * as z from 'zod';
import { DATABASE_NAMES } from '../contract';
import { OperationError, messageOf } from '../runtime/errors';
import { schemaFactsSchema } from '../schema/contract';
import { LARGE_OBJECT_PIECES, LARGE_OBJECTS, manifestKey, partKey, schemaKey } from './keys';
import { keyToSlot, normaliseSlot, slotToKey } from './slot';

export const ARCHIVE_FORMAT = 'billing-operations-archive';
/** Raised when an older restore could misread a newer archive; fields that it may ignore do not raise it. */
export const ARCHIVE_VERSION = 2;
/** Version 1 holds rows alone: their schema is that of the migrations which the manifest names. */
const READ_VERSIONS: readonly number[] = [1, ARCHIVE_VERSION];

const count = z.int().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const slot = z.string().refine((value) => keyToSlot(slotToKey(value)) === value);

/** One object in S3: text, compressed by zstd, which carries a checksum of the text. */
const objectSchema = z.object({
  key: z.string(),
  /** Bytes of the text. */
  bytes: count,
  compressedBytes: count,
  /** SHA-256 of the object, that is of the compressed bytes; what `sha256sum` prints for the downloaded file. */
  sha256,
});

/** SQL of the schema. */
const textSchema = objectSchema.extend({
  /** SHA-256 of the text; what `zstd -dc … | sha256sum` prints. */
  plainSha256: sha256,
});

/** Rows of one table in COPY text format. */
const partSchema = objectSchema.extend({
  rows: count,
  /** SHA-256 of the text, in archives of before December 2026. @default none: nothing compares it */
  plainSha256: sha256.optional(),
});

const tableSchema = z.object({
  schema: z.string().min(1),
  name: z.string().min(1),
  /** In the order of the COPY text; generated columns are left out, the restore computes them again. */
  columns: z.array(z.string().min(1)),
  /**
   * Partitioned table to load the rows into, because they may belong to another partition in another database.
   *
   * @default the table itself
   */
  loadThrough: z.object({ schema: z.string().min(1), name: z.string().min(1) }).optional(),
  /** Extension that makes the table, and perhaps rows of its own in it. @default none */
  extension: z.string().min(1).optional(),
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

const manifestFields = {
  format: z.literal(ARCHIVE_FORMAT),
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
    /** Rules that the database adds to a locale of ICU, by which it sorts. @default none */
    icuRules: z.string().optional(),
  }),
  /** The settings under which values were written, so that the text means the same wherever it is read. */
  copySettings: z.record(z.string(), z.string()),
  tables: z.array(tableSchema),
  sequences: z.array(sequenceSchema),
  rows: count,
  bytes: count,
  compressedBytes: count,
};
/** The platform's migrations that had been applied, in order. */
const migrations = z.array(z.object({ name: z.string().min(1), sha256 }));

const manifestSchema = z
  .discriminatedUnion('version', [
    z.object({ ...manifestFields, version: z.literal(1), migrations: migrations.min(1) }),
    z.object({
      ...manifestFields,
      version: z.literal(ARCHIVE_VERSION),
      /** Empty where another tool manages the schema. */
      migrations,
      /** The schema at the moment of the rows, as SQL to run before them and after them, and what else it needs. */
      schema: z.object({ before: textSchema, after: textSchema, facts: schemaFactsSchema }),
      /** How far other tools had brought the schema, by their own records. @default none */
      schemaVersions: z.array(z.object({ tool: z.string(), journal: z.string(), version: z.string() })).optional(),
      /**
       * Snapshot of the instance that the rows are from, and its moment. @default the rows are of the time from `startedAt`
       * to `finishedAt`, of one moment in between
       */
      recoveryPoint: z.object({ snapshot: z.string().min(1), takenAt: z.iso.datetime() }).optional(),
      /** Large objects: what each is, and its bytes in pieces; tables whose names PostgreSQL uses for the two. */
      largeObjects: z.array(tableSchema).length(2).optional(),
    }),
  ])
  .superRefine((manifest, context) => {
    const { database, slot: of, attempt } = manifest;
    for (const table of contentsOf(manifest)) {
      // By its key, an object belongs to one place in one table: two objects of equal shape cannot be exchanged.
      const stray = table.parts.find((part, index) => part.key !== partKey(database, of, attempt, table, index));
      if (stray) context.addIssue(`object ${stray.key} does not belong to this archive, or to another of its tables`);
      if (!addsUp(table, table.parts)) context.addIssue(`parts of ${table.schema}.${table.name} do not add up`);
    }
    if (!addsUp(manifest, contentsOf(manifest))) context.addIssue('tables do not add up');
    if (manifest.version === 1) return;
    for (const section of ['before', 'after'] as const) {
      const { key } = manifest.schema[section];
      if (key !== schemaKey(database, of, attempt, section)) {
        context.addIssue(`object ${key} is not the schema ${section} the rows of this archive`);
      }
    }
    const [objects, pieces] = manifest.largeObjects ?? [];
    if (objects && (objects.name !== LARGE_OBJECTS.name || pieces?.name !== LARGE_OBJECT_PIECES.name)) {
      context.addIssue('large objects are not what they should be');
    }
  });

export type Manifest = z.infer<typeof manifestSchema>;
/** A manifest of the present version. */
export type CompleteManifest = Extract<Manifest, { version: typeof ARCHIVE_VERSION }>;
/** One object of an archive other than its manifest. */
export type ArchivedObject = z.infer<typeof objectSchema>;
/** One text of an archived schema. */
export type ArchivedText = z.infer<typeof textSchema>;
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

/** Everything of an archive that is COPY text. */
export function contentsOf(
  manifest: Pick<Manifest, 'tables'> & Partial<Pick<CompleteManifest, 'largeObjects'>>,
): readonly ArchivedTable[] {
  return [...manifest.tables, ...(manifest.largeObjects ?? [])];
}

/** Every object of an archive but its manifest. */
export function objectsOf(manifest: Manifest): readonly ArchivedObject[] {
  const texts = manifest.version === 1 ? [] : [manifest.schema.before, manifest.schema.after];
  return [...texts, ...contentsOf(manifest).flatMap(({ parts }) => parts)];
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
  if (head.success && (head.data.format !== ARCHIVE_FORMAT || !READ_VERSIONS.includes(head.data.version))) {
    throw new OperationError(
      'archive_unsupported',
      `Manifest ${key} has format ${head.data.format} version ${head.data.version}, this code reads ${ARCHIVE_FORMAT} up to version ${ARCHIVE_VERSION}: restore with the version that wrote it`,
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
