import { randomUUID } from 'node:crypto';
import type { Client, ClientBase } from 'pg';
import { COPY_SETTINGS } from '../shared/archive/copy-session';
import { distribute } from '../shared/archive/distribute';
import { manifestKey } from '../shared/archive/keys';
import {
  ARCHIVE_FORMAT,
  ARCHIVE_VERSION,
  type ArchivedPart,
  type ArchivedTable,
  type Manifest,
  totalOf,
} from '../shared/archive/manifest';
import { normaliseSlot, type Slot } from '../shared/archive/slot';
import { type ArchiveStore, readManifest, writeManifest } from '../shared/archive/store';
import { type DatabaseConnector, withConnection } from '../shared/database/connector';
import { assertIdentity } from '../shared/database/identity';
import { OperationError } from '../shared/errors';
import { readJournal } from '../shared/migrations/journal';
import type { Log } from '../shared/telemetry';
import { assertArchivable, describeServer, readSequences, type SourceTable } from '../shared/archive/catalog';
import type { BackupReport } from './contract';
import { planParts } from './parts';
import { joinSnapshot, openSnapshot } from './snapshot';
import { uploadPart } from './upload-part';

const DAY_MS = 24 * 60 * 60 * 1000;
/** Two keep a vCPU busy: one compresses while the other waits. Each holds about 25 MB and a connection. */
const WORKERS = 2;
/** Smaller makes more objects to hash and request; larger leaves one worker idle at the end. */
const PART_BYTES = 256 * 1024 * 1024;
const LOCK = `hashtextextended('billing-operations/backup', 0)`;

export interface BackupDependencies {
  readonly connector: DatabaseConnector;
  readonly store: ArchiveStore;
  /** Days after the slot during which nobody can delete the archive. */
  readonly retentionDays: number;
  readonly log: Log;
  readonly now: () => Date;
  /** Connections that copy at once. @default 2 */
  readonly workers?: number;
  /** Bytes of table file per object. @default 256 MiB */
  readonly partBytes?: number;
}

/**
 * Archives one consistent view of a database. The manifest is written last: without it there is no archive, whatever
 * else is in the bucket. Asking again for a slot that has one does nothing.
 *
 * @param requestedSlot ISO time that names the archive; @default now
 * @throws OperationError `wrong_database`, `unmigrated_database`, `unsupported_content`, `invalid_request`; and,
 * retryable, `backup_running` while another one is at work on this database, `schema_changing`, `copy_failed`,
 * `store_unavailable`, `database_unavailable`
 */
export async function createBackup(dependencies: BackupDependencies, requestedSlot?: string): Promise<BackupReport> {
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
    return archive(dependencies, leader, slot, startedAt);
  });
}

async function lock(leader: ClientBase): Promise<void> {
  const result = await leader.query<{ locked: boolean }>(`SELECT pg_try_advisory_lock(${LOCK}) AS locked`);
  if (result.rows[0]?.locked) return;
  throw new OperationError('backup_running', 'Another backup of this database is running: try again after it', {
    retryable: true,
  });
}

async function archive(
  dependencies: BackupDependencies,
  leader: Client,
  slot: Slot,
  startedAt: Date,
): Promise<BackupReport> {
  const { connector, store, log, now } = dependencies;
  const database = connector.target.name;
  const retainUntil = new Date(Date.parse(slot) + dependencies.retentionDays * DAY_MS);
  const attempt = randomUUID();

  const snapshot = await openSnapshot(leader);
  await assertArchivable(leader);
  const migrations = await readJournal(leader);
  if (migrations.length === 0) {
    throw new OperationError(
      'unmigrated_database',
      `The ${database} database has no record of its migrations, so nobody could restore its archive: apply the ${database} migrations first`,
    );
  }
  const server = await describeServer(leader);
  const sequences = await readSequences(leader);
  const planned = planParts({ database, slot, attempt }, snapshot.tables, dependencies.partBytes ?? PART_BYTES);
  log.info('Backup started', { database, slot, attempt, tables: snapshot.tables.length, parts: planned.length });

  const parts: ArchivedPart[] = [];
  const readers: Client[] = [];
  try {
    while (readers.length < (dependencies.workers ?? WORKERS)) readers.push(await joinSnapshot(connector, snapshot));
    await distribute(planned, readers, async (part, reader, signal) => {
      parts.push(await uploadPart(store, reader, part, retainUntil, signal));
    });
  } finally {
    await Promise.all(readers.map((reader) => reader.end().catch(() => undefined)));
  }

  const partsByTable = Map.groupBy(planned, (part) => part.table);
  const archived = new Map(parts.map((part) => [part.key, part]));
  const tables = snapshot.tables.map((table) =>
    describeTable(
      table,
      (partsByTable.get(table) ?? []).flatMap((part) => archived.get(part.key) ?? []),
    ),
  );
  const finishedAt = now();
  const manifest: Manifest = {
    format: ARCHIVE_FORMAT,
    version: ARCHIVE_VERSION,
    database,
    slot,
    attempt,
    startedAt: startedAt.toISOString(),
    finishedAt: finishedAt.toISOString(),
    durationMs: finishedAt.getTime() - startedAt.getTime(),
    server,
    copySettings: { ...COPY_SETTINGS },
    migrations,
    tables,
    sequences,
    ...totalOf(tables),
  };
  if (await writeManifest(store, manifest, retainUntil)) return report(manifest, 'created', startedAt, now());
  const winner = await readManifest(store, database, slot);
  return report(winner ?? manifest, 'already-exists', startedAt, now());
}

function describeTable(table: SourceTable, parts: ArchivedPart[]): ArchivedTable {
  const ordered = parts.toSorted((one, other) => (one.key < other.key ? -1 : 1));
  return { schema: table.schema, name: table.name, columns: table.columns, parts: ordered, ...totalOf(ordered) };
}

function report(manifest: Manifest, outcome: BackupReport['outcome'], from: Date, to: Date): BackupReport {
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
  };
}
