import type { Client } from 'pg';
import type { ArchivedPart, CompleteManifest } from '../../core/archive/manifest';
import { type SignedStore, type StoredManifest, writeManifest } from '../../core/archive/signed-manifest';
import type { Slot } from '../../core/archive/slot';
import { withConnections } from '../../core/database/connections';
import type { DatabaseConnector } from '../../core/database/connector';
import { oneAtATime } from '../../core/database/one-at-a-time';
import { runConcurrently } from '../../core/runtime/run-concurrently';
import type { Log } from '../../core/runtime/telemetry';
import {
  type Attempt,
  describeArchive,
  planContent,
  readMigrations,
  type BegunArchive,
  completeManifest,
  newAttempt,
} from './archive-content';
import { LeaderWatch } from './leader-watch';
import type { PlannedPart } from './parts';
import {
  endSnapshot,
  explainReadFailure,
  joinSnapshot,
  lockNextForReading,
  openSnapshot,
  type Snapshot,
} from './snapshot';
import { uploadPart } from './upload-part';

/**
 * Three keep two vCPUs busy, PostgreSQL's half of the work included: with two, both are often waiting for the one thread that
 * decrypts for them. Each takes about 25 MB and a connection.
 */
const WORKERS = 3;
/**
 * Tables up to which the schema is captured while rows are copied, which saves its time. Above it, the schema is captured
 * first: the memory of pg_dump and that of the readers would not fit together.
 */
const MOST_TABLES_AT_ONCE = 1_000;
/** Less makes more objects to hash and request; more leaves one worker idle at the end. */
const PART_BYTES = 256 * 1024 * 1024;

export interface ArchiveDependencies {
  readonly connector: DatabaseConnector;
  readonly store: SignedStore;
  /** Days for which the archive is locked against deletion. */
  readonly retentionDays: number;
  readonly log: Log;
  readonly clock: () => Date;
  /** Connections that copy at once. @default 3 */
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
  const attempt = newAttempt(connector.target.name, slot, startedAt, retentionDays);
  const snapshot = await openSnapshot(leader);
  // The watch looks at locks while the state of the database is read.
  const { begun, parts } = await copyWatched(dependencies, oneAtATime(leader), snapshot, attempt);
  await endSnapshot(leader);
  const manifest = completeManifest(attempt, begun, parts, { startedAt, finishedAt: clock() });
  logOmissions(log, manifest);
  const published = await writeManifest(store, manifest, attempt.retainUntil);
  return { published, outcome: published.manifest.attempt === attempt.attempt ? 'created' : 'already-exists' };
}

/** Names what an archive cannot carry. */
export function logOmissions(
  log: Log,
  { database, slot, schema }: Pick<CompleteManifest, 'database' | 'slot' | 'schema'>,
): void {
  for (const { kind, object, reason } of schema.facts.omissions) {
    log.warn('The archive does not carry an object', { database, slot, kind, object, reason });
  }
}

interface Copied {
  readonly begun: BegunArchive;
  readonly parts: readonly ArchivedPart[];
}

/** Copies everything, and stops at once when the leader is lost or others wait for it. */
async function copyWatched(
  dependencies: ArchiveDependencies,
  leader: Client,
  snapshot: Snapshot,
  attempt: Attempt,
): Promise<Copied> {
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
): Promise<Copied> {
  const { log, partBytes = PART_BYTES } = dependencies;
  const { database, slot } = attempt;
  // Before anything is uploaded: parts are locked for the whole retention.
  await readMigrations(leader, database);
  const content = await planContent(dependencies, leader, snapshot, attempt, partBytes);
  const { planned } = content;
  log.info('Backup started', {
    database,
    slot,
    attempt: attempt.attempt,
    tables: snapshot.tables.length,
    parts: planned.length,
  });
  // Its locks must not last until everything else has stopped, which may be waiting for S3.
  const halves = new StoppedTogether(signal, () => void leader.query('ROLLBACK').catch(() => undefined));
  const describe = () => halves.watch(describeArchive(dependencies, leader, snapshot, attempt, halves.signal));
  const copy = () => copyParts(dependencies, snapshot, planned, attempt.retainUntil, halves);
  if (snapshot.tables.length > MOST_TABLES_AT_ONCE) {
    // Schema first: a migration under way is noticed before any row is copied.
    const description = await describe();
    return { begun: { description, ...content }, parts: await copy() };
  }
  const [description, parts] = await Promise.allSettled([describe(), copy()]);
  if (description.status === 'rejected' || parts.status === 'rejected') throw halves.signal.reason;
  return { begun: { description: description.value, ...content }, parts: parts.value };
}

/** Work of which the first failure stops the rest at once. */
class StoppedTogether {
  private readonly failure = new AbortController();
  /** Its reason is the first failure, or that of the outer signal. */
  readonly signal: AbortSignal;

  constructor(
    outer: AbortSignal,
    private readonly onFailure: () => void,
  ) {
    this.signal = AbortSignal.any([outer, this.failure.signal]);
  }

  async watch<Result>(work: Promise<Result>): Promise<Result> {
    try {
      return await work;
    } catch (error) {
      if (!this.failure.signal.aborted) this.onFailure();
      this.failure.abort(error);
      throw error;
    }
  }
}

/** Uploads all parts, each over one of the connections that see the snapshot. */
async function copyParts(
  { connector, store, workers = WORKERS }: ArchiveDependencies,
  snapshot: Snapshot,
  planned: readonly PlannedPart[],
  retainUntil: Date,
  halves: StoppedTogether,
): Promise<ArchivedPart[]> {
  const { signal } = halves;
  const parts: ArchivedPart[] = [];
  const options = { count: workers, prepare: (reader: Client) => joinSnapshot(reader, snapshot) };
  const copyPart = async (part: PlannedPart, reader: Client, stop: AbortSignal): Promise<void> => {
    await lockNextForReading(reader, part.table);
    const uploaded = await uploadPart(store, reader, part, retainUntil, AbortSignal.any([stop, signal]));
    parts.push(uploaded.part);
  };
  const copyAll = withConnections(connector, options, async (readers) => {
    // Their locks are free as soon as the server notices, however long an upload takes to end.
    const disconnect = (): void => readers.forEach((reader) => void reader.end().catch(() => undefined));
    signal.addEventListener('abort', disconnect, { once: true });
    try {
      signal.throwIfAborted();
      // Each part by itself: the others end only when their uploads do.
      await runConcurrently(planned, readers, (part, reader, stop) => halves.watch(copyPart(part, reader, stop)));
    } finally {
      signal.removeEventListener('abort', disconnect);
    }
  });
  await halves.watch(copyAll);
  return parts;
}
