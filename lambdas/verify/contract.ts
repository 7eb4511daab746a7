import type {
  BaseEnvironment,
  BillingDatabaseEnvironment,
  DatabaseName,
  MainDatabaseEnvironment,
} from '../shared/contract';

export interface VerifyEnvironment extends BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment {}

/** Asks for proof that a database is sound where it is. Nothing in it is changed. */
export interface VerifyRequest {
  readonly database: DatabaseName;
  /** Another database on the server, such as a restored one. @default the configured database */
  readonly targetDatabase?: string;
  /** Another server with the same credentials, such as a recovered instance. @default the configured host */
  readonly host?: string;
  /** @default the configured port */
  readonly port?: number;
  /**
   * Read every value of every table once. A recovered instance loads its disk lazily: without it, the first customers
   * wait. It also finds pages that cannot be read. @default false
   */
  readonly warm?: boolean;
}

/** A thing that is wrong, and what to do about it. */
export interface VerifyProblem {
  readonly check: 'schema' | 'tables' | 'foreign-keys' | 'sequences' | 'invariants';
  readonly message: string;
}

export interface VerifyReport {
  readonly database: DatabaseName;
  readonly host: string;
  readonly targetDatabase: string;
  /** True when nothing is wrong. */
  readonly sound: boolean;
  readonly problems: readonly VerifyProblem[];
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
  /** Rows that were read to warm the database; null when that was not asked for. */
  readonly warmedRows: number | null;
  readonly durationMs: number;
}

export const VERIFY_METRICS = {
  /** Databases found sound. */
  succeeded: 'VerifySucceeded',
  /** Databases found unsound, or that could not be verified. */
  failed: 'VerifyFailed',
  durationMs: 'VerifyDuration',
} as const;
