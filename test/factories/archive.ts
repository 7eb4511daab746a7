import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { randomBytes } from 'node:crypto';
import { cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ClientBase } from 'pg';
import { archiveDatabase, type ArchiveOrExportDependencies } from '../../lambdas/backup/archive-database';
import type { RestoreReport, RestoreRequest } from '../../lambdas/restore/contract';
import { runRestore } from '../../lambdas/restore/core';
import type { RestoreDependencies } from '../../core/restore/restore-archive';
import { signatureKey } from '../../core/archive/keys';
import { type Manifest, ownKey } from '../../core/archive/manifest';
import type { ManifestKey } from '../../core/archive/manifest-key';
import type { SignedStore } from '../../core/archive/signed-manifest';
import { normaliseSlot } from '../../core/archive/slot';
import type { ArchiveStore } from '../../core/archive/store';
import { ADOPTED_MIGRATIONS, type DatabaseName } from '../../core/contract';
import { createConnector } from '../../core/database/connector';
import { applyMigrations } from '../../core/migrations/runner';
import {
  asAdministrator,
  clusterSecrets,
  clusterTarget,
  createTestDatabase,
  type TestDatabase,
} from '../support/database';
import { createManifestKey } from '../support/archive-key';
import { noErasures } from '../support/erasures';
import { silentLog } from '../support/log';
import { PG_DUMP_WORKER } from '../support/schema';
import { createBucket, objectStore } from '../support/object-store';

/** An environment without a cache of entitlements. */
export const noCache = { invalidate: async () => undefined };

/** Folder of a database's migrations in the repository. */
export function migrationsOf(database: DatabaseName | typeof ADOPTED_MIGRATIONS): string {
  return path.join(__dirname, '../../migrations', database);
}

/** A copy of a database's migrations that a test may change. */
export interface MigrationsCopy {
  readonly directory: string;
  /** Adds a migration behind the last one; returns its name. */
  add(verbObject: string, up: string): Promise<string>;
  remove(): Promise<void>;
}

