import * as z from 'zod';
import type {
  BaseEnvironment,
  BillingDatabaseEnvironment,
  DatabaseName,
  MainDatabaseEnvironment,
} from '../../core/contract';
import { databaseLocation } from '../../core/database/contract';

export interface WarmEnvironment extends BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment {}

/** Place from which the next call continues. */
export const warmPosition = z.strictObject(
  {
    kind: z.enum(['table', 'index']),
    /** Object id of the table or index; they are read in the order of these. */
    oid: z.int().positive(),
    /** First page that is not read yet. */
    page: z.int().nonnegative(),
    /** Pages to read with one statement: fewer after a whole call was too short for one statement. */
    chunkPages: z.int().positive(),
  },
  { error: '`continueFrom` of the previous answer' },
);

export type WarmPosition = z.infer<typeof warmPosition>;

/**
 * Asks to read every value of every table once, and every index where the server has `pg_prewarm`. A recovered instance
 * loads its disk lazily: until it is warm, its first queries wait. Warming also finds pages that cannot be read. It takes
 * as long as the disk does; a call stops in time, and the next one continues from `continueFrom` of its answer.
 */
export const warmRequest = z.strictObject({
  ...databaseLocation,
  /** `continueFrom` of the previous answer. @default from the beginning */
  continueFrom: warmPosition.nullish(),
  /** Milliseconds since 1970 at which the call stops reading. @default as long as the function may run */
  stopAtMs: z.int().positive('milliseconds since 1970').optional(),
});

export type WarmRequest = z.input<typeof warmRequest>;

/** A table or index that cannot be read, and why. */
export interface UnreadableRelation {
  readonly kind: WarmPosition['kind'];
  /** `schema.name` */
  readonly name: string;
  readonly message: string;
}

/** What one call has read, and what is left. */
export interface WarmReport {
  readonly database: DatabaseName;
  readonly host: string;
  readonly targetDatabase: string;
  /** True when everything was read, skipped, or reported in `unreadable`. */
  readonly done: boolean;
  /** Place from which the next call continues; null when `done`. */
  readonly continueFrom: WarmPosition | null;
  /** Tables and indexes that cannot be read, each named once; the rest of such a relation is not read. */
  readonly unreadable: readonly UnreadableRelation[];
  /** Pages whose values took longer than a whole call, as `schema.table page n`. They stay cold. */
  readonly skippedPages: readonly string[];
  /** Whether indexes are warmed too: by the extension pg_prewarm, which the migrations create where the server has it. */
  readonly includesIndexes: boolean;
  /** Bytes of the pages of tables and indexes that this call read; values stored beside their pages are not counted. */
  readonly bytesRead: number;
  readonly bytesLeft: number;
  readonly durationMs: number;
}
