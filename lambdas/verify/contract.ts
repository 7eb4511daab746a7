import * as z from 'zod';
import type { BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment } from '../../core/contract';
import { databaseName, isoTime, type OperationContract } from '../../core/runtime/contract';
import { databaseLocation } from '../../core/database/contract';

export interface VerifyEnvironment extends BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment {}

export const verifyRequest = z.strictObject(databaseLocation);
/** Asks for proof that a database is sound where it is. Nothing in it is changed. */
export type VerifyRequest = Readonly<z.infer<typeof verifyRequest>>;

const verifyProblem = z.strictObject({
  check: z.enum(['privileges', 'schema', 'tables', 'foreign-keys', 'sequences', 'invariants']),
  message: z.string().describe('What is wrong, and what to do about it.'),
});
export type VerifyProblem = Readonly<z.infer<typeof verifyProblem>>;

export const verifyReport = z.strictObject({
  database: databaseName,
  host: z.string().describe('The server that was looked at.'),
  targetDatabase: z.string().describe('The database on it.'),
  sound: z.boolean().describe('`true` when every check that was made passed; see `notChecked`.'),
  problems: z.array(verifyProblem).readonly().describe('What is wrong.'),
  warnings: z
    .array(z.string())
    .readonly()
    .describe('What does not make the database unsound, with what to do: extensions that a restore may not make.'),
  notChecked: z
    .array(z.string())
    .readonly()
    .describe('Names of checks for which the time did not suffice. They prove nothing either way.'),
  schemaVersion: z.string().nullable().describe('The last applied migration.'),
  pendingMigrations: z
    .array(z.string())
    .readonly()
    .describe('Migrations of this code that the database lacks. Invariants are checked only when there are none.'),
  tables: z.int().describe('Tables that were read.'),
  foreignKeysChecked: z.int().describe('Foreign keys that were checked against every row.'),
  sequencesChecked: z.int().describe('Sequences that were compared with the column that they feed.'),
  invariantsChecked: z.int().describe('Rules of the domain that were checked.'),
  newestAt: isoTime.nullable().describe('ISO time of the newest event in the database; null where it keeps none.'),
  ageSeconds: z.number().nullable().describe('Seconds since then: what a restored database has to catch up on.'),
  durationMs: z.number().describe('Milliseconds of this invocation.'),
});
export type VerifyReport = Readonly<z.infer<typeof verifyReport>>;

/** Verifies a database. An unsound database is an answer, not an error. */
export const contract = {
  request: verifyRequest,
  report: verifyReport,
  effect: 'reads',
} as const satisfies OperationContract;

export const VERIFY_METRICS = {
  /** Databases found sound. */
  succeeded: 'VerifySucceeded',
  /** Databases found unsound, or that could not be verified. */
  failed: 'VerifyFailed',
  durationMs: 'VerifyDuration',
} as const;
