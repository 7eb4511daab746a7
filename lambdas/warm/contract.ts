import * as z from 'zod';
import type { BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment } from '../../core/contract';
import { databaseName, type OperationContract } from '../../core/runtime/contract';
import { databaseLocation } from '../../core/database/contract';

export interface WarmEnvironment extends BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment {}

const relationKind = z.enum(['table', 'index']);

export const warmPosition = z.strictObject({
  kind: relationKind,
  oid: z.int().positive().describe('Object id of the table or index; they are read in the order of these.'),
  page: z.int().nonnegative().describe('First page that is not read yet.'),
  chunkPages: z
    .int()
    .positive()
    .describe('Pages to read with one statement: fewer after a whole call was too short for one statement.'),
});
/** Place from which the next call continues. */
export type WarmPosition = Readonly<z.infer<typeof warmPosition>>;

/**
 * Asks to read every value of every table once, and every index where the server has `pg_prewarm`. A recovered instance
 * loads its disk lazily: until it is warm, its first queries wait. Warming also finds pages that cannot be read. It takes
 * as long as the disk does; a call stops in time, and the next one continues from `continueFrom` of its answer.
 */
export const warmRequest = z.strictObject({
  ...databaseLocation,
  continueFrom: warmPosition.nullish().describe('`continueFrom` of the previous answer. Default: from the beginning.'),
  stopAtMs: z
    .int()
    .positive()
    .optional()
    .describe('Milliseconds since 1970 at which the call stops reading. Default: as long as the function may run.'),
});
export type WarmRequest = Readonly<z.infer<typeof warmRequest>>;

const unreadableRelation = z.strictObject({
  kind: relationKind,
  name: z.string().describe('`schema.name`.'),
  message: z.string().describe('Why it cannot be read.'),
});
/** A table or index that cannot be read, and why. */
export type UnreadableRelation = Readonly<z.infer<typeof unreadableRelation>>;

export const warmReport = z.strictObject({
  database: databaseName,
  host: z.string().describe('The server that was read.'),
  targetDatabase: z.string().describe('The database on it.'),
  done: z.boolean().describe('`true` when everything was read, skipped, or reported in `unreadable`.'),
  continueFrom: warmPosition.nullable().describe('Place from which the next call continues; null when `done`.'),
  unreadable: z
    .array(unreadableRelation)
    .readonly()
    .describe('Tables and indexes that cannot be read, each named once; the rest of such a relation is not read.'),
  skippedPages: z
    .array(z.string())
    .readonly()
    .describe('Pages whose values took longer than a whole call, as `schema.table page n`. They stay cold.'),
  includesIndexes: z
    .boolean()
    .describe('Whether indexes are warmed too, by the extension pg_prewarm, which the migrations create if available.'),
  bytesRead: z
    .number()
    .describe(
      'Bytes of the pages of tables and indexes that this call read; values stored beside their pages are not counted.',
    ),
  bytesLeft: z.number().describe('Bytes of the pages that are left to the next call.'),
  durationMs: z.number().describe('Milliseconds of this invocation.'),
});
/** What one call has read, and what is left. */
export type WarmReport = Readonly<z.infer<typeof warmReport>>;

/** Reads a database once, so that its disk is loaded. */
export const contract = {
  request: warmRequest,
  report: warmReport,
  effect: 'reads',
} as const satisfies OperationContract;
