import type { DatabaseName } from '../contract';

export interface RestoreRequest {
  readonly database: DatabaseName;
  /** Slot of the archive (its ISO time), or `latest`. */
  readonly archive: string;
  /**
   * With `latest`: the newest archive that was finished by this ISO time. Archives are hours apart; for the exact second
   * have RDS restore the instance to that time. @default now
   */
  readonly notAfter?: string;
  /** Name of the database to create on the same server. Refused when it exists: a restore never overwrites. */
  readonly targetDatabase: string;
  /** What becomes of the restored database once its report is made: `keep` it, or `drop` it (a drill). */
  readonly afterwards: 'keep' | 'drop';
}

/** What was restored and proven. */
export interface RestoreReport {
  readonly database: DatabaseName;
  /** ISO time that names the archive. */
  readonly slot: string;
  /** ISO time at which the archive was begun: the restored data is no older than this. */
  readonly archivedAt: string;
  readonly targetDatabase: string;
  readonly tables: number;
  readonly rows: number;
  /** Foreign keys that were checked against every row. */
  readonly foreignKeysValidated: number;
  readonly sequencesRestored: number;
  /** Rules of the domain that hold. */
  readonly invariantsChecked: number;
  /** Migrations that were applied after loading, because the archive's schema was older than the code. */
  readonly migratedForward: readonly string[];
  readonly durationMs: number;
  /** False when the restored database was dropped afterwards. */
  readonly kept: boolean;
}
