import type {
  BaseEnvironment,
  BillingDatabaseEnvironment,
  DatabaseName,
  MainDatabaseEnvironment,
} from '../../core/contract';

export interface VerifyEnvironment extends BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment {}

/** Which database is meant, where it is not the configured one. */
export interface VerifySubject {
  readonly database: DatabaseName;
  /** Another database on the server, such as a restored one. @default the configured database */
  readonly targetDatabase?: string;
  /** Another server with the same credentials, such as a recovered instance. @default the configured host */
  readonly host?: string;
  /** @default the configured port */
  readonly port?: number;
}

/** Asks for proof that a database is sound where it is. Nothing in it is changed. */
export interface VerifyRequest extends VerifySubject {
  /** @default verify */
  readonly action?: 'verify';
}

/**
 * Asks to read every value of every table once. A recovered instance loads its disk lazily: without it, the first
 * customers wait. It also finds pages that cannot be read. Takes as long as the disk does; one call stops in time, and
 * says where the next goes on.
 */
export interface WarmRequest extends VerifySubject {
  readonly action: 'warm';
  /** `next` of the call before. @default from the beginning */
  readonly after?: WarmPosition | null;
  /** Milliseconds since 1970 after which nothing more is read. @default as long as the function may run */
  readonly until?: number;
}

/** Where warming goes on. */
export interface WarmPosition {
  readonly kind: 'table' | 'index';
  /** Object id of the table or index, in whose order they are read. */
  readonly oid: number;
  /** First page that is not read yet. */
  readonly page: number;
  /** Pages to read at once: fewer where a whole call was not enough for what they hold. */
  readonly pages: number;
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

/** What one call has warmed, and what is left. */
export interface WarmReport {
  readonly database: DatabaseName;
  readonly host: string;
  readonly targetDatabase: string;
  /** Everything was read, or skipped, or is named in `problems`. */
  readonly done: boolean;
  /** For `after` of the next call; null when everything was read. */
  readonly next: WarmPosition | null;
  /** Tables that cannot be read. Nothing more of them is read. */
  readonly problems: readonly VerifyProblem[];
  /** Pages for whose values a whole call was not enough, as `schema.table page n`. They stay cold. */
  readonly skipped: readonly string[];
  /** Whether indexes are warmed too: by the extension pg_prewarm, which the migrations create where the server has it. */
  readonly indexes: boolean;
  /** Bytes of the pages of tables and indexes that this call has read; values stored beside their pages come on top. */
  readonly bytesRead: number;
  readonly bytesLeft: number;
  readonly durationMs: number;
}

export const VERIFY_METRICS = {
  /** Databases found sound. */
  succeeded: 'VerifySucceeded',
  /** Databases found unsound, or that could not be verified. */
  failed: 'VerifyFailed',
  durationMs: 'VerifyDuration',
} as const;
