import { normaliseSlot, type Slot } from '../../core/archive/slot';
import { InvalidRequestError, OperationError } from '../../core/runtime/errors';
import { archiveDatabase, type ArchiveOrExportDependencies } from './archive-database';
import type { ArchiveReport, BackupReport, BackupRequest, ProtectionReport } from './contract';
import { extendNewestLock } from './extend-lock';
import { awaitMigrationSnapshot, startMigrationSnapshot } from './migration-snapshot';
import { checkProtection } from './protection';
import type { RdsInstance } from './rds-instance';

/** Clocks differ by less. An archive of a later time would be the latest one until that time has come. */
const MAX_SLOT_AHEAD_MS = 60 * 60 * 1000;

export interface BackupDependencies extends ArchiveOrExportDependencies {
  /** @default the database is not on RDS */
  readonly instance: RdsInstance | undefined;
  /** Hours between two recovery points. */
  readonly frequencyHours: number | undefined;
  /** Called before the archive is begun, so that the state of protection is published even if the archive fails. */
  readonly onProtection: (protection: ProtectionReport) => void;
  /** Seconds that may be spent on waiting for a snapshot. */
  readonly remainingSeconds: () => number;
}

/**
 * One run of the backup function: checks the tiers that RDS and AWS Backup keep, writes the archive, and before a
 * migration takes a snapshot of the instance as well.
 *
 * @throws InvalidRequestError for a slot in the future
 * @throws OperationError as {@link archiveDatabase}, {@link startMigrationSnapshot} and {@link awaitMigrationSnapshot}
 * describe. Nothing may be migrated then.
 */
export async function runBackup(dependencies: BackupDependencies, request: BackupRequest): Promise<BackupReport> {
  const slot = chooseSlot(request, dependencies.clock());
  const protection = await checkProtection(dependencies);
  dependencies.onProtection(protection);
  // RDS takes the snapshot while the archive is written.
  const started = request.reason === 'pre-migration' ? await startSnapshot(dependencies, request, slot) : undefined;
  const archive = await archiveOrExtendLock(dependencies, slot, request.inParts);
  if (!started) return { ...archive, protection };
  const snapshot = await awaitMigrationSnapshot(started.instance, started.identifier, dependencies.remainingSeconds());
  return { ...archive, protection, snapshot };
}

function chooseSlot({ slot: requested }: BackupRequest, requestedAt: Date): Slot {
  const slot = normaliseSlot(requested ?? requestedAt);
  if (Date.parse(slot) <= requestedAt.getTime() + MAX_SLOT_AHEAD_MS) return slot;
  throw new InvalidRequestError(
    `slot: ${slot} is in the future, and its archive would hide all that are made until then`,
  );
}

async function startSnapshot(
  { instance, log }: BackupDependencies,
  { database }: BackupRequest,
  slot: Slot,
): Promise<{ readonly instance: RdsInstance; readonly identifier: string } | undefined> {
  if (instance) return { instance, identifier: await startMigrationSnapshot(instance, database, slot) };
  log.warn('The database is not on RDS: the archive is the only way back from this migration', { slot });
  return undefined;
}

/** Archives the database. A run without a new archive extends the lock of the newest one, which is the last way back. */
async function archiveOrExtendLock(
  dependencies: BackupDependencies,
  slot: Slot,
  inParts?: boolean,
): Promise<ArchiveReport> {
  const { name } = dependencies.connector.target;
  let report: ArchiveReport;
  try {
    report = await archiveDatabase(dependencies, slot, inParts);
  } catch (error) {
    // Without S3, another request to it would only take up time.
    if (!(error instanceof OperationError && error.code === 'store_unavailable')) {
      await extendNewestLock(dependencies, name);
    }
    throw error;
  }
  if (report.outcome !== 'created' && report.outcome !== 'already-exists') {
    await extendNewestLock(dependencies, name);
  }
  return report;
}
