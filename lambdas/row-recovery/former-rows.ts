import type { Client } from 'pg';
import { applyCopySettings, qualified } from '../../core/archive/copy-session';
import type { DatabaseConnector } from '../../core/database/connector';
import { readJournal } from '../../core/migrations/journal';
import { OperationError } from '../../core/runtime/errors';
import type { RestoreDependencies } from '../../core/restore/restore-archive';
import type { ArchivedTable } from '../../core/archive/manifest';
import type { Deviation } from '../../core/schema/contract';
import { loadPart } from '../../core/restore/load-part';
import { findTables, type WantedArchive, withArchivedSchema, withArchivedTables } from './archived-tables';
import type { RestoredInstance, RowRecoveryReportRequest } from './contract';
import { type Part, type PartLimits, type PartStart, partsOf } from './parts';
import { type InstancePlace, instanceName, placeOf, withRestoredInstance } from './restored-instance';
import { type LiveTable, nameOf } from './tables';

/** What rows of a schema before a migration are compared as. */
export interface FormerSchema extends Pick<FormerRows, 'origin' | 'remedy'> {
  /** The migration, and why the rows are of before it. */
  readonly reason: string;
}

/** Rows as they were, wherever they are read from. */
export interface FormerRows {
  /** Of the archive; null of an instance. */
  readonly slot: string | null;
  /** Server and database; null of an archive. */
  readonly instance: string | null;
  /** What their tables are those of, and what to do when the live ones have other columns. */
  readonly origin: string;
  readonly remedy?: string;
  /** Whether the rows of a part are loaded for its comparison, so that no transaction of the source can last. @default false */
  readonly isLoadedInParts?: true;
  /**
   * Runs `work` with a connection to the rows, under the settings of COPY.
   *
   * @param work gets the schema of the rows where it is one of before a migration: of an archive, one that failed on it; of an
   * instance, one that the live database has
   */
  open<T>(work: (source: Client, schema?: FormerSchema) => Promise<T>): Promise<T>;
  /**
   * The rows of a table that meet the condition, in parts.
   *
   * @param begin where the first of them begins. @default - where the table does
   */
  parts(source: Client, live: Client, table: LiveTable, where: string, begin?: PartStart): AsyncIterable<Part>;
}

export interface FormerRowsDependencies extends RestoreDependencies, PartLimits {
  /** A connector with the credentials of the live database, to a restored instance. */
  readonly connectorAt: (place: InstancePlace) => DatabaseConnector;
  /** Bytes of COPY text of the wanted tables above which they are loaded and compared part by part. @default 2 GiB */
  readonly wholeBytes?: number;
  /** Bytes of COPY text above which no archive is restored by one call. */
  readonly limitBytes: number;
  /** Aborted when no time is left. @default never */
  readonly stop?: AbortSignal;
}

/** One call loads and compares as much in four minutes on the smallest server. */
const WHOLE_BYTES = 2 * 1024 ** 3;

/**
 * The rows that a report compares the live ones with. Nothing is loaded before {@link FormerRows.open}.
 *
 * @param live session of the live database
 * @param names of the tables, as `schema.table`
 * @throws InvalidRequestError and OperationError as {@link findTables} and {@link placeOf} describe
 */
export async function findFormerRows(
  dependencies: FormerRowsDependencies,
  live: Client,
  {
    archive,
    instance,
    ...choice
  }: Pick<RowRecoveryReportRequest, 'archive' | 'instance' | 'notAfter' | 'manifestSha256'>,
  names: readonly string[],
): Promise<FormerRows> {
  if (instance !== undefined) return rowsOfInstance(dependencies, live, instance);
  const sized = { wholeBytes: WHOLE_BYTES, ...dependencies };
  const found = await findTables(sized, { archive: archive ?? 'latest', ...choice }, names);
  if (found.inParts) return rowsInParts(dependencies, found);
  return {
    slot: found.manifest.slot,
    instance: null,
    origin: 'the archive, migrated to the present schema',
    open: (work) =>
      withArchivedTables(dependencies, found, async (scratch, unapplied) => {
        await applyCopySettings(scratch);
        return work(scratch, unapplied && withoutMigration(unapplied));
      }),
    // Beside the live database, and without the index by which rows are found in parts.
    async *parts(_source, _live, _table, where) {
      yield { condition: where, rows: null, differs: true };
    },
  };
}

/** The rows of large tables: only those of one part at a time are in the scratch database. */
function rowsInParts(dependencies: FormerRowsDependencies, archive: WantedArchive): FormerRows {
  const { stop = new AbortController().signal } = dependencies;
  const archived = new Map(archive.tables.map((table) => [nameOf(table), table]));
  const found = (table: LiveTable) => archived.get(nameOf(table)) as ArchivedTable;
  return {
    slot: archive.manifest.slot,
    instance: null,
    origin: 'the archive',
    isLoadedInParts: true,
    open: (work) => withArchivedSchema(dependencies, archive, work),
    async *parts(source, _live, table, where, { part: first = 0 } = {}) {
      const from = found(table);
      for (const [number, part] of from.parts.entries()) {
        if (number < first) continue;
        await loadPart(archive.objects, source, from, part, { signal: stop }).catch((cause: unknown) => {
          throw stop.aborted ? tooSlow(table, cause) : cause;
        });
        const next = number + 1 < from.parts.length ? { part: number + 1 } : null;
        yield { condition: where, rows: null, differs: true, next };
        await source.query(`TRUNCATE ONLY ${qualified(from)}`);
      }
    },
  };
}

function withoutMigration({ object, reason }: Deviation): FormerSchema {
  return {
    reason,
    origin: `the archive, to which ${object} could not be applied (${reason})`,
    remedy: 'correct that migration and deploy it, then make a new report',
  };
}

function tooSlow(table: LiveTable, cause: unknown): OperationError {
  const message = `A part of ${nameOf(table)} takes longer than a call: restore the archive into a database of its own, and compare with that`;
  return new OperationError('comparison_too_long', message, { cause });
}

function rowsOfInstance(
  { connector: { target }, connectorAt, ...limits }: FormerRowsDependencies,
  live: Client,
  instance: RestoredInstance,
): FormerRows {
  const place = placeOf(target, instance);
  const { targetDatabase: database = target.database } = instance;
  const origin = 'the instance, which has the schema of its moment';
  const remedy = 'take an archive, which is migrated to the present schema, or copy the rows by hand';
  return {
    slot: null,
    instance: instanceName({ ...place, database }),
    origin,
    remedy,
    open: (work) =>
      withRestoredInstance(connectorAt(place), database, live, async (source) => {
        const reason = await lackedMigrations(live, source);
        return work(source, reason === undefined ? undefined : { reason, origin, remedy });
      }),
    parts: (source, session, table, where, begin) => partsOf(source, session, table, where, limits, begin?.after),
  };
}

/** The migrations that the live database has and an instance lacks, in words; `undefined` where there is none. */
async function lackedMigrations(live: Client, source: Client): Promise<string | undefined> {
  const had = new Set((await readJournal(source)).map(({ name }) => name));
  const [first, ...later] = (await readJournal(live)).map(({ name }) => name).filter((name) => !had.has(name));
  if (first === undefined) return undefined;
  return `The instance lacks migration ${first}${later.length === 0 ? '' : ` and ${later.length} later`}, which the live database has`;
}
