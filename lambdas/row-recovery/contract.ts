import * as z from 'zod';
import { archiveChoice, type ArchiveEnvironment } from '../../core/archive/contract';
import type { CacheEnvironment } from '../../core/cache/contract';
import type { BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment } from '../../core/contract';
import { databaseLocation } from '../../core/database/contract';
import type { ErasureEnvironment } from '../../core/erasure/contract';
import { databaseName, isoTime, type OperationContract } from '../../core/runtime/contract';

export type RowRecoveryEnvironment = BaseEnvironment &
  BillingDatabaseEnvironment &
  MainDatabaseEnvironment &
  ArchiveEnvironment &
  ErasureEnvironment &
  CacheEnvironment & {
    /** GiB of COPY text above which no archive is restored by one call. */
    readonly STREAMING_LIMIT_GIB: string;
  };

export const ROW_OPERATORS = ['=', '<>', '<', '<=', '>', '>=', 'in', 'like', 'is-null', 'is-not-null'] as const;
export type RowOperator = (typeof ROW_OPERATORS)[number];

/** Id of a report, such as `20261121T061500Z-1f0c9a3e`: sorts by time, and no two reports of a second share it. */
export const REPORT_ID = /^\d{8}T\d{6}Z-[0-9a-f]{8}$/;

const scalar = z.union([z.string(), z.number(), z.boolean()], { error: 'expected text, a number, true or false' });

const rowCondition = z.strictObject({
  table: z
    .string()
    .optional()
    .describe('`schema.table` that the condition is about. Default: every requested table; each must have the column.'),
  column: z.string().describe('Name of the column.'),
  operator: z.enum(ROW_OPERATORS).describe('Comparison.'),
  value: z
    .union([scalar, z.array(scalar).readonly()], {
      error: 'expected text, a number, true or false, or a list of these',
    })
    .optional()
    .describe('A list for `in`, absent for `is-null` and `is-not-null`.'),
});
/** One condition on the archived rows; several must all hold. Never SQL: values are compared as the column's type. */
export type RowCondition = Readonly<z.infer<typeof rowCondition>>;

const restoredInstance = z
  .strictObject({
    identifier: z
      .string()
      .regex(/^(?!.*--)[a-z][a-z0-9-]{0,61}[a-z0-9]$/, 'expected the identifier of an RDS instance, in lower case')
      .optional()
      .describe('Identifier of an RDS instance of the account and region of the live one.'),
    host: databaseLocation.host.describe('Host of a server, instead of an identifier.'),
    port: databaseLocation.port.describe('Port of the server. Default: that of the live database.'),
    targetDatabase: databaseLocation.targetDatabase.describe(
      'Database on the server, such as one that an archive was restored into. Default: the name of the live database.',
    ),
  })
  .superRefine(({ identifier, host, targetDatabase }, context) => {
    if (identifier !== undefined && host !== undefined) {
      context.addIssue({ code: 'custom', path: ['host'], message: 'leave it out, or the identifier' });
    }
    if (identifier === undefined && host === undefined && targetDatabase === undefined) {
      context.addIssue({
        code: 'custom',
        message: 'expected an identifier, a host, or a targetDatabase on the live server',
      });
    }
  });
/** A database that was restored from the live one, with the same credentials. */
export type RestoredInstance = Readonly<z.infer<typeof restoredInstance>>;

/** What rows are compared, whatever the live rows are compared with. */
const rowChoice = {
  tables: z.array(z.string()).min(1).readonly().describe('Names as `schema.table`.'),
  where: z
    .array(rowCondition)
    .readonly()
    .optional()
    .describe('Conditions on the former rows. Default: every row of the source.'),
};

const checkRequest = z.strictObject({
  action: z
    .literal('check')
    .describe(
      'Checks tables and conditions of a report against the live database, before an instance is restored for it.',
    ),
  database: databaseName,
  ...rowChoice,
});
export type RowRecoveryCheckRequest = Readonly<z.infer<typeof checkRequest>>;

const reportRequest = z
  .strictObject({
    action: z
      .literal('report')
      .describe('Finds rows that were deleted or changed since an archive, or a moment. Only reads live tables.'),
    ...archiveChoice,
    archive: archiveChoice.archive.optional().describe('The archive to compare with. Left out with `instance`.'),
    instance: restoredInstance
      .optional()
      .describe('Instead of an archive: a restored database, which is only read. Never the live one.'),
    ...rowChoice,
    continues: z
      .string()
      .regex(REPORT_ID, 'expected the id of a report, such as 20261121T061500Z-1f0c9a3e')
      .optional()
      .describe(
        'Report to continue, whose answer was not `complete`, with its `slot` as the archive or the same instance, and the same tables and conditions. Its rows become part of the new report. Default: the comparison begins.',
      ),
  })
  .superRefine(({ archive, instance, notAfter, manifestSha256, continues }, context) => {
    const refuse = (field: string, message: string) => {
      context.addIssue({ code: 'custom', path: [field], message });
    };
    if (instance === undefined && archive === undefined) refuse('archive', 'give an archive, or an instance');
    if (continues !== undefined && archive === 'latest') {
      refuse('continues', 'only together with the time of an archive: a newer one may be the latest by now');
    }
    if (instance === undefined) return;
    if (archive !== undefined) refuse('instance', 'leave it out, or the archive');
    if (notAfter !== undefined) refuse('notAfter', 'only together with an archive');
    if (manifestSha256 !== undefined) refuse('manifestSha256', 'only together with an archive');
  });
