import type { Client } from 'pg';
import { applyCopySettings } from '../../core/archive/copy-session';
import type { DatabaseConnector } from '../../core/database/connector';
import type { RestoreDependencies } from '../../core/restore/restore-archive';
import { findTables, withArchivedTables } from './archived-tables';
import type { RestoredInstance, RowRecoveryReportRequest } from './contract';
import { type Part, partsOf } from './parts';
import { type InstancePlace, instanceName, placeOf, withRestoredInstance } from './restored-instance';
import type { LiveTable } from './tables';

/** Rows as they were, wherever they are read from. */
export interface FormerRows {
  /** Of the archive; null of an instance. */
  readonly slot: string | null;
  /** Server and database; null of an archive. */
  readonly instance: string | null;
  /** What their tables are those of, and what to do when the live ones have other columns. */
  readonly origin: string;
  readonly remedy?: string;
  /** Runs `work` with a connection to the rows, under the settings of COPY. */
  open<T>(work: (source: Client) => Promise<T>): Promise<T>;
  /** The rows of a table that meet the condition, in parts. */
  parts(source: Client, live: Client, table: LiveTable, where: string): AsyncIterable<Part>;
}

export interface FormerRowsDependencies extends RestoreDependencies {
  /** A connector with the credentials of the live database, to a restored instance. */
  readonly connectorAt: (place: InstancePlace) => DatabaseConnector;
  /** Rows of an instance that are compared at once. @default see `PART_ROWS` */
  readonly partRows?: number;
}

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
  const found = await findTables(dependencies, { archive: archive ?? 'latest', ...choice }, names);
  return {
    slot: found.manifest.slot,
    instance: null,
    origin: 'the archive, migrated to the present schema',
    open: (work) =>
      withArchivedTables(dependencies, found, async (scratch) => {
        await applyCopySettings(scratch);
        return work(scratch);
      }),
    // Beside the live database, and without the index by which rows are found in parts.
    async *parts(_source, _live, _table, where) {
      yield { condition: where, rows: null, differs: true };
    },
  };
}

function rowsOfInstance(
  { connector: { target }, connectorAt, partRows }: FormerRowsDependencies,
  live: Client,
  instance: RestoredInstance,
): FormerRows {
  const place = placeOf(target, instance);
  const { targetDatabase: database = target.database } = instance;
  return {
    slot: null,
    instance: instanceName({ ...place, database }),
    origin: 'the instance, which has the schema of its moment',
    remedy: 'take an archive, which is migrated to the present schema, or copy the rows by hand',
    open: (work) => withRestoredInstance(connectorAt(place), database, live, work),
    parts: (source, session, table, where) => partsOf(source, session, table, where, partRows),
  };
}
