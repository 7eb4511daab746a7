import { randomUUID } from 'node:crypto';
import type { Client } from 'pg';
import { assertArchivable, describeServer, readSequences, type SourceTable } from '../../core/archive/catalog';
import { COPY_SETTINGS } from '../../core/archive/copy-session';
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
import type { DatabaseName } from '../../core/contract';
import { withConnections } from '../../core/database/connections';
import type { DatabaseConnector } from '../../core/database/connector';
import { OperationError } from '../../core/runtime/errors';
import { readJournal } from '../../core/migrations/journal';
import { runConcurrently } from '../../core/runtime/run-concurrently';
import type { Log } from '../../core/runtime/telemetry';
import { type PlannedPart, planParts } from './parts';
import { joinSnapshot, openSnapshot, type Snapshot } from './snapshot';
import { uploadPart } from './upload-part';

const DAY_MS = 24 * 60 * 60 * 1000;
/** Two keep a vCPU busy: one compresses while the other waits. Each takes about 25 MB and a connection. */
const WORKERS = 2;
/** Less makes more objects to hash and request; more leaves one worker idle at the end. */
const PART_BYTES = 256 * 1024 * 1024;

export interface ArchiveDependencies {
  readonly connector: DatabaseConnector;
  readonly store: ArchiveStore;
  /** Days for which the archive is locked against deletion. */
  readonly retentionDays: number;
  readonly log: Log;
  readonly clock: () => Date;
  /** Connections that copy at once. @default 2 */
  readonly workers?: number;
  /** Bytes of table file per object. @default 256 MiB */
  readonly partBytes?: number;
}

/** A manifest, and whether this attempt published it, or another one that was faster. */
export interface WrittenArchive {
  readonly manifest: Manifest;
  readonly outcome: 'created' | 'already-exists';
}

/**
 * Writes one consistent view of a database into the bucket, the manifest last.
 *
 * @param leader connection that keeps the view open; its transaction ends with the connection
 * @throws OperationError as `archiveDatabase` describes
 */
export async function writeArchive(
  dependencies: ArchiveDependencies,
  leader: Client,
  slot: Slot,
  startedAt: Date,
): Promise<WrittenArchive> {
  const { connector, store, retentionDays, log, clock, partBytes = PART_BYTES } = dependencies;
  const database = connector.target.name;
  const attempt = randomUUID();
  // From the run, where that is later than the slot: S3 refuses a lock that ends in the past.
  const retainFromMs = Math.max(Date.parse(slot), startedAt.getTime());
  const retainUntil = new Date(retainFromMs + retentionDays * DAY_MS);

  const snapshot = await openSnapshot(leader);
  await assertArchivable(leader);
  const { server, migrations, sequences } = await describeState(leader, database);
  const planned = planParts({ database, slot, attempt }, snapshot.tables, partBytes);
  log.info('Backup started', { database, slot, attempt, tables: snapshot.tables.length, parts: planned.length });

  const parts = await copyParts(dependencies, snapshot, planned, retainUntil);
  const tables = describeTables(snapshot.tables, planned, parts);
  const finishedAt = clock();
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

/** What a restore needs besides the rows: the schema's version, the server's locale, and the sequences. */
async function describeState(
  leader: Client,
  database: DatabaseName,
): Promise<Pick<Manifest, 'server' | 'migrations' | 'sequences'>> {
  const migrations = await readJournal(leader);
  if (migrations.length === 0) {
    throw new OperationError(
      'unmigrated_database',
      `The ${database} database has no record of its migrations, without which its archive cannot be restored: apply the ${database} migrations first`,
    );
  }
  return { server: await describeServer(leader), migrations, sequences: await readSequences(leader) };
}

/** Uploads all parts, each over one of the connections that see the snapshot. */
async function copyParts(
  { connector, store, workers = WORKERS }: ArchiveDependencies,
  snapshot: Snapshot,
  planned: readonly PlannedPart[],
  retainUntil: Date,
): Promise<ArchivedPart[]> {
  const parts: ArchivedPart[] = [];
  const options = { count: workers, prepare: (reader: Client) => joinSnapshot(reader, snapshot) };
  await withConnections(connector, options, (readers) =>
    runConcurrently(planned, readers, async (part, reader, signal) => {
      parts.push(await uploadPart(store, reader, part, retainUntil, signal));
    }),
  );
  return parts;
}

function describeTables(
  tables: readonly SourceTable[],
  planned: readonly PlannedPart[],
  parts: readonly ArchivedPart[],
): ArchivedTable[] {
  const plannedByTable = Map.groupBy(planned, ({ table }) => table);
  const archived = new Map(parts.map((part) => [part.key, part]));
  return tables.map((table) => {
    const ofTable = (plannedByTable.get(table) ?? []).flatMap(({ key }) => archived.get(key) ?? []);
    const ordered = ofTable.toSorted((one, other) => (one.key < other.key ? -1 : 1));
    return { schema: table.schema, name: table.name, columns: table.columns, parts: ordered, ...totalOf(ordered) };
  });
}