export type RowRecoveryReportRequest = Readonly<z.infer<typeof reportRequest>>;

const mergeRequest = z.strictObject({
  action: z
    .literal('merge')
    .describe(
      'Merges chosen rows of a report back, in one transaction; with an `offset`, a large report takes several calls, each of which is one. Rows that exist again are skipped, so asking twice changes nothing.',
    ),
  database: databaseName,
  reportId: z
    .string()
    .regex(REPORT_ID, 'expected the id of a report, such as 20261121T061500Z-1f0c9a3e')
    .describe('Id of the report.'),
  choose: z
    .union([z.literal('deleted'), z.array(z.string()).min(1).readonly()], {
      error: 'expected `deleted`, or a list of ids of the report',
    })
    .describe(
      '`deleted`: every row that is gone. Or ids of rows of the report: a changed row is set back only when its id is named, and never over a newer state of its object.',
    ),
  where: z
    .array(rowCondition)
    .readonly()
    .optional()
    .describe(
      'With `deleted`: conditions on the archived rows, such as one customer. Default: every row that is gone.',
    ),
  offset: z
    .int()
    .min(0)
    .optional()
    .describe(
      'With `deleted`: 0, or the `next` of the call that this one continues. Default: one call merges all rows, whatever their number.',
    ),
  confirm: z
    .string()
    .optional()
    .describe('The name of the database, typed by the operator who is responsible. Without it, nothing is written.'),
});
export type RowRecoveryMergeRequest = Readonly<z.infer<typeof mergeRequest>>;

const rowKind = z.enum(['deleted', 'changed']);

const showRequest = z.strictObject({
  action: z.literal('show').describe('Lists rows of a report, in its order, with their archived and live values.'),
  database: databaseName,
  reportId: mergeRequest.shape.reportId,
  table: z.string().optional().describe('Only rows of this `schema.table`. Default: all.'),
  kind: rowKind.optional().describe('Only rows that are gone, or only rows that changed. Default: both.'),
  match: z
    .array(
      z.strictObject({ column: z.string().describe('Name.'), value: z.string().describe('As PostgreSQL writes it.') }),
    )
    .readonly()
    .optional()
    .describe('Only rows whose archived columns have these values. Default: all.'),
  idsOnly: z.boolean().default(false).describe('Answers ids without values. Default: with values.'),
  offset: z.int().min(0).default(0).describe('Matching rows to leave out first. Default: 0.'),
  limit: z.int().min(1).max(20_000).default(100).describe('Rows to list at most. Default: 100.'),
});
export type RowRecoveryShowRequest = Readonly<z.infer<typeof showRequest>>;

export const rowRecoveryRequest = z.discriminatedUnion('action', [
  checkRequest,
  reportRequest,
  mergeRequest,
  showRequest,
]);
export type RowRecoveryRequest =
  | RowRecoveryCheckRequest
  | RowRecoveryReportRequest
  | RowRecoveryMergeRequest
  | RowRecoveryShowRequest;

/** What became of an archived row: it is gone from the live table, or the live row is another now. */
export type RowDifference = 'deleted' | 'changed';

const tableDifferences = z.strictObject({
  table: z.string().describe('`schema.table`.'),
  compared: z.int().describe('Former rows that met the conditions.'),
  deleted: z.int().describe('Rows that are gone from the live table.'),
  changed: z.int().describe('Rows whose live values differ.'),
});
export type TableDifferences = Readonly<z.infer<typeof tableDifferences>>;

const REPORT_FIELDS = {
  reportId: z.string().describe('Id of the report, for a merge.'),
  database: databaseName,
};

const migrationFailed = z
  .string()
  .optional()
  .describe(
    'Why the former rows are of the schema before a migration: it failed on an older archive, or an instance lacks it. Default: they are of the present schema.',
  );

