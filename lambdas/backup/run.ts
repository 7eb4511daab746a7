import { normaliseSlot, type Slot } from '../../core/archive/slot';
import { InvalidRequestError, OperationError } from '../../core/runtime/errors';
import type { ArchiveReport, BackupReport, BackupRequest, ProtectionReport } from './contract';
import { type BackupDependencies, createBackup } from './core';
import { awaitMigrationSnapshot, startMigrationSnapshot } from './migration-snapshot';
import { prolongNewest } from './prolong-lock';
import { checkProtection } from './protection';
import type { RdsInstance } from './rds-instance';

/** Clocks differ by less. An archive of a later time would be the latest one until that time has come. */
const SLOT_MAY_BE_AHEAD_MS = 60 * 60 * 1000;

export interface RunDependencies extends BackupDependencies {
  /** @default - the database is not on RDS */
  readonly instance: RdsInstance | undefined;
  /** Hours between two recovery points. */
  readonly frequencyHours: number;
  /** Told before the archive is begun, so that it is known also when that fails. */
  readonly onProtection: (protection: ProtectionReport) => void;
  /** Seconds that may be spent on waiting for a snapshot. */
  readonly remainingSeconds: () => number;
}

/**
 * One run of the backup function: looks at the tiers that RDS and AWS Backup keep, writes the archive, and before a
 * migration takes a snapshot of the instance as well.
 *
 * @throws InvalidRequestError for a slot in the future
 * @throws OperationError as {@link createBackup}, {@link startMigrationSnapshot} and {@link awaitMigrationSnapshot}
 * describe. Nothing may be migrated then.
 */
export async function runBackup(dependencies: RunDependencies, request: BackupRequest): Promise<BackupReport> {
  const { instance, log, now } = dependencies;
  const slot = normaliseSlot(request.slot ?? now());
  if (Date.parse(slot) > now().getTime() + SLOT_MAY_BE_AHEAD_MS) {
    throw new InvalidRequestError(
      `slot: ${slot} has not come yet, and its archive would hide all that are made until then`,
    );
  }
  const protection = await checkProtection(dependencies);
  dependencies.onProtection(protection);
  if (request.reason !== 'pre-migration') return { ...(await archive(dependencies, slot)), protection };
  if (!instance) {
    log.warn('The database is not on RDS: the archive is the only way back from this migration', { slot });
    return { ...(await archive(dependencies, slot)), protection };
  }
  // RDS works on it while the archive is written.
  const identifier = await startMigrationSnapshot(instance, request.database, slot);
  const report = await archive(dependencies, slot);
  const snapshot = await awaitMigrationSnapshot(instance, identifier, dependencies.remainingSeconds());
  return { ...report, protection, snapshot };
}

/** A run that makes no archive leaves the newest one as the last way back: its lock must not end meanwhile. */
async function archive(dependencies: RunDependencies, slot: Slot): Promise<ArchiveReport> {
  const { name } = dependencies.connector.target;
  let report: ArchiveReport;
  try {
    report = await createBackup(dependencies, slot);
  } catch (error) {
    // Without S3, asking it again only takes up time.
    if (!(error instanceof OperationError && error.code === 'store_unavailable')) {
      await prolongNewest(dependencies, name);
    }
    throw error;
  }
  if (report.outcome === 'exported' || report.outcome === 'already-exported') await prolongNewest(dependencies, name);
  return report;
}
