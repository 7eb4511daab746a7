import { randomUUID } from 'node:crypto';
import type { Client } from 'pg';
import { assertArchivable, describeServer, readSequences, type SourceTable } from '../../core/archive/catalog';
import { COPY_SETTINGS } from '../../core/archive/copy-session';
import { distribute } from '../../core/archive/distribute';
import {
  ARCHIVE_FORMAT,
  ARCHIVE_VERSION,
  type ArchivedPart,
  type ArchivedTable,
  type Manifest,
  totalOf,
} from '../../core/archive/manifest';
import type { Slot } from '../../core/archive/slot';
import { type ArchiveStore, writeManifest } from '../../core/archive/store';
import type { DatabaseConnector } from '../../core/database/connector';
import { OperationError } from '../../core/runtime/errors';
import { readJournal } from '../../core/migrations/journal';
import type { Log } from '../../core/runtime/telemetry';
import { planParts } from './parts';
import { joinSnapshot, openSnapshot } from './snapshot';
import { uploadPart } from './upload-part';

const DAY_MS = 24 * 60 * 60 * 1000;
/** Two keep a vCPU busy: one compresses while the other waits. Each holds about 25 MB and a connection. */
const WORKERS = 2;
/** Smaller makes more objects to hash and request; larger leaves one worker idle at the end. */
const PART_BYTES = 256 * 1024 * 1024;

export interface ArchiveDependencies {
  readonly connector: DatabaseConnector;
  readonly store: ArchiveStore;
  /** Days during which nobody can delete the archive. */
  readonly retentionDays: number;
  readonly log: Log;
  readonly now: () => Date;
  /** Connections that copy at once. @default 2 */
  readonly workers?: number;
  /** Bytes of table file per object. @default 256 MiB */
  readonly partBytes?: number;
}

/** A manifest, and whether this attempt published it or another one that was faster. */
export interface WrittenArchive {
  readonly manifest: Manifest;
  readonly outcome: 'created' | 'already-exists';
}

/**
 * Writes one consistent view of a database into the bucket, the manifest last.
 *
 * @param leader connection that keeps the view open; its transaction is left to end with it
 * @throws OperationError as {@link createBackup} describes
 */
export async function writeArchive(
  dependencies: ArchiveDependencies,
  leader: Client,
  slot: Slot,
  startedAt: Date,
): Promise<WrittenArchive> {
  const { connector, store, log, now } = dependencies;
  const database = connector.target.name;
  // From the run, where that is later: S3 takes no lock that ends in the past.
  const retainFrom = Math.max(Date.parse(slot), startedAt.getTime());
  const retainUntil = new Date(retainFrom + dependencies.retentionDays * DAY_MS);
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
  const published = await writeManifest(store, manifest, retainUntil);
  return { manifest: published, outcome: published.attempt === attempt ? 'created' : 'already-exists' };
}

function describeTable(table: SourceTable, parts: ArchivedPart[]): ArchivedTable {
  const ordered = parts.toSorted((one, other) => (one.key < other.key ? -1 : 1));
  return { schema: table.schema, name: table.name, columns: table.columns, parts: ordered, ...totalOf(ordered) };
}
