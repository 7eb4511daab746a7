import * as z from 'zod';
import { archiveChoice, type ArchiveEnvironment } from '../../core/archive/contract';
import type { BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment } from '../../core/contract';
import type { ErasureEnvironment } from '../../core/erasure/contract';
import { databaseName, isoTime, type OperationContract } from '../../core/runtime/contract';

export type RestoreEnvironment = BaseEnvironment &
  BillingDatabaseEnvironment &
  MainDatabaseEnvironment &
  ArchiveEnvironment &
  ErasureEnvironment & {
    /** GiB of COPY text above which the function does not restore an archive itself: a workflow does. */
    readonly STREAMING_LIMIT_GIB: string;
    /** Workflow that restores a larger archive. */
    readonly BILLING_RESTORE_WORKFLOW_ARN: string;
    readonly MAIN_RESTORE_WORKFLOW_ARN: string;
  };

export const restoreRequest = z.strictObject({
  ...archiveChoice,
  targetDatabase: z
    .string()
    .describe('Name of the database to create on the same server. An existing one is refused, never overwritten.'),
  afterwards: z
    .enum(['keep', 'drop'])
    .describe('What becomes of the restored database after the report: `keep` it, or `drop` it.'),
});
/** Asks for an archive to be restored into a new database. */
export type RestoreRequest = Readonly<z.infer<typeof restoreRequest>>;

const proof = {
  foreignKeysValidated: z.int().describe('Foreign keys that were checked against every row.'),
  sequencesRestored: z.int().describe('Sequences that were set to their archived value.'),
  invariantsChecked: z.int().describe('Rules of the domain that hold.'),
  migratedForward: z
    .array(z.string())
    .readonly()
    .describe('Migrations that were applied after loading, because the schema of the archive was older than the code.'),
  rolesCreated: z
    .array(z.string())
    .readonly()
    .describe('Roles that the server lacked. They were made without LOGIN and without a password.'),
  deviations: z
    .array(
      z.strictObject({
        object: z.string().describe('What it is about, such as `FUNCTION app.touch()`.'),
        consequence: z.string().describe('What the restored database has instead.'),
        reason: z.string().describe('The message of the server.'),
      }),
    )
    .readonly()
    .describe(
      'What the server did not take of the archived schema; the rest is restored. `MIGRATION …` is a pending migration of the deployed code that failed: correct it and deploy it. The database has an older schema.',
    ),
  rowsErased: z.int().describe('Rows that were reduced, because they are of people who were erased since the backup.'),
  schemaDifferences: z
    .array(z.string())
    .readonly()
    .describe('Objects whose definition reads otherwise than in the archive, for a person to compare.'),
};
const restoreProof = z.strictObject(proof);

export const restoreReport = z.strictObject({
  database: databaseName,
  outcome: z
    .enum(['restored', 'started'])
    .describe(
      '`started`: the archive is too large for one call, so a workflow restores it, which takes hours and continues after this answer. Tables and rows are those of the archive then, and nothing is proven yet.',
    ),
  execution: z
    .string()
    .optional()
    .describe('ARN of the execution of the workflow, after `started`: `ops runs` follows it.'),
  slot: isoTime.describe('ISO time that names the archive.'),
  archivedAt: isoTime.describe('ISO time at which the archive was begun: the restored data is no older than this.'),
  targetDatabase: z.string().describe('Name of the database that was created.'),
  tables: z.int().describe('Tables that were restored.'),
  rows: z.int().describe('Rows that were restored.'),
  ...proof,
  durationMs: z.number().describe('Milliseconds from the request to the verified database.'),
  kept: z.boolean().describe('`false` when the restored database was dropped afterwards.'),
});
/** What was restored and proven. */
export type RestoreReport = Readonly<z.infer<typeof restoreReport>>;

/** Restores an archive into a new database, and proves it. */
export const contract = {
  request: restoreRequest,
  report: restoreReport,
  effect: 'adds',
} as const satisfies OperationContract;

const restoring = {
  database: databaseName,
  slot: isoTime.describe('ISO time that names the archive.'),
  manifestSha256: z.string().describe('Digest of the manifest that the first step has verified.'),
  name: z.string().describe('Name of the database until it is proven.'),
};
const prepareRequest = z.strictObject({
  ...archiveChoice,
  step: z.literal('prepare'),
  targetDatabase: restoreRequest.shape.targetDatabase,
  startedAt: isoTime.describe('ISO time at which the workflow was started; part of the passing name.'),
  purpose: z
    .literal('drill')
    .optional()
    .describe('For a drill, whose database keeps its passing name. Default: a restore.'),
});
const numbered = { ...restoring, number: z.int().nonnegative().describe('Which of them, from 0.') };

const prepareReport = z.strictObject({
  ...restoring,
  step: z.literal('prepare'),
  resumed: z.boolean().describe('Whether it continues a restore that was killed.'),
  groups: z.int().describe('Calls that load rows.'),
  builds: z.int().describe('Tables whose indexes are built by calls of their own.'),
});
const partlyDone = z.boolean().describe('`false`: time has run out, or the server is at work; call again.');

/**
 * The steps by which a workflow restores an archive that is too large for one call. Each may be repeated at any time. The same
 * function takes them; no operator does.
 */
export const stepContract = {
  request: z.discriminatedUnion('step', [
    prepareRequest,
    z.strictObject({ ...numbered, step: z.literal('load') }),
    z.strictObject({ ...numbered, step: z.literal('index') }),
    z.strictObject({ ...restoring, step: z.literal('complete') }),
    z.strictObject({ ...restoring, step: z.literal('prove') }),
    z.strictObject({
      ...restoring,
      step: z.literal('release'),
      targetDatabase: z.string(),
      afterwards: restoreRequest.shape.afterwards,
      startedAt: isoTime,
    }),
    z.strictObject({
      database: databaseName,
      step: z.literal('discard'),
      startedAt: isoTime,
      name: z.string().optional(),
    }),
  ]),
  report: z.discriminatedUnion('step', [
    prepareReport,
    z.strictObject({ step: z.literal('load'), rows: z.int().describe('Rows that this call has loaded.') }),
    z.strictObject({ step: z.literal('index'), done: partlyDone }),
    z.strictObject({ step: z.literal('complete'), done: partlyDone }),
    z.strictObject({ step: z.literal('prove'), done: partlyDone, proof: restoreProof }),
    z.strictObject({ step: z.literal('release'), durationMs: z.number() }),
    z.strictObject({ step: z.literal('discard'), name: z.string().describe('Database that is gone.') }),
  ]),
  effect: 'adds',
} as const satisfies OperationContract;
export type StepRequest = z.infer<(typeof stepContract)['request']>;
export type StepReport = z.infer<(typeof stepContract)['report']>;

export const RESTORE_METRICS = {
  succeeded: 'RestoreSucceeded',
  failed: 'RestoreFailed',
  durationMs: 'RestoreDuration',
} as const;