export const rowRecoveryReport = z.strictObject({
  ...REPORT_FIELDS,
  slot: isoTime.nullable().describe('ISO time that names the archive; null of an instance.'),
  instance: z.string().nullable().describe('Server and database that were compared with; null of an archive.'),
  createdAt: isoTime.describe('ISO time of the comparison.'),
  tables: z.array(tableDifferences).readonly().describe('In the order of merging: parents before children.'),
  deleted: z.int().describe('Rows that are gone, of all tables.'),
  changed: z.int().describe('Rows whose live values differ, of all tables.'),
  related: z
    .array(z.string())
    .readonly()
    .describe(
      'Tables that were not requested but belong to these rows: their parents, and children that are deleted along with them. Request them too, unless they are known to be whole.',
    ),
  rowsKey: z.string().describe('Key of the rows in the archive bucket, one JSON object a line.'),
  complete: z
    .boolean()
    .describe(
      '`false`: the tables are too large for one call. This report has the rows found so far; another call `continues` it.',
    ),
  firstIds: z
    .array(z.string())
    .readonly()
    .describe('Ids of the first rows, to choose from; the object at `rowsKey` has all.'),
  migrationFailed,
});
/** A report in short. The rows themselves are in the bucket, one JSON object a line. */
export type RowRecoveryReport = Readonly<z.infer<typeof rowRecoveryReport>>;

const tableMerge = z.strictObject({
  table: z.string().describe('`schema.table`.'),
  inserted: z.int().describe('Deleted rows that were inserted again.'),
  updated: z.int().describe('Changed rows that were set back.'),
  skipped: z.int().describe('Rows that exist already: as archived, or created anew, which are left alone.'),
});
export type TableMerge = Readonly<z.infer<typeof tableMerge>>;

export const rowRecoveryMergeReport = z.strictObject({
  ...REPORT_FIELDS,
  dryRun: z.boolean().describe('`true` when nothing was written.'),
  tables: z.array(tableMerge).readonly().describe('By table, parents before children.'),
  inserted: z.int().describe('Deleted rows that were inserted again, of all tables.'),
  updated: z.int().describe('Changed rows that were set back, of all tables.'),
  skipped: z.int().describe('Rows that exist already, of all tables.'),
  conflicts: z
    .array(z.string())
    .readonly()
    .describe(
      'Rows that were changed or deleted since the report, or whose live state is newer than the archived one, at most 20. A confirmed merge refuses them.',
    ),
  migrationFailed,
  next: z
    .int()
    .nullable()
    .describe(
      '`offset` of the call that continues, where the report has more rows than one transaction takes; null after the last. What is above is of this call alone.',
    ),
  entitlementsChanged: z
    .int()
    .describe(
      'Users whose entitlements in a project changed, because they were computed again from the merged rows; 0 in a dry run. Merged rules apply to later changes only: recompute the scope `all` by the function `entitlements` after merging any.',
    ),
});
/** What a merge did; in a dry run, what it would do. */
export type RowRecoveryMergeReport = Readonly<z.infer<typeof rowRecoveryMergeReport>>;

const rowValues = z.record(z.string(), z.string().nullable());

export const rowRecoveryShowReport = z.strictObject({
  ...REPORT_FIELDS,
  total: z.int().describe('Rows of the report that match.'),
  rows: z.array(
    z.strictObject({
      id: z.string().describe('`schema.table:key`, for a merge.'),
      kind: rowKind,
      archived: rowValues.nullable().describe('By column; null with `idsOnly`.'),
      live: rowValues.nullable().describe('By column, only those that differ; null for a deleted row.'),
    }),
  ),
  complete: z.boolean().describe('`false` where more match: ask again with a greater `offset`.'),
});
/** Rows of a report. */
export type RowRecoveryShowReport = Readonly<z.infer<typeof rowRecoveryShowReport>>;

export const rowRecoveryCheckReport = z.strictObject({
  database: databaseName,
  checked: z.array(z.string()).readonly().describe('Tables whose rows can be compared, parents before children.'),
  related: rowRecoveryReport.shape.related,
});
/** Tables that a report may name. */
export type RowRecoveryCheckReport = Readonly<z.infer<typeof rowRecoveryCheckReport>>;

/** Finds rows that were lost since an archive or a moment, and merges chosen ones back. */
export const contract = {
  request: rowRecoveryRequest,
  report: z.union([rowRecoveryReport, rowRecoveryMergeReport, rowRecoveryShowReport, rowRecoveryCheckReport]),
  effect: { check: 'reads', report: 'adds', merge: 'changes', show: 'reads' },
} as const satisfies OperationContract;

export { ROW_RECOVERY_PREFIX } from '../../core/archive/contract';

export const ROW_RECOVERY_METRICS = {
  succeeded: 'RowRecoverySucceeded',
  failed: 'RowRecoveryFailed',
  /** Rows that confirmed merges brought back. */
  mergedRows: 'RowRecoveryMergedRows',
} as const;
