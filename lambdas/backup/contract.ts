import * as z from 'zod';
import type { ArchiveEnvironment } from '../../core/archive/contract';
import type {
  BaseEnvironment,
  BillingDatabaseEnvironment,
  DatabaseName,
  MainDatabaseEnvironment,
} from '../../core/contract';
import { databaseName, isoTime, type OperationContract } from '../../core/runtime/contract';

export interface BackupEnvironment
  extends BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment, ArchiveEnvironment {
  /** Days that an archive of the billing database cannot be deleted, and after which it expires. */
  readonly BILLING_RETENTION_DAYS: string;
  /** Days that an archive of the main database cannot be deleted, and after which it expires. */
  readonly MAIN_RETENTION_DAYS: string;
  /** Hours between two recovery points of AWS Backup; each run checks that they are as fresh as that. 0 where none are taken. */
  readonly BILLING_FREQUENCY_HOURS: string;
  readonly MAIN_FREQUENCY_HOURS: string;
  /** RDS instance behind the database, or empty when it is not on RDS: nothing can then be asked of RDS. */
  readonly BILLING_INSTANCE_IDENTIFIER: string;
  readonly MAIN_INSTANCE_IDENTIFIER: string;
  /**
   * GiB of database above which the function does not stream an archive itself: a workflow makes it, or RDS exports a
   * snapshot. Too high and the function is stopped after its 15 minutes with nothing to show; too low and archives take
   * longer and cost more.
   */
  readonly STREAMING_LIMIT_GIB: string;
  /** Workflow that archives a larger database; empty where RDS exports it. */
  readonly BILLING_ARCHIVE_WORKFLOW_ARN: string;
  readonly MAIN_ARCHIVE_WORKFLOW_ARN: string;
  /** Role that RDS assumes to write an export into the archive bucket; empty where no database is on RDS. */
  readonly EXPORT_ROLE_ARN: string;
  /** Customer-managed key that RDS encrypts an export with; empty where no database is on RDS. */
  readonly EXPORT_KEY_ARN: string;
}

/**
 * Start of the identifiers of snapshots taken before a migration, followed by the time; for the resources of a policy.
 * RDS takes letters, digits and single hyphens.
 */
export function migrationSnapshotPrefix(database: DatabaseName): string {
  return `billing-operations-${database}-pre-migration-`;
}

export const backupRequest = z.strictObject({
  database: databaseName,
  slot: isoTime.optional().describe(
    // The schedule passes `<aws.scheduler.scheduled-time>`, so that a retried invocation asks for the same slot again.
    'ISO time that names the archive. A slot that has its archive is left alone. Default: the moment of the request.',
  ),
  reason: z
    .enum(['routine', 'pre-migration'])
    .optional()
    .describe(
      '`pre-migration` takes a tagged RDS snapshot beside the archive, so that a migration can be undone as a whole. Default: `routine`.',
    ),
  inParts: z
    .boolean()
    .optional()
    .describe(
      'Has the workflow archive the newest recovery point in parts, although the database is not too large for one call: to see the workflow run before it has to, or to prove a recovery point. Default: `false`.',
    ),
});
/** Asks for an archive of one database; EventBridge Scheduler does, or an operator. */
export type BackupRequest = Readonly<z.infer<typeof backupRequest>>;

const tierReport = z.strictObject({
  state: z
    .enum(['current', 'stale', 'missing', 'not-due', 'unknown', 'not-on-rds', 'not-kept'])
    .describe(
      '`missing`: there is none at all. `not-due`: there is none yet, of an instance that is younger than the limit. `unknown`: the RDS query failed, see the log. `not-on-rds`: there is no RDS instance, so the archives are the only protection. `not-kept`: the environment does without this tier.',
    ),
  ageSeconds: z.number().optional().describe('Seconds since the moment that the tier can restore.'),
  limitSeconds: z.number().describe('Age in seconds above which the tier is stale.'),
});
/** Whether one of the tiers that RDS and AWS Backup look after is as fresh as promised. */
export type TierReport = Readonly<z.infer<typeof tierReport>>;

const protectionReport = z.strictObject({
  pointInTime: tierReport.describe('RDS automated backups: how far the latest restorable moment lies back.'),
  recoveryPoints: tierReport.describe('AWS Backup recovery points: age of the newest complete one.'),
});
export type ProtectionReport = Readonly<z.infer<typeof protectionReport>>;

