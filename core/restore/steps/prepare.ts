import type { Client } from 'pg';
import { contentsOf, type Manifest, objectsOf } from '../../archive/manifest';
import { withConnection } from '../../database/connector';
import { readMigrationFiles } from '../../migrations/files';
import { assertHistory } from '../../migrations/journal';
import { OperationError } from '../../runtime/errors';
import { restoreDatabaseSettings } from '../../schema/apply/database';
import { Deviations } from '../../schema/apply/deviations';
import { applyBefore } from '../../schema/apply/restore-schema';
import type { ReadSchema } from '../../schema/read-schema';
import { readArchivedSchema } from '../archived-schema';
import { assertExpectedTables } from '../compare-tables';
import { createLargeObjects } from '../large-objects';
import { largeObjectsOf, loadRowsOfExtensions, prepareWriter } from '../load-into';
import { createDatabase, dropDatabase, MAINTENANCE_DATABASE } from '../new-database';
import { asAdministrator, assertErasuresReadable, prepareServer, type RestoreDependencies } from '../restore-phases';
import { assertCopySettings } from '../verified-archive';
import { VerifiedObjects, verifySizes } from '../verified-objects';
import { scratchPrefix, type SteppedPurpose } from '../scratch-names';
import { waitForLock } from './alone';
import { createJournal } from './journal';
import { planAfter } from './keys';
import { planGroups } from './load-groups';
import { assertNoDrillRunning, findResumable, sweepRestoring } from './leftovers';

/** What a restore by many calls was asked for. */
export interface StepsRequest {
  readonly manifest: Manifest;
  readonly manifestSha256: string;
  readonly targetDatabase: string;
  /** @default restoring */
  readonly purpose?: SteppedPurpose;
  /** Name of the database until it is proven: `restoring_…` or `drilling_…`, by the start of the restore. */
  readonly name: string;
  /** Bytes of COPY text that one call loads. @default 1 GiB */
  readonly groupBytes?: number | undefined;
}

/** A database that rows can be loaded into. */
export interface Prepared {
  readonly name: string;
  /** Whether an earlier restore of the same archive to the same name was killed, and this one goes on. */
  readonly resumed: boolean;
  /** Groups of rows, each of which is a call. */
  readonly groups: number;
  /** Tables whose indexes are built by calls of their own. */
  readonly builds: number;
}

/**
 * Prepares a database for its rows: roles, database and settings, and the schema before the rows. A database that a killed
 * restore of the same archive to the same name has left is taken up. Bytes of objects are verified as they are loaded.
 *
 * @throws OperationError as `restoreArchive` does; `archive_unsupported` for an archive of version 1; `drill_running`
 */
export async function prepareSteps(dependencies: RestoreDependencies, request: StepsRequest): Promise<Prepared> {
  const { connector } = dependencies;
  const { purpose = 'restoring' } = request;
  return withConnection(
    connector,
    async (client) => {
      // A call that was given up may still run, and a second drill may start: the later one has to see what the first has made.
      await waitForLock(client, `preparation of ${scratchPrefix(purpose, connector.target.database)}`);
      return prepareAlone(dependencies, request);
    },
    MAINTENANCE_DATABASE,
  );
}

async function prepareAlone(dependencies: RestoreDependencies, request: StepsRequest): Promise<Prepared> {
  const { connector, store, log } = dependencies;
  const { manifest, manifestSha256, targetDatabase, purpose = 'restoring', name } = request;
  if (manifest.version === 1) {
    throw new OperationError(
      'archive_unsupported',
      `The archive of ${manifest.slot} has version 1, which is restored by one call: name a smaller one, or another archive`,
    );
  }
  await assertErasuresReadable(dependencies);
  assertHistory(
    manifest.migrations,
    await readMigrationFiles(dependencies.migrationsDirectory),
    `The archive of ${manifest.slot}`,
  );
  assertCopySettings(manifest);
  const objects = new VerifiedObjects(store, 0);
  const schema = await readArchivedSchema(dependencies, { manifest, objects });
  const plan = {
    groups: planGroups(manifest, request.groupBytes).length,
    builds: planAfter(schema.after, manifest.tables).builds.length,
  };
  const asked = { slot: manifest.slot, manifestSha256, targetDatabase };
  const left = await findResumable(connector, purpose, asked);
  await sweepRestoring(connector, log, dependencies.clock());
  if (left !== undefined) {
    log.warn('A restore was killed; this one continues it', { ...asked, name: left });
    return { name: left, resumed: true, ...plan };
  }
  if (purpose === 'drilling') await assertNoDrillRunning(connector, name);
  await verifySizes(store, manifest, objectsOf(manifest));
  const deviations = new Deviations();
  const rolesCreated = await prepareServer(dependencies, schema.facts, deviations);
  // Of this restore, whose call was repeated before there was anything to go on from.
  await dropDatabase(connector, name);
  await createDatabase(connector, name, manifest.server);
  await asAdministrator(connector, (client) =>
    restoreDatabaseSettings(client, name, schema.facts.database, deviations),
  );
  await withConnection(connector, (client) => fill(client, objects, manifest, schema, deviations), name);
  const record = { ...asked, rolesCreated, deviations: deviations.all() };
  await withConnection(connector, (client) => createJournal(client, record), name);
  log.info('Database prepared for its rows', { ...asked, name, ...plan, tables: contentsOf(manifest).length });
  return { name, resumed: false, ...plan };
}

/** What comes before the rows, and the few that others may refer to. */
async function fill(
  client: Client,
  objects: VerifiedObjects,
  manifest: Manifest,
  schema: ReadSchema,
  deviations: Deviations,
): Promise<void> {
  await applyBefore(client, schema, deviations);
  await assertExpectedTables(client, manifest.tables);
  await prepareWriter(client, schema.facts);
  await client.query('SET synchronous_commit = on');
  await loadRowsOfExtensions(objects, client, manifest.tables, deviations);
  const [metadata] = largeObjectsOf(manifest);
  if (metadata) await createLargeObjects(objects, client, metadata);
}
