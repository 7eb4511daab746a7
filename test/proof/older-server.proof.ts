import { createConnector } from '../../core/database/connector';
import { applyMigrations } from '../../core/migrations/runner';
import { normaliseSlot } from '../../core/archive/slot';
import { archiveDatabase } from '../../lambdas/backup/archive-database';
import { runRestore } from '../../lambdas/restore/core';
import { waitUntil } from '../../local/pass/check';
import { migrationsOf } from '../factories/archive';
import { createManifestKey } from '../support/archive-key';
import { startMoveServers } from '../support/move-servers';
import { asAdministrator, clusterSecrets, clusterTarget } from '../support/database';
import { noErasures } from '../support/erasures';
import { silentLog } from '../support/log';
import { createBucket, objectStore } from '../support/object-store';
import { type OtherServer, startOtherServer } from '../support/other-server';
import { PG_DUMP_WORKER } from '../support/schema';
import { postgresPackage } from './tools';

/** A company's database on the major version before ours, sorted by rules of its own. */
const VERSION = '16.14.0-beta.17';
const folder = postgresPackage(VERSION);
const COMPANY = `
  CREATE SCHEMA app;
  CREATE TABLE app.customers (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE);
  INSERT INTO app.customers (name) VALUES ('b'), ('a'), ('z');
  CREATE VIEW app.sorted AS SELECT name FROM app.customers ORDER BY name;`;

jest.setTimeout(120_000);

(folder === undefined ? describe.skip : describe)(`a database of PostgreSQL ${VERSION}`, () => {
  const store = { s3: objectStore(), bucket: '', signingKey: createManifestKey() };
  let server: OtherServer;
  const connector = () => server.connector({ name: 'main', database: 'company', managed: 'elsewhere' });
  const restoring = () => ({
    store,
    migrationsDirectory: migrationsOf('adopted'),
    pgDumpWorker: PG_DUMP_WORKER,
    erasures: noErasures,
    log: silentLog,
    clock: () => new Date(),
  });

  beforeAll(async () => {
    server = await startOtherServer(folder ?? '');
    Object.assign(store, { bucket: await createBucket(store.s3) });
    await server.query(
      'postgres',
      `CREATE DATABASE company TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'
         LOCALE_PROVIDER icu ICU_LOCALE 'und' ICU_RULES '&z < a'`,
    );
    await server.query('company', COMPANY);
    const client = await connector().connect();
    await applyMigrations(client, 'main', migrationsOf('adopted'), { adopt: 'company' });
    await client.end();
    await archiveDatabase(
      { ...restoring(), connector: connector(), retentionDays: 90 },
      normaliseSlot('2026-11-21T06:00:00Z'),
    );
  });

  afterAll(async () => {
    store.s3.destroy();
    await server.stop();
  });

  const SORTED = 'SELECT * FROM app.sorted';
  const sorted = [{ name: 'b' }, { name: 'z' }, { name: 'a' }];

  test('is archived and restored there, sorted by the same rules', async () => {
    const report = await runRestore(
      { ...restoring(), connector: connector() },
      { archive: 'latest', targetDatabase: 'company_before', afterwards: 'keep' },
    );
    expect(report).toMatchObject({ outcome: 'restored', deviations: [], schemaDifferences: [] });
    const locale = (name: string) =>
      server.query('postgres', `SELECT daticulocale, daticurules FROM pg_database WHERE datname = '${name}'`);
    expect(await locale('company_before')).toEqual(await locale('company'));
    expect(await server.query('company_before', SORTED)).toEqual(sorted);
  });

  test('is restored on a server of the version in use', async () => {
    const targetDatabase = `restored_older_${process.pid}`;
    const newer = createConnector(
      { ...clusterTarget('company', 'main'), managed: 'elsewhere' },
      clusterSecrets(),
      'test',
    );
    const report = await runRestore(
      { ...restoring(), connector: newer },
      { archive: 'latest', targetDatabase, afterwards: 'keep' },
    );
    try {
      expect(report).toMatchObject({ outcome: 'restored', deviations: [] });
      expect((await asAdministrator((client) => client.query(SORTED), targetDatabase)).rows).toEqual(sorted);
    } finally {
      await asAdministrator((client) => client.query(`DROP DATABASE ${targetDatabase} WITH (FORCE)`));
    }
  });

  test('is moved to a server of the version in use', async () => {
    const servers = await startMoveServers(folder);
    try {
      await servers.rows(
        'old',
        `INSERT INTO billing.customers SELECT 'cus_' || n, now() FROM generate_series(1, 500) n`,
      );
      expect((await servers.plan()).checks.filter(({ ok }) => !ok)).toEqual([]);
      await servers.step({ action: 'copy' });
      await waitUntil(async () => {
        const rows = await servers.rows('new', `SELECT FROM pg_subscription_rel WHERE srsubstate <> 'r'`);
        return rows.length === 0 ? undefined : `${rows.length} tables are being copied`;
      }, 30_000);
      await servers.step({ action: 'verify' });
      expect(await servers.confirmed({ action: 'cut-over' })).toMatchObject({ stage: 'cut-over' });
      const COUNTED = `SELECT count(*)::int AS rows, current_setting('server_version_num')::int / 10000 AS major FROM billing.customers`;
      expect(await servers.rows('old', COUNTED)).toEqual([{ rows: 500, major: 16 }]);
      expect(await servers.rows('new', COUNTED)).toEqual([{ rows: 500, major: 17 }]);
    } finally {
      await servers.stop();
    }
  });
});
