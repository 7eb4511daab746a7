import type { DatabaseConnector } from '../database/connector';
import { withConnection } from '../database/connector';
import { prepareSession } from '../database/session';
import type { Manifest } from '../archive/manifest';
import { applyMigrations } from '../migrations/runner';
import type { Log } from '../runtime/telemetry';
import { readCurrent } from '../schema/capture';
import { type ReadSchema, readSchema } from '../schema/read-schema';
import { readArchivedTexts } from './archived-texts';
import { createDatabase, dropOrLog } from './new-database';
import { scratchName } from './scratch-names';
import type { VerifiedArchive } from './verified-archive';

export interface SchemaDependencies {
  /** The server on which a database may be made for a moment. */
  readonly connector: DatabaseConnector;
  /** Folder with the migrations of the connector's database. */
  readonly migrationsDirectory: string;
  /** File of pg_dump's thread. @default the one beside the running bundle */
  readonly pgDumpWorker?: string;
  readonly log: Log;
  readonly clock: () => Date;
}

/**
 * The schema of an archive. An archive of version 1 has none: its schema is what its migrations make in a new database.
 *
 * @throws OperationError `schema_malformed`, `archive_damaged`; for version 1 as {@link applyMigrations} does
 */
export async function readArchivedSchema(
  dependencies: SchemaDependencies,
  { manifest, objects }: Pick<VerifiedArchive, 'manifest' | 'objects'>,
): Promise<ReadSchema> {
  if (manifest.version === 1) return schemaOfMigrations(dependencies, manifest);
  return readSchema(await readArchivedTexts(objects, manifest));
}

/** Applies the migrations of an archive to a new database, captures what they make, and drops it again. */
async function schemaOfMigrations(
  { connector, migrationsDirectory, pgDumpWorker: workerFile, log, clock }: SchemaDependencies,
  { database, server, migrations }: Manifest,
): Promise<ReadSchema> {
  const name = scratchName('schema', connector.target.database, clock());
  await createDatabase(connector, name, server);
  try {
    await withConnection(
      connector,
      async (client) => {
        await prepareSession(client, 0);
        await applyMigrations(client, database, migrationsDirectory, { upTo: migrations.at(-1)?.name });
      },
      name,
    );
    return await readCurrent({ connector, database: name, workerFile });
  } finally {
    await dropOrLog(connector, name, log);
  }
}
