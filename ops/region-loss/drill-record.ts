import type { S3Client } from '@aws-sdk/client-s3';
import * as z from 'zod';
import { databaseName, isoTime } from '../../core/runtime/contract';
import { DRILL_PREFIX } from '../../lambdas/drill/contract';
import { CommandError } from '../errors';
import { objectsUnder, readObject } from './copied-archives';
import type { SecondRegion } from './place';

/** Folder of the records in the bucket of copies, which outlives the first region. Kept as other drills' are: 400 days. */
export const REGION_DRILL_PREFIX = `${DRILL_PREFIX}region-loss/`;

const finding = z.object({
  check: z.string(),
  state: z.enum(['good', 'wrong', 'skipped']),
  detail: z.string(),
  fix: z.string().nullable(),
});

/** What a drill leaves on record, for auditors and for the next run, which continues one that has no outcome. */
export const regionDrill = z.object({
  format: z.literal('billing-operations-region-loss-drill'),
  version: z.literal(1),
  environment: z.string(),
  /** Environment in the second region that it restored into. */
  into: z.string(),
  region: z.string(),
  startedAt: isoTime,
  endedAt: isoTime.nullable(),
  outcome: z.enum(['running', 'passed', 'gaps', 'abandoned']),
  /** Identity of the operator who began it. */
  by: z.string(),
  /** Calls of the command: more than one where it was interrupted. */
  runs: z.int(),
  /** What the check found wrong. */
  gaps: z.array(finding),
  rpo: z.array(
    z.object({
      database: databaseName,
      archive: isoTime.nullable(),
      recoveryPoint: isoTime.nullable(),
      seconds: z.number().nullable(),
      promisedSeconds: z.number(),
    }),
  ),
  steps: z.array(
    z.object({ step: z.string(), startedAt: isoTime, durationMs: z.number(), detail: z.string(), done: z.boolean() }),
  ),
  restored: z.array(
    z.object({
      database: databaseName,
      archive: isoTime,
      tables: z.int(),
      rows: z.int(),
      /** Rows of people who were erased since, and are erased again. */
      rowsErased: z.int(),
      durationMs: z.number(),
    }),
  ),
  /** What it made and has not taken back. */
  made: z.object({
    /** Bucket that it copied to; empty before it did. */
    bucket: z.string(),
    /** Beginnings of the keys of objects that it copied. */
    prefixes: z.array(z.string()),
    secret: z.object({ arn: z.string(), version: z.string(), previous: z.string() }).nullable(),
  }),
  rto: z
    .object({
      measuredMs: z.number(),
      /** Steps of docs/region-loss.md that a drill does not take, in minutes. */
      estimatedMinutes: z.record(z.string(), z.number()),
      totalMinutes: z.number(),
    })
    .nullable(),
});
export type RegionDrill = z.infer<typeof regionDrill>;

/** Key of a record in the bucket of copies. */
export const recordKey = (startedAt: string): string =>
  `${REGION_DRILL_PREFIX}${startedAt.replaceAll(/[-:.]/g, '')}.json`;

/** Writes the record, so that the next run knows how far this one came. */
export async function writeRecord(s3: S3Client, place: SecondRegion, record: RegionDrill): Promise<void> {
  const { PutObjectCommand } = await import('@aws-sdk/client-s3');
  await s3.send(
    new PutObjectCommand({
      Bucket: place.bucket,
      Key: recordKey(record.startedAt),
      Body: `${JSON.stringify(record, undefined, 2)}\n`,
      ContentType: 'application/json',
    }),
  );
}

/** The newest drill on record. @throws CommandError `failed` for a record of another form */
export async function newestRecord(s3: S3Client, bucket: string): Promise<RegionDrill | undefined> {
  const [key] = await keysOfRecords(s3, bucket);
  return key === undefined ? undefined : readRecord(s3, bucket, key);
}

/** ISO time at which a drill last came to its end. */
export async function lastRehearsal(s3: S3Client, bucket: string): Promise<string | undefined> {
  for (const key of await keysOfRecords(s3, bucket)) {
    const { outcome, endedAt } = await readRecord(s3, bucket, key);
    if ((outcome === 'passed' || outcome === 'gaps') && endedAt !== null) return endedAt;
  }
  return undefined;
}

/** The newest first: they are named by their time. */
async function keysOfRecords(s3: S3Client, bucket: string): Promise<string[]> {
  return [...(await objectsUnder(s3, bucket, REGION_DRILL_PREFIX)).keys()].toSorted().toReversed();
}

async function readRecord(s3: S3Client, bucket: string, key: string): Promise<RegionDrill> {
  const { bytes } = await readObject(s3, bucket, key);
  const read = regionDrill.safeParse(parseJson(bytes));
  if (read.success) return read.data;
  throw new CommandError(
    'failed',
    `s3://${bucket}/${key} is no record of a drill (${read.error.issues[0]?.path.join('.')}): look at it, and remove it`,
  );
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
}
