import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, ClientBase } from 'pg';
import { manifestKey } from '../../core/archive/keys';
import type { Slot } from '../../core/archive/slot';
import { readManifest, type StoredManifest } from '../../core/archive/signed-manifest';
import { storeTime } from '../../core/archive/store-time';
import { withConnection } from '../../core/database/connector';
import { assertIdentity } from '../../core/database/identity';
import { InvalidRequestError, OperationError } from '../../core/runtime/errors';
import type { ArchiveReport } from './contract';
import { exportSnapshot, type ExportTarget } from './export-snapshot';
import { type HousekeepingReport, runHousekeeping } from './housekeeping';
import { describeSchemaChange, NOT_COMPARED } from './schema-change';
import { explainReadFailure } from './snapshot';
import { type ArchiveWorkflow, startArchive } from './start-archive';
import { type ArchiveDependencies, writeArchive } from './write-archive';

const GIB = 1024 ** 3;
const LOCK = `hashtextextended('billing-operations/backup', 0)`;
/** Between two attempts to begin. */
const LOCK_PAUSE_MS = 500;
const NO_HOUSEKEEPING: HousekeepingReport = { expiredArchives: 0, sweptLeftovers: 0, housekeepingFailed: false };

/** What a report says while there is no archive. */
const NOTHING_YET = {
  manifestSha256: null,
  tables: 0,
  rows: 0,
  bytes: 0,
  compressedBytes: 0,
  omissions: [],
  schemaChange: NOT_COMPARED,
} as const;

export interface ArchiveOrExportDependencies extends ArchiveDependencies {
  /** Bytes of database above which another way is taken. @default every database is streamed */
  readonly streamingLimitBytes?: number;
  /** Archives a larger database. @default it is exported */
  readonly workflow?: ArchiveWorkflow | undefined;
  /** Where RDS exports a larger database to. @default none: a larger database is refused */
  readonly exportTarget?: ExportTarget;
  /** Milliseconds to wait for another backup of the database. @default 0 */
  readonly lockWaitMs?: number;
  /** The time by other clocks than the function's. @default those of S3 and of the database server */
  readonly otherClocks?: () => Promise<readonly Date[]>;
}

/**
 * Archives one consistent view of a database, or has a workflow archive it, or RDS export it, where it is too large. The manifest is
 * written last: without it there is no archive, whatever else is in the bucket. A second request for a slot that has an
 * archive does nothing. Afterwards, leftovers of failed attempts and archives past their retention are removed.
 *
 * @param inParts whether the workflow archives the database whatever its size
 * @throws InvalidRequestError when it is to, and there is none
 * @throws OperationError `wrong_database`, `unmigrated_database`, `unsupported_content`, `invalid_request`,
 * `database_too_large`, `no_snapshot`, `workflow_unavailable` (retryable), `privilege_missing`, `server_unsupported`, `schema_dump_failed`,
 * `archive_unauthenticated` when another program wrote a manifest for the slot; and, retryable,
 * `snapshot_stale`, `backup_running` while another backup of this database runs, `schema_changing` when a migration is under way or waits for
 * the backup, `snapshot_lost`, `copy_failed`, `store_unavailable`, `signing_key_unavailable`, `database_unavailable`, `rds_unavailable`
 */
export async function archiveDatabase(
  dependencies: ArchiveOrExportDependencies,
  slot: Slot,
  inParts = false,
): Promise<ArchiveReport> {
  const { connector, store, clock } = dependencies;
  if (inParts && !dependencies.workflow) {
    throw new InvalidRequestError(`inParts: no workflow archives the ${connector.target.name} database: leave it out`);
  }
  const startedAt = clock();
  const database = connector.target.name;
  const archive = async (leader: Client): Promise<ArchiveReport> => {
    await assertIdentity(leader, database);
    // Before the lock as well: a finished slot is reported even while another one is being archived.
    const finished = await readManifest(store, database, slot);
    if (finished) return describeArchive(finished, 'already-exists', startedAt, clock());
    // Released when the connection closes, even if the function is killed.
    await lockBackups(leader, dependencies.lockWaitMs ?? 0);
    const overtaken = await readManifest(store, database, slot);
    if (overtaken) return describeArchive(overtaken, 'already-exists', startedAt, clock());
    const bytes = await databaseBytes(leader);
    if (inParts || bytes > (dependencies.streamingLimitBytes ?? Infinity)) {
      const large = { slot, bytes, startedAt };
      const { workflow } = dependencies;
      return workflow
        ? startInstead(dependencies, leader, workflow, large)
        : exportInstead(dependencies, leader, large);
    }
    const { published, outcome } = await writeArchive(dependencies, leader, slot, startedAt);
    return {
      ...describeArchive(published, outcome, startedAt, clock()),
      ...(outcome === 'created' ? { schemaChange: await describeSchemaChange(dependencies, published.manifest) } : {}),
      ...(await removeLeftovers(dependencies, leader)),
    };
  };
  return withConnection(connector, archive).catch((cause: unknown) => {
    throw explainReadFailure(cause);
  });
}

