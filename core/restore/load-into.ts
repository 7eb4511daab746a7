import type { Client } from 'pg';
import { applyCopySettings, qualified } from '../archive/copy-session';
import type { ArchivedTable, Manifest } from '../archive/manifest';
import { withConnections } from '../database/connections';
import type { DatabaseConnector } from '../database/connector';
import { withConnection } from '../database/connector';
import { prepareSession } from '../database/session';
import { OperationError } from '../runtime/errors';
import type { Deviations } from '../schema/apply/deviations';
import { applyAfter, applyBefore } from '../schema/apply/restore-schema';
import { searchPathClause } from '../schema/apply/settings';
import type { SchemaFacts } from '../schema/contract';
import type { ReadSchema } from '../schema/read-schema';
import { KeyBuilder } from './build-keys';
import { assertExpectedTables, assertRowCounts } from './compare-tables';
import { loadLargeObjects } from './large-objects';
import { loadTables } from './load';
import { advanceSequences, restoreSequences } from './sequences';
import { collectStatistics } from './statistics';
import type { VerifiedArchive } from './verified-archive';

/** Connections that load at once; the server has two cores in the smallest tier, and building indexes is its work. */
const WORKERS = 2;

export interface LoadDependencies {
  /** The server of the new database. */
  readonly connector: DatabaseConnector;
  /** Connections that load at once. @default 2 */
  readonly workers?: number;
}

/** What is in a loaded database. */
export interface Loaded {
  /** Foreign keys that hold for every row. */
  readonly foreignKeysValidated: number;
  readonly sequencesRestored: number;
}

/**
 * Loads an archive into a new, empty database: what tables need, the rows, and then what checks them and what decides who
 * may use them. No key, trigger, rule or policy is there while the rows are loaded.
 *
 * @param name of the new database
 * @param deviations takes what the server refuses; see `runEntries`
 * @param checkRows called while statistics are collected, with everything in place but owners and privileges
 * @throws OperationError `archive_damaged` naming the object, `archive_inconsistent` naming table or key,
 * `schema_not_applied`, `disk_full`; and, retryable, `store_unavailable`, `database_unavailable`
 */
export async function loadInto(
  { connector, workers = WORKERS }: LoadDependencies,
  { manifest, tables, objects }: VerifiedArchive,
  schema: ReadSchema,
  name: string,
  deviations: Deviations,
  checkRows: () => Promise<void>,
): Promise<Loaded> {
  const { facts } = schema;
  const options = { count: workers, database: name, prepare: (writer: Client) => prepareWriter(writer, facts) };
  return inLoadedDatabase(connector, name, schema, deviations, async (client) => {
    await assertExpectedTables(client, tables);
    return withConnections(connector, options, async (writers) => {
      const [first] = writers;
      if (!first) throw new RangeError('Loading tables takes at least one connection');
      await loadRowsOfExtensions(objects, first, tables, deviations);
      const keys = new KeyBuilder(schema.after, tables, deviations);
      const ours = tables.filter(({ extension }) => extension === undefined);
      await loadTables(objects, ours, writers, keys.builds);
      await loadLargeObjects(objects, first, largeObjectsOf(manifest), deviations);
      const sequencesRestored = await restoreSequences(client, manifest.sequences, sequencesOf(facts), deviations);
      await assertRowCounts(writers, tables);
      await advanceSequences(client, deviations);
      await applyAfter(client, schema, deviations, {
        makeKeys: (entries) => keys.finish(client, writers, entries),
        beforeOwners: async () => {
          await Promise.all([collectStatistics(client, writers, deviations), checkRows()]);
        },
      });
      return { foreignKeysValidated: await countForeignKeys(client), sequencesRestored };
    });
  });
}

/**
 * Loads some tables of an archive into a new, empty database, to be read there and dropped. Without keys, whose parents
 * need not be loaded, and with the restoring role as the owner of everything.
 *
 * @throws OperationError as {@link loadInto} does
 */
export async function loadTablesInto(
  { connector, workers = WORKERS }: LoadDependencies,
  { tables, objects }: VerifiedArchive,
  schema: ReadSchema,
  name: string,
  deviations: Deviations,
): Promise<void> {
  const prepare = (writer: Client) => prepareWriter(writer, schema.facts);
  await inLoadedDatabase(connector, name, schema, deviations, () =>
    withConnections(connector, { count: workers, database: name, prepare }, (writers) =>
      loadTables(objects, tables, writers),
    ),
  );
}

async function inLoadedDatabase<T>(
  connector: DatabaseConnector,
  name: string,
  schema: ReadSchema,
  deviations: Deviations,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  return withConnection(
    connector,
    async (client) => {
      await prepareSession(client, 0);
      await applyBefore(client, schema, deviations);
      return work(client);
    },
    name,
  );
}

/**
 * Prepares a connection for loading. A crash would lose the whole new database anyway, so commits need not wait. Checks and
 * generated columns may call functions that do not qualify their names, so the path is that of the database and its roles.
 */
export async function prepareWriter(writer: Client, facts: SchemaFacts): Promise<void> {
  await applyCopySettings(writer);
  await writer.query(searchPathClause(facts));
  await writer.query('SET synchronous_commit = off');
}

/** Rows of tables that an extension has made, parents first, into which another role's objects may refer. */
export async function loadRowsOfExtensions(
  objects: VerifiedArchive['objects'],
  writer: Client,
  tables: readonly ArchivedTable[],
  deviations: Deviations,
): Promise<void> {
  const found = await writer.query<{ name: string }>('SELECT extname AS name FROM pg_catalog.pg_extension');
  const made = new Set(found.rows.map(({ name }) => name));
  for (const table of tables) {
    const { extension, rows } = table;
    if (extension === undefined || rows === 0) continue;
    const lacking = [`TABLE ${table.schema}.${table.name}`, `its ${rows} rows are not loaded`] as const;
    if (!made.has(extension)) {
      deviations.add(...lacking, `extension ${extension} was not made`);
      continue;
    }
    try {
      await loadTables(objects, [table], [writer]);
    } catch (error) {
      if (!(error instanceof OperationError) || error.code !== 'archive_inconsistent') throw error;
      await writer.query('ROLLBACK');
      deviations.add(...lacking, error);
    }
  }
}

export function largeObjectsOf(manifest: Manifest): readonly ArchivedTable[] {
  return manifest.version === 1 ? [] : (manifest.largeObjects ?? []);
}

export function sequencesOf({ extensions }: SchemaFacts): ReadonlySet<string> {
  return new Set(extensions.flatMap(({ sequences }) => sequences.map((sequence) => qualified(sequence))));
}

/** Each was checked against every row when it was made, or afterwards. */
export async function countForeignKeys(client: Client): Promise<number> {
  const keys = await client.query(
    `SELECT FROM pg_catalog.pg_constraint WHERE contype = 'f' AND conparentid = 0 AND convalidated`,
  );
  return keys.rowCount ?? 0;
}