const migrationSnapshot = z.strictObject({
  identifier: z.string().describe('Identifier of the RDS snapshot.'),
  state: z
    .enum(['available', 'creating'])
    .describe('`creating` when it was not complete before the function had to answer; RDS completes it by itself.'),
});
/** A snapshot of the whole instance, taken before a migration. */
export type MigrationSnapshot = Readonly<z.infer<typeof migrationSnapshot>>;

const omission = z.strictObject({
  kind: z.string().describe('Kind of content, such as `subscription`.'),
  object: z.string().describe('What is left out.'),
  reason: z.string().describe('Why an archive cannot carry it.'),
});

const schemaChange = z.strictObject({
  state: z
    .enum(['none', 'recorded', 'unrecorded', 'first', 'not-compared'])
    .describe(
      '`recorded`: the records of migrations differ from those of the archive before. `unrecorded`: they are the same, and the schema is another. `first`: there is no archive before it. `not-compared`: the slot had its archive before, the database was exported, or the archive before cannot be read, see the log.',
    ),
  since: isoTime.nullable().describe('ISO time that names the archive before; `null` when there is none.'),
  total: z.int().describe('Objects that an unrecorded change added, removed or changed.'),
  objects: z.array(z.string()).readonly().describe('The first 20 of them, such as `added: TABLE app.orders`.'),
});
/** Whether the schema is another than that of the archive before, and whether a migration says so. */
export type SchemaChange = Readonly<z.infer<typeof schemaChange>>;

const archiveReport = z.strictObject({
  database: databaseName,
  slot: isoTime.describe('ISO time in UTC and whole seconds that names the archive.'),
  manifestKey: z
    .string()
    .describe('Key of the manifest in the archive bucket; after an export, the prefix that RDS writes under.'),
  manifestSha256: z
    .string()
    .nullable()
    .describe('SHA-256 of the manifest, which names every object with its hash; `null` when there is none yet.'),
  outcome: z
    .enum(['created', 'already-exists', 'started', 'already-started', 'exported', 'already-exported'])
    .describe(
      '`already-exists`: the slot had its archive before, and the sizes are of that archive. `started`: the database exceeds the streaming limit, so a workflow archives its newest recovery point, which takes hours and continues after this answer; `already-started`: one was under way, or has been for this slot. `exported`: RDS exports a snapshot as Parquet instead, by the settings of the environment, and continues after this answer; `already-exported`: an earlier run requested that export. Tables and rows are 0 unless there is an archive.',
    ),
  execution: z
    .string()
    .optional()
    .describe('ARN of the execution of the workflow, after `started` and `already-started`: `ops runs` follows it.'),
  tables: z.int().describe('Tables in the archive.'),
  rows: z.int().describe('Rows in the archive.'),
  bytes: z.number().describe('Bytes of COPY text.'),
  compressedBytes: z.number().describe('Bytes in S3.'),
  omissions: z
    .array(omission)
    .readonly()
    .describe('What the archive does not carry; after a restore, it has to be made by hand. None after an export.'),
  schemaChange: schemaChange.describe('Since the archive before; `ops backups diff` shows it line by line.'),
  durationMs: z.number().describe('Milliseconds of this invocation.'),
  expiredArchives: z.int().describe('Archives past their retention that were removed.'),
  sweptLeftovers: z.int().describe('Objects and unfinished uploads of failed attempts that were removed.'),
  housekeepingFailed: z
    .boolean()
    .describe(
      'The archive is good, but expired objects could not be removed; the log says why, the next run tries again.',
    ),
});
/** What became of the archive of a database. */
export type ArchiveReport = Readonly<z.infer<typeof archiveReport>>;

export const backupReport = archiveReport.extend({
  protection: protectionReport,
  snapshot: migrationSnapshot
    .optional()
    .describe('Only after a request with the reason `pre-migration`, and only on RDS.'),
});
export type BackupReport = Readonly<z.infer<typeof backupReport>>;

/** Archives one database. */
export const contract = {
  request: backupRequest,
  report: backupReport,
  effect: 'adds',
} as const satisfies OperationContract;

