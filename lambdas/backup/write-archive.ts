import { randomUUID } from 'node:crypto';
import type { Client } from 'pg';
import { describeServer, largeObjectTables, readSequences, type SourceTable } from '../../core/archive/catalog';
import { COPY_SETTINGS } from '../../core/archive/copy-session';
import { manifestKey, partListKey } from '../../core/archive/keys';
import {
  ARCHIVE_FORMAT,
  ARCHIVE_VERSION,
  type ArchivedPart,
  type ArchivedTable,
  type CompleteManifest,
  contentsOf,
  parseManifest,
  totalOf,
} from '../../core/archive/manifest';
import { type SignedStore, type StoredManifest, writeManifest } from '../../core/archive/signed-manifest';
import type { Slot } from '../../core/archive/slot';
import { writeLocked } from '../../core/archive/store';
import type { DatabaseName } from '../../core/contract';
import { withConnections } from '../../core/database/connections';
import type { DatabaseConnector } from '../../core/database/connector';
import { OperationError } from '../../core/runtime/errors';
import { readJournal } from '../../core/migrations/journal';
import { readOtherJournals } from '../../core/migrations/other-journals';
import { runConcurrently } from '../../core/runtime/run-concurrently';
import type { Log } from '../../core/runtime/telemetry';
import { captureSchema } from '../../core/schema/capture';
import type { SchemaFacts } from '../../core/schema/contract';
import { LeaderWatch } from './leader-watch';
import { type PlannedPart, planParts } from './parts';
import { endSnapshot, explainReadFailure, joinSnapshot, lockForReading, openSnapshot, type Snapshot } from './snapshot';
import { uploadPart } from './upload-part';
import { uploadSchema } from './upload-schema';

const DAY_MS = 24 * 60 * 60 * 1000;
/** Two keep a vCPU busy: one compresses while the other waits. Each takes about 25 MB and a connection. */
const WORKERS = 2;
/** Less makes more objects to hash and request; more leaves one worker idle at the end. */
const PART_BYTES = 256 * 1024 * 1024;

export interface ArchiveDependencies {
  readonly connector: DatabaseConnector;
  readonly store: SignedStore;
  /** Days for which the archive is locked against deletion. */
  readonly retentionDays: number;
  readonly log: Log;
  readonly clock: () => Date;
  /** Connections that copy at once. @default 2 */
  readonly workers?: number;
  /** Bytes of table file per object. @default 256 MiB */
  readonly partBytes?: number;
  /** File of pg_dump's thread. @default the one beside the running bundle */
  readonly pgDumpWorker?: string;
  /** Milliseconds that another session may wait for the backup. @default 2,000 */
  readonly patienceMs?: number;
}

/** A manifest, and whether this attempt published it, or another one that was faster. */
export interface WrittenArchive {
  readonly published: StoredManifest;
  readonly outcome: 'created' | 'already-exists';
}

/** What one attempt at an archive is called, and how long it is locked. */
interface Attempt {
  readonly database: DatabaseName;
  readonly slot: Slot;
  readonly attempt: string;
  readonly retainUntil: Date;
}

/**
 * Writes one consistent view of a database into the bucket: its schema, its rows and its large objects, the manifest last.
 *
 * It never makes others wait for longer than seconds: when a migration waits for it, or the connection that keeps the view
 * open is lost, the attempt is given up.
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
  const { connector, store, retentionDays, log, clock } = dependencies;
  const database = connector.target.name;
  // From the run, where that is later than the slot: S3 refuses a lock that ends in the past.
  const retainFromMs = Math.max(Date.parse(slot), startedAt.getTime());
  const attempt: Attempt = {
    database,
    slot,
    attempt: randomUUID(),
    retainUntil: new Date(retainFromMs + retentionDays * DAY_MS),
  };
  const snapshot = await openSnapshot(leader);
  const content = await copyWatched(dependencies, leader, snapshot, attempt);
  await endSnapshot(leader);
  const finishedAt = clock();
  const manifest: CompleteManifest = {
    format: ARCHIVE_FORMAT,
    version: ARCHIVE_VERSION,
    database,
    slot,
    attempt: attempt.attempt,
    startedAt: startedAt.toISOString(),
    finishedAt: finishedAt.toISOString(),
    durationMs: finishedAt.getTime() - startedAt.getTime(),
    copySettings: { ...COPY_SETTINGS },
    ...content,
    ...totalOf(contentsOf(content)),
  };
  // What a restore would refuse is no backup.
  parseManifest(JSON.stringify(manifest), manifestKey(database, slot));
  for (const { kind, object, reason } of content.schema.facts.omissions) {
    log.warn('The archive does not carry an object', { database, slot, kind, object, reason });
  }
  const published = await writeManifest(store, manifest, attempt.retainUntil);
  return { published, outcome: published.manifest.attempt === attempt.attempt ? 'created' : 'already-exists' };
}

type State = Pick<CompleteManifest, 'server' | 'migrations' | 'schemaVersions' | 'sequences'>;
type Content = State & Pick<CompleteManifest, 'schema' | 'tables' | 'largeObjects'>;

/** Copies everything, and stops at once when the leader is lost or others wait for it. */
async function copyWatched(
  dependencies: ArchiveDependencies,
  leader: Client,
  snapshot: Snapshot,
  attempt: Attempt,
): Promise<Content> {
  const watch = new LeaderWatch(leader, dependencies.patienceMs);
  try {
    return await copyContent(dependencies, leader, snapshot, attempt, watch.signal);
  } catch (error) {
    throw watch.failure ?? explainReadFailure(error);
  } finally {
    await watch.stop();
  }
}

