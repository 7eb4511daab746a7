import * as z from 'zod';
import type { ArchiveEnvironment } from '../../core/archive/contract';
import type { BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment } from '../../core/contract';
import { databaseLocation } from '../../core/database/contract';
import { type ErasureEnvironment, SWEPT_TABLE_NAMES } from '../../core/erasure/contract';
import { databaseName, dryRun, isoTime, type OperationContract } from '../../core/runtime/contract';

export type ErasureFunctionEnvironment = BaseEnvironment &
  BillingDatabaseEnvironment &
  MainDatabaseEnvironment &
  Pick<ArchiveEnvironment, 'ARCHIVE_BUCKET'> &
  ErasureEnvironment;

const identifier = z.string().min(1).max(500);
/** Nested, because the plain fields of a request are logged when it fails. */
const subject = z
  .union(
    [
      z.strictObject({
        customer: identifier.describe(
          'Id of a customer at Stripe, such as `cus_1`, or at Tilled, such as `tilled:cus_1`.',
        ),
      }),
      z.strictObject({ user: identifier.describe('Id of a user, as in the metadata at Stripe.') }),
    ],
    { error: 'expected {"customer": …} or {"user": …}' },
  )
  .describe('Whom: a customer, or a user with all customers of theirs.');
/** Whom a request is about. */
export type RequestedSubject = z.infer<typeof subject>;

const sweepPosition = z.strictObject({
  sweep: z.uuid().optional().describe('Of the first call: those who were erased later are left to another sweep.'),
  table: z.enum(SWEPT_TABLE_NAMES),
  after: z.array(z.string()).nullable(),
  seeker: z.uuid().optional().describe('Of a pass that looks for objects which were found before.'),
});

const eraseRequest = z.strictObject({
  action: z.literal('erase').describe('Erases a person from both databases, for good.'),
  subject,
  typed: z
    .strictObject({ confirm: z.string().describe('The id of the subject, typed by the operator who is responsible.') })
    .optional()
    .describe('Without it, the request reports what would be done and changes nothing.'),
  continueFrom: sweepPosition.optional().describe('Of the report before, which ran out of time. Default: the begin.'),
});

const exportRequest = z.strictObject({
  action: z.literal('export').describe('Answers with everything that both databases hold of a person, page by page.'),
  subject,
  next: z
    .strictObject({ part: z.int().min(0), offset: z.int().min(0) })
    .optional()
    .describe('Of the report before. Default: the begin.'),
});

export const replayRequest = z.strictObject({
  action: z
    .literal('replay')
    .describe('Erases everybody of the ledger from a database again, such as one that was restored.'),
  ...databaseLocation,
  dryRun,
  continueFrom: sweepPosition
    .nullable()
    .default(null)
    .describe('Of the report before, which was not `done`. Default: the begin.'),
});
export type ReplayRequest = z.infer<typeof replayRequest>;

export const erasureRequest = z.discriminatedUnion('action', [eraseRequest, exportRequest, replayRequest]);
export type ErasureRequest = z.infer<typeof erasureRequest>;

const counted = z.array(
  z.strictObject({ database: databaseName, table: z.string().describe('`schema.table`.'), rows: z.int() }),
);

export const eraseReport = z.strictObject({
  action: z.literal('erase'),
  dryRun: z.boolean().describe('`true` when nothing was changed.'),
  erasureId: z.string().nullable().describe('Id in the ledger of erasures; null in a dry run.'),
  customers: z.array(z.string()).describe('Ids of the customers at Stripe: they have to be deleted there as well.'),
  users: z.int().describe('Users of the application that are erased.'),
  emails: z.int().describe('Addresses by which purchases without a customer were looked for.'),
  sharedUsers: z
    .int()
    .describe('Users who have other customers as well, and therefore stay. Erase the user to include them.'),
  running: z
    .array(z.string())
    .describe(
      'Subscriptions that run, and accounts that are paid out to. A confirmed request is refused while there are any.',
    ),
  tables: counted.describe(
    'Rows that hold something of the person; after a confirmed request, rows that were reduced.',
  ),
  reportsDeleted: z.int().describe('Objects of row reports that were deleted: they hold rows as they were.'),
  otherDatabases: z
    .array(
      z.strictObject({
        database: databaseName.describe('What it was restored of, or probably was.'),
        targetDatabase: z.string().describe('Its name.'),
        toldApart: z
          .boolean()
          .describe(
            '`true`: its identity record is that of the live database. `false`: it has none, or could not be read, so it may be of another environment.',
          ),
      }),
    )
    .describe(
      'Other databases of this environment on the servers of both, which stay as they are: one that a restore made still has the person. Drop it, or ask for `replay` of it. Empty until the last call of a confirmed request.',
    ),
  hooks: z.int().describe('Columns of the main database that `erasure.main` of the configuration names.'),
  hookProblems: z
    .array(z.string())
    .describe(
      'What is wrong with `erasure.main` of the configuration. A confirmed request is refused while there is anything.',
    ),
  continueFrom: sweepPosition
    .nullable()
    .describe('Where the time ended: ask again with it. Null when everything is done.'),
});
export type EraseReport = z.infer<typeof eraseReport>;

export const exportReport = z.strictObject({
  action: z.literal('export'),
  exportedAt: isoTime.describe('ISO time of this page.'),
  rows: z.array(
    z.strictObject({
      database: databaseName,
      table: z.string().describe('`schema.table`.'),
      row: z.record(z.string(), z.unknown()).describe('By column.'),
    }),
  ),
  next: exportRequest.shape.next.unwrap().nullable().describe('Ask again with it; null after the last page.'),
});
export type ExportReport = z.infer<typeof exportReport>;

export const replayReport = z.strictObject({
  action: z.literal('replay'),
  database: databaseName,
  dryRun: z.boolean().describe('`true` when nothing was changed.'),
  erasures: z.int().describe('Entries of the ledger.'),
  tables: counted.describe('Rows that this call reduced; empty in a dry run.'),
  done: z
    .boolean()
    .describe(
      '`false`: ask again with `continueFrom`, also where it is null, until it is `true`; let no application use the database before. `true` in a dry run.',
    ),
  continueFrom: sweepPosition.nullable().describe('Where the time ended; null at the end of every table.'),
  migrated: z
    .array(z.string())
    .describe(
      'Migrations that were applied first, because in the database erasures did not reach every table yet; empty in a dry run.',
    ),
});
export type ReplayReport = z.infer<typeof replayReport>;

/** Erases people, keeps them erased, and answers what is stored of them. */
export const contract = {
  request: erasureRequest,
  report: z.discriminatedUnion('action', [eraseReport, exportReport, replayReport]),
  effect: { erase: 'changes', export: 'reads', replay: 'changes' },
} as const satisfies OperationContract;