const planned = {
  database: databaseName,
  slot: isoTime,
  host: z.string().min(1).describe('Host of the copy: an RDS instance of the account and region of the live one.'),
};
const attempted = { ...planned, attempt: z.uuid().describe('Attempt that the plan began.') };

/** Begins the archive of a copy that stands still. */
const planRequest = z.strictObject({
  ...planned,
  step: z.literal('plan'),
  recoveryPoint: z
    .strictObject({ snapshot: z.string().min(1), takenAt: isoTime })
    .describe('Snapshot that the copy was restored from, and its moment.'),
});
export type PlanRequest = Readonly<z.infer<typeof planRequest>>;
/** Copies one part of it. May be repeated at any time. */
const partRequest = z.strictObject({
  ...attempted,
  step: z.literal('part'),
  part: z.string().min(1).describe('Key of the part, as the list of the plan has it.'),
});
export type PartRequest = Readonly<z.infer<typeof partRequest>>;
/** Publishes it, once all parts are there. May be repeated at any time. */
const publishRequest = z.strictObject({ ...attempted, step: z.literal('publish') });
export type PublishRequest = Readonly<z.infer<typeof publishRequest>>;

const planReport = z.strictObject({
  step: z.literal('plan'),
  attempt: z.uuid(),
  parts: z.int().describe('Parts to copy.'),
  bytes: z.number().describe('Bytes of table.'),
  bucket: z.string().describe('Bucket with the list of parts.'),
  partsKey: z.string().describe('Key of the list of parts, an array of keys.'),
});
export type PlanReport = Readonly<z.infer<typeof planReport>>;
const partReport = z.strictObject({
  step: z.literal('part'),
  part: z.string(),
  outcome: z.enum(['copied', 'kept']).describe('`kept`: an earlier call had copied it.'),
  rows: z.int(),
  bytes: z.number(),
  compressedBytes: z.number(),
});
export type PartReport = Readonly<z.infer<typeof partReport>>;
const publishReport = z.strictObject({ step: z.literal('publish'), archive: archiveReport });
export type PublishReport = Readonly<z.infer<typeof publishReport>>;

/**
 * The steps by which a workflow archives a database that is too large for one call, from a copy that stands still. The same
 * function takes them; no operator does.
 */
export const stepContract = {
  request: z.discriminatedUnion('step', [planRequest, partRequest, publishRequest]),
  report: z.discriminatedUnion('step', [planReport, partReport, publishReport]),
  effect: 'adds',
} as const satisfies OperationContract;
export type StepRequest = z.infer<(typeof stepContract)['request']>;
export type StepReport = z.infer<(typeof stepContract)['report']>;

/** All with the dimension `database`. */
export const BACKUP_METRICS = {
  /** Archives whose manifest was written. */
  succeeded: 'BackupSucceeded',
  failed: 'BackupFailed',
  /** Milliseconds. */
  durationMs: 'BackupDuration',
  /** Bytes of COPY text in the archive. */
  bytes: 'BackupBytes',
  /** Bytes of the archive in S3. */
  compressedBytes: 'BackupCompressedBytes',
  /** Objects that the archive does not carry. 0 is as it should be. */
  omissions: 'BackupOmissions',
  /** Objects that differ from the archive before, although no migration was recorded. Absent when they were not compared. */
  unrecordedSchemaChanges: 'BackupUnrecordedSchemaChanges',
  /** Exports of a database too large to stream that RDS was asked for. */
  exported: 'BackupExported',
  /** Seconds between now and the latest moment that RDS can restore. Absent when there is none. */
  pointInTimeAgeSeconds: 'PointInTimeAge',
  /** Seconds since the newest recovery point of AWS Backup. Absent when there is none. */
  recoveryPointAgeSeconds: 'RecoveryPointAge',
  /** Tiers, of those two, that are stale, missing or could not be looked at. 0 is as it should be; on RDS only. */
  unprotectedTiers: 'UnprotectedTiers',
  /** Archives that expired. */
  expiredArchives: 'ExpiredArchives',
  /** Objects and uploads of failed attempts that were removed. */
  sweptLeftovers: 'SweptLeftovers',
  /** Runs whose archive is good, but which could not remove what had expired. */
  housekeepingFailed: 'BackupHousekeepingFailed',
} as const;