async function copyContent(
  dependencies: ArchiveDependencies,
  leader: Client,
  snapshot: Snapshot,
  attempt: Attempt,
  signal: AbortSignal,
): Promise<Content> {
  const { connector, store, log, partBytes = PART_BYTES, pgDumpWorker: workerFile } = dependencies;
  const { database, slot } = attempt;
  // Before the rows: a migration under way is noticed at once, and pg_dump's memory is free again.
  const captured = await captureSchema({ connector, snapshot: snapshot.id, signal, workerFile });
  const { facts } = captured;
  const state = await describeState(leader, database, facts);
  const schema = await uploadSchema(store, captured, attempt);
  const largeObjects = facts.largeObjects > 0 ? largeObjectTables() : [];
  const planned = planParts(attempt, [...snapshot.tables, ...largeObjects], partBytes);
  await writePartList(store, planned, attempt);
  log.info('Backup started', {
    database,
    slot,
    attempt: attempt.attempt,
    tables: snapshot.tables.length,
    parts: planned.length,
  });
  const parts = await copyParts(dependencies, snapshot, planned, attempt.retainUntil, signal);
  return {
    ...state,
    schema: { ...schema, facts },
    tables: describeTables(snapshot.tables, planned, parts),
    ...(largeObjects.length > 0 ? { largeObjects: describeTables(largeObjects, planned, parts) } : {}),
  };
}

/**
 * Says what is going to be uploaded, so that the uploads of a killed attempt can be found on a server that lists them by
 * exact key only.
 */
function writePartList(
  store: SignedStore,
  planned: readonly PlannedPart[],
  { database, slot, attempt, retainUntil }: Attempt,
): Promise<void> {
  const body = Buffer.from(JSON.stringify(planned.map(({ key }) => key)));
  return writeLocked(
    store,
    { key: partListKey(database, slot, attempt), body, contentType: 'application/json' },
    retainUntil,
  );
}

/** What a restore needs besides schema and rows: the migrations applied, the server's locale, and the sequences. */
async function describeState(leader: Client, database: DatabaseName, { extensions }: SchemaFacts): Promise<State> {
  const migrations = await readJournal(leader);
  if (migrations.length === 0) {
    throw new OperationError(
      'unmigrated_database',
      `The ${database} database has no record of its migrations, without which its archive cannot be restored: apply the ${database} migrations first`,
    );
  }
  const ofExtensions = extensions.flatMap(({ sequences }) => sequences);
  const schemaVersions = await readOtherJournals(leader);
  return {
    server: await describeServer(leader),
    migrations,
    ...(schemaVersions.length > 0 ? { schemaVersions } : {}),
    sequences: await readSequences(leader, ofExtensions),
  };
}

/** Uploads all parts, each over one of the connections that see the snapshot. */
async function copyParts(
  { connector, store, workers = WORKERS }: ArchiveDependencies,
  snapshot: Snapshot,
  planned: readonly PlannedPart[],
  retainUntil: Date,
  signal: AbortSignal,
): Promise<ArchivedPart[]> {
  const parts: ArchivedPart[] = [];
  const options = { count: workers, prepare: (reader: Client) => joinSnapshot(reader, snapshot) };
  await withConnections(connector, options, async (readers) => {
    // Their locks are free as soon as the server notices, however long an upload takes to end.
    const disconnect = (): void => readers.forEach((reader) => void reader.end().catch(() => undefined));
    signal.addEventListener('abort', disconnect, { once: true });
    try {
      signal.throwIfAborted();
      await runConcurrently(planned, readers, async (part, reader, stop) => {
        await lockForReading(reader, part.table);
        parts.push(await uploadPart(store, reader, part, retainUntil, AbortSignal.any([stop, signal])));
      });
    } finally {
      signal.removeEventListener('abort', disconnect);
    }
  });
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
    return {
      schema: table.schema,
      name: table.name,
      columns: table.columns,
      ...(table.loadThrough ? { loadThrough: table.loadThrough } : {}),
      ...(table.extension ? { extension: table.extension } : {}),
      parts: ordered,
      ...totalOf(ordered),
    };
  });
}
