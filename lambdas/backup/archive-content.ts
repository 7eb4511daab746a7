import { randomUUID } from 'node:crypto';
import type { Client, ClientBase } from 'pg';
import { describeServer, listLargeObjects, readSequences, type SourceTable } from '../../core/archive/catalog';
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
import type { SignedStore } from '../../core/archive/signed-manifest';
import type { Slot } from '../../core/archive/slot';
import { writeLocked } from '../../core/archive/store';
import type { DatabaseName } from '../../core/contract';
import type { DatabaseConnector } from '../../core/database/connector';
import { readJournal } from '../../core/migrations/journal';
import { readOtherJournals } from '../../core/migrations/other-journals';
import { OperationError } from '../../core/runtime/errors';
import type { Log } from '../../core/runtime/telemetry';
import { captureSchema } from '../../core/schema/capture';
import type { CapturedSchema } from '../../core/schema/contract';
import { type PlannedPart, planParts } from './parts';
import type { Snapshot } from './snapshot';
import { uploadSchema } from './upload-schema';

const DAY_MS = 24 * 60 * 60 * 1000;

/** What one attempt at an archive is called, and how long it is locked. */
export interface Attempt {
  readonly database: DatabaseName;
  readonly slot: Slot;
  readonly attempt: string;
  readonly retainUntil: Date;
}

/** A new attempt. It is locked from its start, where that is later than the slot: S3 refuses a lock that ends in the past. */
export function newAttempt(database: DatabaseName, slot: Slot, startedAt: Date, retentionDays: number): Attempt {
  const retainFromMs = Math.max(Date.parse(slot), startedAt.getTime());
  return { database, slot, attempt: randomUUID(), retainUntil: new Date(retainFromMs + retentionDays * DAY_MS) };
}

/** Everything of a manifest that is known before the rows are copied. */
export type Description = Pick<
  CompleteManifest,
  'server' | 'migrations' | 'schemaVersions' | 'sequences' | 'schema' | 'recoveryPoint'
>;

/** An archive whose rows are still to be copied. */
export interface BegunArchive {
  readonly description: Description;
  readonly tables: readonly SourceTable[];
  /** Empty, or the two tables of large objects. */
  readonly largeObjects: readonly SourceTable[];
  readonly planned: readonly PlannedPart[];
}

export interface BeginDependencies {
  readonly connector: DatabaseConnector;
  readonly store: SignedStore;
  readonly log: Log;
  readonly pgDumpWorker?: string | undefined;
}

/**
 * Captures the schema of a snapshot and uploads it, describes the database, and lists the parts to copy.
 *
 * @param leader connection that keeps the snapshot open
 * @param partBytes bytes of table of one part
 */
export async function beginArchive(
  dependencies: BeginDependencies,
  leader: Client,
  snapshot: Snapshot,
  attempt: Attempt,
  { partBytes, signal }: { readonly partBytes: number; readonly signal: AbortSignal },
): Promise<BegunArchive> {
  // Before the rows: a migration under way is noticed at once, and pg_dump's memory is free again.
  const description = await describeArchive(dependencies, leader, snapshot, attempt, signal);
  return { description, ...(await planContent(dependencies, leader, snapshot, attempt, partBytes)) };
}

/** Captures the schema of a snapshot and uploads it, and describes the database. */
export async function describeArchive(
  { connector, store, log, pgDumpWorker: workerFile }: BeginDependencies,
  leader: Client,
  snapshot: Snapshot,
  attempt: Attempt,
  signal: AbortSignal,
): Promise<Description> {
  const startedMs = performance.now();
  const captured = await captureSchema({ connector, snapshot: snapshot.id, signal, workerFile });
  const { facts } = captured;
  const durationMs = Math.round(performance.now() - startedMs);
  log.info('Schema captured', { database: attempt.database, slot: attempt.slot, durationMs });
  // When the other half has failed, the leader's transaction is over, and what is uploaded stays locked for the retention.
  signal.throwIfAborted();
  const state = await describeState(leader, attempt.database, facts.extensions);
  signal.throwIfAborted();
  return { ...state, schema: { ...(await uploadSchema(store, captured, attempt)), facts } };
}

/** Lists the parts to copy, also in the bucket. */
export async function planContent(
  { store }: BeginDependencies,
  leader: Client,
  { tables }: Snapshot,
  attempt: Attempt,
  partBytes: number,
): Promise<Omit<BegunArchive, 'description'>> {
  const largeObjects = await listLargeObjects(leader, partBytes);
  const planned = planParts(attempt, [...tables, ...largeObjects], partBytes);
  await writePartList(store, planned, attempt);
  return { tables, largeObjects, planned };
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

/**
 * The migrations that a database has.
 *
 * @throws OperationError `unmigrated_database` when there are none
 */
export async function readMigrations(leader: ClientBase, database: DatabaseName): Promise<Description['migrations']> {
  const migrations = await readJournal(leader);
  if (migrations.length > 0) return migrations;
  throw new OperationError(
    'unmigrated_database',
    `The ${database} database has no record of its migrations, without which its archive cannot be restored: apply the ${database} migrations first`,
  );
}

/** What a restore needs besides schema and rows: the migrations applied, the server's locale, and the sequences. */
async function describeState(
  leader: ClientBase,
  database: DatabaseName,
  extensions: CapturedSchema['facts']['extensions'],
): Promise<Omit<Description, 'schema' | 'recoveryPoint'>> {
  const migrations = await readMigrations(leader, database);
  const ofExtensions = extensions.flatMap(({ sequences }) => sequences);
  const schemaVersions = await readOtherJournals(leader);
  return {
    server: await describeServer(leader),
    migrations,
    ...(schemaVersions.length > 0 ? { schemaVersions } : {}),
    sequences: await readSequences(leader, ofExtensions),
  };
}

/**
 * The manifest of an archive whose parts are all there.
 *
 * @throws OperationError `archive_malformed` when it contradicts itself: what a restore would refuse is no backup
 */
export function completeManifest(
  { database, slot, attempt }: Attempt,
  begun: Pick<BegunArchive, 'description' | 'tables' | 'largeObjects' | 'planned'>,
  parts: readonly ArchivedPart[],
  { startedAt, finishedAt }: { readonly startedAt: Date; readonly finishedAt: Date },
): CompleteManifest {
  const tables = describeTables(begun.tables, begun.planned, parts);
  const largeObjects = describeTables(begun.largeObjects, begun.planned, parts);
  const content = { tables, ...(largeObjects.length > 0 ? { largeObjects } : {}) };
  const manifest: CompleteManifest = {
    format: ARCHIVE_FORMAT,
    version: ARCHIVE_VERSION,
    database,
    slot,
    attempt,
    startedAt: startedAt.toISOString(),
    finishedAt: finishedAt.toISOString(),
    durationMs: finishedAt.getTime() - startedAt.getTime(),
    copySettings: { ...COPY_SETTINGS },
    ...begun.description,
    ...content,
    ...totalOf(contentsOf(content)),
  };
  parseManifest(JSON.stringify(manifest), manifestKey(database, slot));
  return manifest;
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
