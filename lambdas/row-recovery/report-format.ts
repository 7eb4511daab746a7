import * as z from 'zod';
import { normaliseSlot, slotToKey } from '../../core/archive/slot';
import { DATABASE_NAMES, type DatabaseName } from '../../core/contract';
import { REPORT_ID, ROW_RECOVERY_PREFIX, ROW_OPERATORS } from './contract';

export function reportIdOf(createdAt: Date, random: string): string {
  return `${slotToKey(normaliseSlot(createdAt))}-${random}`;
}

function folder(database: DatabaseName, reportId: string): string {
  return `${ROW_RECOVERY_PREFIX}${database}/${reportId}/`;
}

/** One JSON object per line, so that the usual tools can read, filter and choose rows. */
export function rowsKey(database: DatabaseName, reportId: string): string {
  return `${folder(database, reportId)}rows.jsonl`;
}

/** Written last: without it there is no report. */
export function summaryKey(database: DatabaseName, reportId: string): string {
  return `${folder(database, reportId)}summary.json`;
}

/** Values as PostgreSQL writes them, by column: exact for every type, where JSON's numbers are not. */
const values = z.record(z.string(), z.string().nullable());

/** One row of a report. */
export const rowSchema = z.object({
  /** `schema.table:key`, with a JSON array for a key of several columns. */
  id: z.string(),
  table: z.string(),
  kind: z.enum(['deleted', 'changed']),
  archived: values,
  /** Values of the live row; null when it was deleted. */
  live: values.nullable(),
  /** SHA-256 of the live row, by which a merge sees whether it has changed again. */
  liveSha256: z.string().nullable(),
});

export type ReportedRow = z.infer<typeof rowSchema>;

const count = z.int().nonnegative();

const conditionSchema = z.object({
  table: z.string().optional(),
  column: z.string(),
  operator: z.enum(ROW_OPERATORS),
  value: z.unknown().optional(),
});

/** Where another call continues: in a table, before a part of the archive, or after a key of the instance. */
const placeSchema = z.object({
  /** `schema.table`. */
  table: z.string(),
  /** Of an archive: number of the next part, from 0. */
  part: count.optional(),
  /** Of an instance: the key of the last row, as text. */
  after: z.array(z.string()).optional(),
});
export type ComparisonPlace = Readonly<z.infer<typeof placeSchema>>;

export const summarySchema = z.object({
  format: z.literal('billing-operations-row-report'),
  version: z.literal(1),
  reportId: z.string().regex(REPORT_ID),
  database: z.enum(DATABASE_NAMES),
  /** Of the archive; null of an instance. */
  slot: z.string().nullable(),
  /** Server and database of an instance. Reports of before there were others have none. */
  instance: z.string().nullable().default(null),
  createdAt: z.iso.datetime(),
  /** Erasures of the ledger whose people it leaves out. Reports of before this was stored say none. */
  erasures: count.default(0),
  where: z.array(conditionSchema),
  tables: z.array(
    z.object({
      schema: z.string(),
      name: z.string(),
      /** In the order of {@link ReportedRow.archived}; without generated columns. */
      columns: z.array(z.string()),
      compared: count,
      deleted: count,
      changed: count,
    }),
  ),
  deleted: count,
  changed: count,
  related: z.array(z.string()),
  /** Where the comparison continues; null when everything was compared. */
  next: placeSchema.nullable().default(null),
  /** The migration before which the rows are: one that failed on an archive, or that an instance lacks; null of the present schema. */
  migrationFailed: z.string().nullable().default(null),
  /** Of the object with the rows. */
  rowsSha256: z.string(),
  rowsBytes: count,
});

export type ReportSummary = z.infer<typeof summarySchema>;
