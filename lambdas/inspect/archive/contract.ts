import * as z from 'zod';
import { signatureState } from '../../../core/archive/contract';
import { databaseName, isoTime } from '../../../core/runtime/contract';
import { limit } from '../database/contract';

const archiveRow = z.strictObject({
  slot: isoTime.describe('ISO time that names the archive.'),
  finishedAt: isoTime,
  schemaVersion: z.string().nullable().describe('The last migration, of another tool where it has a record.'),
  tables: z.int(),
  rows: z.int(),
  bytes: z.number().describe('Bytes of COPY text.'),
  compressedBytes: z.number().describe('Bytes in S3.'),
  durationMs: z.number(),
  recoveryPoint: z
    .strictObject({ snapshot: z.string(), takenAt: isoTime })
    .nullable()
    .describe(
      'Snapshot that the rows are from, and its moment. Null: the rows are of the time at which the archive was made.',
    ),
  signature: signatureState,
  manifestSha256: z.string().describe('SHA-256 of the manifest.'),
});

/** What one archive holds. */
export const archive = {
  request: z.strictObject({
    action: z.literal('archive').describe('Answers what an archive holds.'),
    database: databaseName,
    slot: z.union([z.literal('latest'), isoTime]).describe('ISO time that names the archive, or `latest`.'),
  }),
  report: z.strictObject({
    action: z.literal('archive'),
    database: databaseName,
    archive: archiveRow
      .extend({
        startedAt: isoTime,
        serverVersion: z.string(),
        objects: z.int().describe('Objects in S3 that it consists of.'),
        contents: z.array(z.strictObject({ table: z.string(), rows: z.int(), bytes: z.number() })),
      })
      .nullable()
      .describe('Null when there is no complete archive of the name.'),
  }),
};

/** The archives of a database. */
export const archives = {
  request: z.strictObject({
    action: z.literal('archives').describe('Lists the archives of a database, the newest first.'),
    database: databaseName,
    limit,
  }),
  report: z.strictObject({
    action: z.literal('archives'),
    database: databaseName,
    archives: z.array(archiveRow),
    incomplete: z.array(isoTime).describe('Slots that have objects but no manifest: running or failed backups.'),
    unreadable: z
      .array(z.strictObject({ slot: isoTime, problem: z.string() }))
      .describe('Slots whose manifest cannot be read, and why.'),
  }),
};

const comparedArchive = z.strictObject({
  slot: isoTime,
  schemaVersion: archiveRow.shape.schemaVersion,
});

/** What differs between the schemas of two archives. */
export const schemaChanges = {
  request: z.strictObject({
    action: z
      .literal('schema-changes')
      .describe('Compares the schemas of two archives of a database, object by object, without any database.'),
    database: databaseName,
    from: isoTime.optional().describe('ISO time that names the earlier archive. Default: the one before `to`.'),
    to: isoTime.optional().describe('ISO time that names the later archive. Default: the newest one.'),
  }),
  report: z.strictObject({
    action: z.literal('schema-changes'),
    database: databaseName,
    from: comparedArchive,
    to: comparedArchive,
    recorded: z.boolean().describe('Whether the records of migrations differ, by which the change is known.'),
    total: z.int().describe('Objects that differ, also those beyond the first 1,000, which are listed.'),
    changes: z.array(
      z.strictObject({
        change: z.enum(['added', 'removed', 'changed']),
        object: z.string().describe('Kind and name, such as `TABLE app.orders` or `ACL of TABLE app.orders`.'),
        lines: z
          .array(z.string())
          .describe(
            'Lines of SQL that only the earlier (`-`) or only the later (`+`) archive has, cut at 300 characters.',
          ),
        linesLeftOut: z.int().describe('Further such lines: a report has at most 5,000.'),
      }),
    ),
  }),
};

/** Restores that were made as a test. */
export const drills = {
  request: z.strictObject({
    action: z.literal('drills').describe('Lists the restore drills of a database, the newest first.'),
    database: databaseName,
    limit,
  }),
  report: z.strictObject({
    action: z.literal('drills'),
    database: databaseName,
    drills: z.array(
      z.strictObject({
        startedAt: isoTime,
        outcome: z.string().describe('As in the record of a drill.'),
        slot: isoTime.nullable(),
        rows: z.int().nullable(),
        durationMs: z.number().nullable(),
        targetMs: z.number(),
        error: z
          .string()
          .nullable()
          .describe('What ended the drill; of one that passed or was slow, what it did not restore as archived.'),
      }),
    ),
  }),
};
