import type { Client, ClientBase } from 'pg';
import { manifestKey } from '../../core/archive/keys';
import type { Manifest } from '../../core/archive/manifest';
import { normaliseSlot, type Slot } from '../../core/archive/slot';
import { readManifest } from '../../core/archive/store';
import { withConnection } from '../../core/database/connector';
import { assertIdentity } from '../../core/database/identity';
import { messageOf, OperationError } from '../../core/runtime/errors';
import type { ArchiveReport } from './contract';
import { exportSnapshot, type ExportTarget } from './export-snapshot';
import { type HousekeepingReport, keepHouse } from './housekeeping';
import { type ArchiveDependencies, writeArchive } from './write-archive';

const GIB = 1024 ** 3;
const LOCK = `hashtextextended('billing-operations/backup', 0)`;

export interface BackupDependencies extends ArchiveDependencies {
  /** Bytes of database above which RDS exports a snapshot instead. @default - every database is streamed */
  readonly streamingLimitBytes?: number;
  /** Where RDS exports a database to that is larger. @default - nowhere: it is refused */
  readonly exportTarget?: ExportTarget;
}

/**
 * Archives one consistent view of a database. The manifest is written last: without it there is no archive, whatever
 * else is in the bucket. Asking again for a slot that has one does nothing. Afterwards, what failed attempts left and
 * archives past their retention are removed.
 *
 * @param requestedSlot ISO time that names the archive; @default now
 * @throws OperationError `wrong_database`, `unmigrated_database`, `unsupported_content`, `invalid_request`,
 * `database_too_large`, `no_snapshot`; and, retryable, `backup_running` while another one is at work on this database,
 * `schema_changing`, `copy_failed`, `store_unavailable`, `database_unavailable`, `rds_unavailable`
 */
export async function createBackup(dependencies: BackupDependencies, requestedSlot?: string): Promise<ArchiveReport> {
  const { connector, store, now } = dependencies;
  const startedAt = now();
  const slot = normaliseSlot(requestedSlot ?? startedAt);
  const database = connector.target.name;
  return withConnection(connector, async (leader) => {
    await assertIdentity(leader, database);
    // Before the lock as well: a finished slot is answered even while another one is being archived.
    const finished = await readManifest(store, database, slot);
    if (finished) return report(finished, 'already-exists', startedAt, now());
    // Given back when the connection ends, however the function dies.
    await lock(leader);
    const overtaken = await readManifest(store, database, slot);
    if (overtaken) return report(overtaken, 'already-exists', startedAt, now());
    const bytes = await databaseBytes(leader);
    if (bytes > (dependencies.streamingLimitBytes ?? Infinity)) {
      return exportInstead(dependencies, slot, bytes, startedAt);
    }
    const { manifest, outcome } = await writeArchive(dependencies, leader, slot, startedAt);
    return { ...report(manifest, outcome, startedAt, now()), ...(await tidy(dependencies)) };
  });
}

async function lock(leader: ClientBase): Promise<void> {
  const result = await leader.query<{ locked: boolean }>(`SELECT pg_try_advisory_lock(${LOCK}) AS locked`);
  if (result.rows[0]?.locked) return;
  throw new OperationError('backup_running', 'Another backup of this database is running: try again after it');
}

async function databaseBytes(leader: Client): Promise<number> {
  const size = await leader.query<{ bytes: number }>('SELECT pg_database_size(current_database())::float8 AS bytes');
  return size.rows[0]?.bytes ?? 0;
}

/** Hands a database that does not fit into the function's time to RDS, and says so. */
async function exportInstead(
  dependencies: BackupDependencies,
  slot: Slot,
  bytes: number,
  startedAt: Date,
): Promise<ArchiveReport> {
  const { connector, exportTarget, log, now } = dependencies;
  const database = connector.target.name;
  const size = `${(bytes / GIB).toFixed(1)} GiB`;
  if (!exportTarget) {
    throw new OperationError(
      'database_too_large',
      `The ${database} database has ${size}, more than the function may stream, and there is no RDS instance, role and key to export it with: set them, or raise STREAMING_LIMIT_GIB as far as the function's time allows`,
    );
  }
  const { prefix, isNew, ...started } = await exportSnapshot(exportTarget, database, slot);
  log.warn(
    'The database is too large to stream: RDS exports its newest snapshot as Parquet instead. It cannot be restored by this platform; recovery of this database rests on recovery points and point-in-time recovery',
    { database, slot, size, prefix, isNew, ...started },
  );
  return {
    database,
    slot,
    manifestKey: `${prefix}/${started.taskIdentifier}/`,
    outcome: isNew ? 'exported' : 'already-exported',
    tables: 0,
    rows: 0,
    bytes: 0,
    compressedBytes: 0,
    durationMs: now().getTime() - startedAt.getTime(),
    ...(await tidy(dependencies)),
  };
}

/** A failure here is no failure of the backup: what is left lying is found by the next run. */
async function tidy(
  dependencies: BackupDependencies,
): Promise<HousekeepingReport & Pick<ArchiveReport, 'housekeepingFailed'>> {
  const { connector, log } = dependencies;
  const database = connector.target.name;
  try {
    return { ...(await keepHouse(dependencies, database)), housekeepingFailed: false };
  } catch (error) {
    log.error('What has expired could not be removed: check the function’s permissions on the archive bucket', {
      database,
      error: messageOf(error),
    });
    return { expiredArchives: 0, sweptLeftovers: 0, housekeepingFailed: true };
  }
}

function report(manifest: Manifest, outcome: ArchiveReport['outcome'], from: Date, to: Date): ArchiveReport {
  return {
    database: manifest.database,
    slot: manifest.slot,
    manifestKey: manifestKey(manifest.database, manifest.slot),
    outcome,
    tables: manifest.tables.length,
    rows: manifest.rows,
    bytes: manifest.bytes,
    compressedBytes: manifest.compressedBytes,
    durationMs: to.getTime() - from.getTime(),
    expiredArchives: 0,
    sweptLeftovers: 0,
    housekeepingFailed: false,
  };
}