export async function copyMigrations(database: Parameters<typeof migrationsOf>[0]): Promise<MigrationsCopy> {
  const directory = await mkdtemp(path.join(tmpdir(), 'migrations-'));
  await cp(migrationsOf(database), directory, { recursive: true });
  return {
    directory,
    async add(verbObject, up) {
      const number = (await readdir(directory)).length + 1;
      const name = `${String(number).padStart(4, '0')}_${verbObject}`;
      await writeFile(path.join(directory, `${name}.sql`), `-- Up Migration\n${up}\n-- Down Migration\n`);
      return name;
    },
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

/** A migrated database with a bucket for its archives. */
export interface ArchiveSite {
  readonly source: TestDatabase;
  readonly store: SignedStore;
  readonly migrations: MigrationsCopy;
  backup(slot: string, overrides?: Partial<ArchiveOrExportDependencies>): ReturnType<typeof archiveDatabase>;
  /** Restores into a new database, whose name is in the report. */
  restore(archive?: string, overrides?: Partial<RestoreDependencies>): Promise<RestoreReport>;
  /** Restores the latest archive and drops the result. */
  drill(): Promise<RestoreReport>;
  /** Databases that restores of this site have created and not dropped. */
  leftovers(): Promise<string[]>;
  remove(): Promise<void>;
}

/**
 * @param extraSchema SQL of one more migration behind the repository's
 * @param signingKey of its archives; @default one of its own
 */
export async function createArchiveSite(
  database: DatabaseName,
  extraSchema?: string,
  signingKey: ManifestKey = createManifestKey(),
): Promise<ArchiveSite> {
  const [source, migrations] = await Promise.all([createTestDatabase(database), copyMigrations(database)]);
  if (extraSchema !== undefined) {
    await migrations.add('create_extras', extraSchema);
    await applyMigrations(await source.client(), database, migrations.directory);
  }
  return archiveSiteOf(database, source, migrations, signingKey);
}

/** The site of a main database whose tables another tool made, before this platform has seen it. */
export async function createForeignSite(tables: string): Promise<ArchiveSite> {
  const [source, migrations] = await Promise.all([createTestDatabase('empty'), copyMigrations(ADOPTED_MIGRATIONS)]);
  await asAdministrator((client) => client.query(tables), source.name);
  return archiveSiteOf('main', source, migrations, createManifestKey());
}

async function archiveSiteOf(
  database: DatabaseName,
  source: TestDatabase,
  migrations: MigrationsCopy,
  signingKey: ManifestKey,
): Promise<ArchiveSite> {
  const s3 = objectStore();
  const store = { s3, bucket: await createBucket(s3), signingKey };
  const connector = createConnector(clusterTarget(source.name, database), clusterSecrets(), 'test');
  const clock = () => new Date();
  const family = `restored_${randomBytes(4).toString('hex')}`;
  let restores = 0;
  const leftovers = () =>
    asAdministrator(async (administrator) => {
      const found = await administrator.query<{ datname: string }>(
        'SELECT datname FROM pg_database WHERE starts_with(datname, $1)',
        [family],
      );
      return found.rows.map((row) => row.datname);
    });
  const restore = (
    request: Pick<RestoreRequest, 'archive' | 'afterwards'>,
    overrides: Partial<RestoreDependencies> = {},
  ) => {
    restores += 1;
    return runRestore(
      {
        connector,
        store,
        migrationsDirectory: migrations.directory,
        pgDumpWorker: PG_DUMP_WORKER,
        erasures: noErasures,
        log: silentLog,
        clock,
        ...overrides,
      },
      { ...request, targetDatabase: `${family}_${restores}` },
    );
  };
  return {
    source,
    store,
    migrations,
    backup: async (slot, overrides = {}) =>
      archiveDatabase(
        { connector, store, retentionDays: 90, pgDumpWorker: PG_DUMP_WORKER, log: silentLog, clock, ...overrides },
        normaliseSlot(slot),
      ),
    restore: (archive = 'latest', overrides = {}) => restore({ archive, afterwards: 'keep' }, overrides),
    drill: () => restore({ archive: 'latest', afterwards: 'drop' }),
    leftovers,
    async remove() {
      s3.destroy();
      for (const name of await leftovers()) {
        await asAdministrator((administrator) => administrator.query(`DROP DATABASE ${name} WITH (FORCE)`));
      }
      await Promise.all([source.drop(), migrations.remove()]);
    },
  };
}

export async function readObject({ s3, bucket }: ArchiveStore, key: string): Promise<Buffer> {
  const object = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  return Buffer.from((await object.Body?.transformToByteArray()) ?? []);
}

export async function replaceObject({ s3, bucket }: ArchiveStore, key: string, body: Buffer | string): Promise<void> {
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body }));
}

/** Puts another manifest in the place of an archive's, signed as if a backup had written it. */
export async function replaceManifest(store: SignedStore, manifest: Manifest): Promise<void> {
  const bytes = Buffer.from(JSON.stringify(manifest));
  const { database, slot, attempt } = manifest;
  await replaceObject(store, signatureKey(database, slot, attempt), await store.signingKey.sign(bytes));
  await replaceObject(store, ownKey(manifest), bytes);
}

export async function listKeys({ s3, bucket }: ArchiveStore): Promise<string[]> {
  const listed = await s3.send(new ListObjectsV2Command({ Bucket: bucket }));
  return (listed.Contents ?? []).map((object) => object.Key ?? '');
}

/** The manifest as the bucket has it. */
export async function manifestAt(store: ArchiveStore, key: string): Promise<Manifest> {
  return JSON.parse((await readObject(store, key)).toString('utf8')) as Manifest;
}

/** Every row of every table of a database as text, by table, to compare one database with another. */
export function contentOf(database: string): Promise<Record<string, string[]>> {
  return asAdministrator(contentIn, database);
}

/** As {@link contentOf}, by a connection to the database, which need not be one of the test cluster's. */
export async function contentIn(client: ClientBase): Promise<Record<string, string[]>> {
  const tables = await client.query<{ name: string }>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1`,
  );
  const content: Record<string, string[]> = {};
  for (const { name } of tables.rows) {
    // An alias that is no column's name: a column of the same name would take precedence over the row.
    const rows = await client.query<{ line: string }>(
      `SELECT whole_row::text AS line FROM ONLY ${name} AS whole_row ORDER BY 1`,
    );
    content[name] = rows.rows.map((row) => row.line);
  }
  return content;
}
