import type {
  BaseEnvironment,
  BillingDatabaseEnvironment,
  DatabaseName,
  MainDatabaseEnvironment,
} from '../../core/contract';

export interface DrillEnvironment extends BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment {
  readonly ARCHIVE_BUCKET: string;
  /** Minutes in which a restored billing database must be verified and ready. */
  readonly BILLING_RESTORE_TARGET_MINUTES: string;
  /** Minutes in which a restored main database must be verified and ready. */
  readonly MAIN_RESTORE_TARGET_MINUTES: string;
}

/** Asks for a drill: the newest archive, into a scratch database, verified, timed, and dropped again. */
export interface DrillRequest {
  readonly database: DatabaseName;
}

/**
 * How a drill ended. `slow`: the restore is sound, but took longer than the target, or would at the live database's
 * size. `interrupted`: the function was killed; the next drill found what it had left behind.
 */
export type DrillOutcome = 'passed' | 'slow' | 'failed' | 'interrupted';

/** What a drill leaves on record, in the bucket and in the database. A field that was not reached is null. */
export interface DrillRecord {
  readonly database: DatabaseName;
  /** ISO time at which it began; names the record. */
  readonly startedAt: string;
  readonly outcome: DrillOutcome;
  /** ISO time that names the archive. */
  readonly slot: string | null;
  readonly tables: number | null;
  readonly rows: number | null;
  /** From the request to a verified database. */
  readonly durationMs: number | null;
  /** Bytes of the restored database, with its indexes. */
  readonly restoredBytes: number | null;
  readonly bytesPerSecond: number | null;
  /** Bytes of the live database at the time of the drill. */
  readonly liveBytes: number | null;
  /** How long the restore would take at the live database's size and this drill's rate. */
  readonly projectedMs: number | null;
  readonly targetMs: number;
  /** The longer of duration and projection, in percent of the target. */
  readonly targetPercent: number | null;
  /** Code and message of what made it fail. */
  readonly error: string | null;
}

/** Folder of the records in the archive bucket: `drills/<database>/<time>.json`. The function writes nowhere else. */
export const DRILL_PREFIX = 'drills/';

export const DRILL_METRICS = {
  /** A drill that restored and verified its archive, also a slow one. */
  succeeded: 'DrillSucceeded',
  failed: 'DrillFailed',
  durationMs: 'DrillDuration',
  /** Above 100, the restore target would be missed. */
  targetPercent: 'DrillTargetPercent',
} as const;