/**
 * Waits by asking again: a session in the lock's queue would be one that waits for the backup, which then gives up. The one
 * that waited finds the archive of its slot, or makes it, so that two starts for one slot end well.
 */
async function lockBackups(leader: ClientBase, waitMs: number): Promise<void> {
  for (const untilMs = performance.now() + waitMs; ; await sleep(LOCK_PAUSE_MS)) {
    const result = await leader.query<{ locked: boolean }>(`SELECT pg_try_advisory_lock(${LOCK}) AS locked`);
    if (result.rows[0]?.locked) return;
    if (performance.now() + LOCK_PAUSE_MS > untilMs) break;
  }
  throw new OperationError('backup_running', 'Another backup of this database is running: try again after it');
}

async function databaseBytes(leader: Client): Promise<number> {
  const size = await leader.query<{ bytes: number }>('SELECT pg_database_size(current_database())::float8 AS bytes');
  return size.rows[0]?.bytes ?? 0;
}

async function removeLeftovers(
  dependencies: ArchiveOrExportDependencies,
  leader: ClientBase,
): Promise<HousekeepingReport> {
  const { store, connector } = dependencies;
  const otherClocks = async (): Promise<readonly Date[]> => {
    const server = await leader.query<{ now: Date }>('SELECT clock_timestamp() AS now');
    return [await storeTime(store), ...server.rows.map(({ now }) => now)];
  };
  return runHousekeeping({ otherClocks, ...dependencies }, connector.target.name);
}

interface LargeDatabase {
  readonly slot: Slot;
  readonly bytes: number;
  readonly startedAt: Date;
}

/** Has a workflow archive a database that the function has no time to stream. */
async function startInstead(
  dependencies: ArchiveOrExportDependencies,
  leader: ClientBase,
  workflow: ArchiveWorkflow,
  { slot, bytes, startedAt }: LargeDatabase,
): Promise<ArchiveReport> {
  const { connector, log, clock } = dependencies;
  const { name: database } = connector.target;
  const started = await startArchive(workflow, slot, startedAt);
  log.info('A workflow archives the newest recovery point of the database', {
    database,
    size: sizeOf(bytes),
    ...started,
  });
  return {
    database,
    slot: started.slot,
    manifestKey: manifestKey(database, started.slot),
    outcome: started.isNew ? 'started' : 'already-started',
    execution: started.executionArn,
    ...NOTHING_YET,
    durationMs: clock().getTime() - startedAt.getTime(),
    ...(await removeLeftovers(dependencies, leader)),
  };
}

function sizeOf(bytes: number): string {
  return `${(bytes / GIB).toFixed(1)} GiB`;
}

/** Has RDS export a database that the function has no time to stream, and logs what that means for its recovery. */
async function exportInstead(
  dependencies: ArchiveOrExportDependencies,
  leader: ClientBase,
  { slot, bytes, startedAt }: LargeDatabase,
): Promise<ArchiveReport> {
  const { connector, exportTarget, log, clock } = dependencies;
  const database = connector.target.name;
  const size = sizeOf(bytes);
  if (!exportTarget) {
    throw new OperationError(
      'database_too_large',
      `The ${database} database has ${size}, more than the function may stream, and there is neither a workflow that archives it nor an RDS instance, role and key to export it with: set them, or raise STREAMING_LIMIT_GIB as far as the function's time allows`,
    );
  }
  const { prefix, isNew, ...started } = await exportSnapshot(exportTarget, database, slot);
  log.warn(
    'The database is too large to stream: RDS exports its newest snapshot as Parquet instead. This platform cannot restore that: recovery of this database depends on recovery points and point-in-time recovery',
    { database, slot, size, prefix, isNew, ...started },
  );
  return {
    database,
    slot,
    manifestKey: `${prefix}/${started.taskIdentifier}/`,
    outcome: isNew ? 'exported' : 'already-exported',
    ...NOTHING_YET,
    durationMs: clock().getTime() - startedAt.getTime(),
    ...(await removeLeftovers(dependencies, leader)),
  };
}

/** The report of an archive that is there. */
export function describeArchive(
  { manifest, sha256 }: StoredManifest,
  outcome: 'created' | 'already-exists',
  from: Date,
  to: Date,
): ArchiveReport {
  return {
    database: manifest.database,
    slot: manifest.slot,
    manifestKey: manifestKey(manifest.database, manifest.slot),
    manifestSha256: sha256,
    outcome,
    tables: manifest.tables.length,
    rows: manifest.rows,
    bytes: manifest.bytes,
    compressedBytes: manifest.compressedBytes,
    omissions: manifest.version === 1 ? [] : manifest.schema.facts.omissions,
    schemaChange: NOT_COMPARED,
    durationMs: to.getTime() - from.getTime(),
    ...NO_HOUSEKEEPING,
  };
}
