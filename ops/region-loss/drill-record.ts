import type { S3Client } from '@aws-sdk/client-s3';
import * as z from 'zod';
import { databaseName, isoTime } from '../../core/runtime/contract';
import { DRILL_PREFIX } from '../../lambdas/drill/contract';
import { CommandError } from '../errors';
import { objectsUnder, parseJson, readObject } from './copied-archives';

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
  /** Id of the last of them: no two write the same record. */
  run: z.string().default(''),
  /** Whether that one takes back what was made. */
  abandoning: z.boolean().default(false),
  /** What the check found wrong, and what came back otherwise than it was archived. */
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
  /** Workflows that restore a large archive, and that no run has seen the end of. */
  executions: z.array(z.object({ database: databaseName, archive: isoTime, arn: z.string() })).default([]),
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

/** The record of a drill that begins. */
export const newDrill = (
  begun: Pick<RegionDrill, 'environment' | 'into' | 'region' | 'startedAt' | 'by' | 'run'>,
): RegionDrill => ({
  format: 'billing-operations-region-loss-drill',
  version: 1,
  ...begun,
  endedAt: null,
  outcome: 'running',
  runs: 1,
  abandoning: false,
  gaps: [],
  rpo: [],
  steps: [],
  restored: [],
  executions: [],
  made: { bucket: '', prefixes: [], secret: null },
  rto: null,
});

/** Key of a record in the bucket of copies. */
export const recordKey = (startedAt: string): string =>
  `${REGION_DRILL_PREFIX}${startedAt.replaceAll(/[-:.]/g, '')}.json`;

/** Why S3 refuses a write whose condition does not hold; the last where another one is under way. */
const CONDITION_FAILED = ['PreconditionFailed', 'NoSuchKey', 'ConditionalRequestConflict'];

/**
 * Writes the record, so that the next run knows how far this one came.
 *
 * @param etag of the version that it replaces; without one, there must be none
 * @returns etag of the new version
 * @throws TakenOver where another run has written it since
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
 */
export async function writeRecord(s3: S3Client, bucket: string, record: RegionDrill, etag?: string): Promise<string> {
  const { PutObjectCommand } = await import('@aws-sdk/client-s3');
  const Key = recordKey(record.startedAt);
  const Body = `${JSON.stringify(record, undefined, 2)}\n`;
  const condition = etag === undefined ? { IfNoneMatch: '*' } : { IfMatch: etag };
  try {
    const written = { Bucket: bucket, Key, Body, ContentType: 'application/json' };
    const { ETag = '' } = await s3.send(new PutObjectCommand({ ...written, ...condition }));
    return ETag;
  } catch (cause) {
    if (!(cause instanceof Error && CONDITION_FAILED.includes(cause.name))) throw cause;
    // The SDK repeats a call whose answer was lost: then this version is there already.
    const there = await readObject(s3, bucket, Key).catch(() => undefined);
    if (there !== undefined && Buffer.from(there.bytes).toString('utf8') === Body) return there.etag;
    throw new TakenOver(bucket, Key, cause);
  }
}

/** @throws TakenOver where another run has written the record since this version of it */
export async function assertLatest(s3: S3Client, bucket: string, record: RegionDrill, etag?: string): Promise<void> {
  const { HeadObjectCommand } = await import('@aws-sdk/client-s3');
  const Key = recordKey(record.startedAt);
  const { ETag } = await s3.send(new HeadObjectCommand({ Bucket: bucket, Key }));
  if (ETag !== etag) throw new TakenOver(bucket, Key);
}

/** Another run has written the record since. */
export class TakenOver extends CommandError {
  constructor(bucket: string, key: string, cause?: unknown) {
    super(
      'refused',
      `Another run has taken this drill over, so this one stops here: s3://${bucket}/${key} says how far the other one is`,
      { cause },
    );
  }
}

/**
 * The newest drill on record that did not come to its end, with the etag of its record.
 *
 * @param except time at which a drill began that is not looked for
 * @throws CommandError `failed` for a record of another form
 */
export async function runningDrill(
  s3: S3Client,
  bucket: string,
  except?: string,
): Promise<{ readonly record: RegionDrill; readonly etag: string } | undefined> {
  for (const key of await keysOfRecords(s3, bucket)) {
    if (except !== undefined && key === recordKey(except)) continue;
    const found = await readRecord(s3, bucket, key);
    if (found.record.outcome === 'running') return found;
  }
  return undefined;
}

/** ISO time at which a drill last came to its end. */
export async function lastRehearsal(s3: S3Client, bucket: string): Promise<string | undefined> {
  for (const key of await keysOfRecords(s3, bucket)) {
    const { outcome, endedAt } = (await readRecord(s3, bucket, key)).record;
    if ((outcome === 'passed' || outcome === 'gaps') && endedAt !== null) return endedAt;
  }
  return undefined;
}

/** The newest first: they are named by their time. */
async function keysOfRecords(s3: S3Client, bucket: string): Promise<string[]> {
  return [...(await objectsUnder(s3, bucket, REGION_DRILL_PREFIX)).keys()].toSorted().toReversed();
}

/** @throws CommandError `failed` for a record of another form */
export async function readRecord(
  s3: S3Client,
  bucket: string,
  key: string,
): Promise<{ readonly record: RegionDrill; readonly etag: string }> {
  const { bytes, etag } = await readObject(s3, bucket, key);
  const read = regionDrill.safeParse(parseJson(bytes));
  if (read.success) return { record: read.data, etag };
  throw new CommandError(
    'failed',
    `s3://${bucket}/${key} is no record of a drill (${read.error.issues[0]?.path.join('.')}): look at it, and remove it`,
  );
}
