import * as z from 'zod';
import type {
  BaseEnvironment,
  BillingDatabaseEnvironment,
  DatabaseName,
  MainDatabaseEnvironment,
} from '../../core/contract';
import { databaseLocation } from '../../core/database/contract';

export interface VerifyEnvironment extends BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment {}

/** Asks for proof that a database is sound where it is. Nothing in it is changed. */
export const verifyRequest = z.strictObject(databaseLocation);

export type VerifyRequest = z.input<typeof verifyRequest>;

/** A thing that is wrong, and what to do about it. */
export interface VerifyProblem {
  readonly check: 'schema' | 'tables' | 'foreign-keys' | 'sequences' | 'invariants';
  readonly message: string;
}

export interface VerifyReport {
  readonly database: DatabaseName;
  readonly host: string;
  readonly targetDatabase: string;
  /** True when nothing is wrong of all that was checked; see `notChecked`. */
  readonly sound: boolean;
  readonly problems: readonly VerifyProblem[];
  /** Checks that time did not suffice for, by name. They say nothing, neither good nor bad. */
  readonly notChecked: readonly string[];
  /** The last applied migration. */
  readonly schemaVersion: string | null;
  /** Migrations that this code carries and the database lacks. Invariants are checked only when there are none. */
  readonly pendingMigrations: readonly string[];
  readonly tables: number;
  /** Foreign keys that were checked against every row. */
  readonly foreignKeysChecked: number;
  /** Sequences that were compared with the column that they feed. */
  readonly sequencesChecked: number;
  readonly invariantsChecked: number;
  /** ISO time of the newest event that the database has seen; null where it keeps none. */
  readonly newestAt: string | null;
  /** Seconds from then until now: what a restored database has to catch up on. */
  readonly ageSeconds: number | null;
  readonly durationMs: number;
}

export const VERIFY_METRICS = {
  /** Databases found sound. */
  succeeded: 'VerifySucceeded',
  /** Databases found unsound, or that could not be verified. */
  failed: 'VerifyFailed',
  durationMs: 'VerifyDuration',
} as const;
