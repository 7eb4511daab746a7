import * as z from 'zod';
import { archiveChoice, type ArchiveEnvironment } from '../../core/archive/contract';
import type { BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment } from '../../core/contract';
import { databaseName, isoTime, type OperationContract } from '../../core/runtime/contract';

export type RestoreEnvironment = BaseEnvironment &
  BillingDatabaseEnvironment &
  MainDatabaseEnvironment &
  ArchiveEnvironment;

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

export const restoreReport = z.strictObject({
  database: databaseName,
  slot: isoTime.describe('ISO time that names the archive.'),
  archivedAt: isoTime.describe('ISO time at which the archive was begun: the restored data is no older than this.'),
  targetDatabase: z.string().describe('Name of the database that was created.'),
  tables: z.int().describe('Tables that were restored.'),
  rows: z.int().describe('Rows that were restored.'),
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
    .describe('What the server did not take of the archived schema; the rest is restored.'),
  schemaDifferences: z
    .array(z.string())
    .readonly()
    .describe('Objects whose definition reads otherwise than in the archive, for a person to compare.'),
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

export const RESTORE_METRICS = {
  succeeded: 'RestoreSucceeded',
  failed: 'RestoreFailed',
  durationMs: 'RestoreDuration',
} as const;
