import { serverWithLz4 } from '../../bench/support/server-with-lz4';
import { normaliseSlot } from '../../core/archive/slot';
import { createConnector } from '../../core/database/connector';
import { applyMigrations } from '../../core/migrations/runner';
import { archiveDatabase } from '../../lambdas/backup/archive-database';
import { runRestore } from '../../lambdas/restore/core';
import { migrationsOf } from '../factories/archive';
import { createManifestKey } from '../support/archive-key';
import { asAdministrator, clusterSecrets, clusterTarget } from '../support/database';
import { noErasures } from '../support/erasures';
import { silentLog } from '../support/log';
import { createBucket, objectStore } from '../support/object-store';
import { type OtherServer, startOtherServer } from '../support/other-server';
import { PG_DUMP_WORKER } from '../support/schema';
import { unavailable } from './tools';

/** Billing on a server that has LZ4, as RDS does; the one of the tests has none. */
const folder = found();

function found(): string | undefined {
  try {
    return serverWithLz4();
  } catch (error) {
    return unavailable('a PostgreSQL with LZ4', String(error));
  }
}

/** Of 6 kB, as Stripe's are, and of so much randomness that a third of it stays. */
const EVENTS = `INSERT INTO billing.webhook_events (provider, id, type, source, status, attempts, occurred_at, received_at, processed_at, livemode, payload)
  SELECT 'stripe', 'evt_' || n, 'plan.created', 'webhook', 'ignored', 1, now(), now(), now(), false,
    jsonb_build_object('id', 'evt_' || n, 'data', (SELECT jsonb_agg(jsonb_build_object('period', 1764547200, 'quantity', 1, 'reference', md5(n || '-' || i))) FROM generate_series(1, 70) i))
  FROM generate_series(1, 20) n`;
const SUM = `SELECT count(*)::int AS events, md5(string_agg(payload::text, '' ORDER BY id)) AS sum FROM billing.webhook_events`;

jest.setTimeout(120_000);

(folder === undefined ? describe.skip : describe)('billing on a server with LZ4', () => {
  const store = { s3: objectStore(), bucket: '', signingKey: createManifestKey() };
  let server: OtherServer;

  const connector = () => server.connector({ name: 'billing', database: 'billing' });
  const restoring = () => ({
    store,
    migrationsDirectory: migrationsOf('billing'),
    pgDumpWorker: PG_DUMP_WORKER,
    erasures: noErasures,
    log: silentLog,
    clock: () => new Date(),
  });

  beforeAll(async () => {
    server = await startOtherServer(folder ?? '');
    Object.assign(store, { bucket: await createBucket(store.s3) });
    await server.query('postgres', 'CREATE DATABASE billing TEMPLATE template0');
    const client = await connector().connect();
    await applyMigrations(client, 'billing', migrationsOf('billing'));
    await client.end();
    await server.query('billing', EVENTS);
    await archiveDatabase(
      { ...restoring(), connector: connector(), retentionDays: 90 },
      normaliseSlot('2026-11-21T06:00:00Z'),
    );
  });

  afterAll(async () => {
    store.s3.destroy();
    await server.stop();
  });

  test('events are compressed with it, in their rows', async () => {
    const stored = await server.query(
      'billing',
      `SELECT DISTINCT pg_column_compression(payload) AS method, pg_column_size(payload) < 4080 AS fits,
         pg_relation_size((SELECT reltoastrelid FROM pg_class WHERE oid = 'billing.webhook_events'::regclass)) AS apart
       FROM billing.webhook_events`,
    );
    expect(stored).toEqual([{ method: 'lz4', fits: true, apart: '0' }]);
  });

  test('its archive is restored there as it was', async () => {
    const report = await runRestore(
      { ...restoring(), connector: connector() },
      { archive: 'latest', targetDatabase: 'billing_restored', afterwards: 'keep' },
    );
    expect(report).toMatchObject({ outcome: 'restored', deviations: [], schemaDifferences: [] });
    expect(await server.query('billing_restored', SUM)).toEqual(await server.query('billing', SUM));
  });

  test('its archive is restored on a server without LZ4, which says so', async () => {
    const targetDatabase = `restored_lz4_${process.pid}`;
    const without = createConnector(clusterTarget('billing', 'billing'), clusterSecrets(), 'test');
    const report = await runRestore(
      { ...restoring(), connector: without },
      { archive: 'latest', targetDatabase, afterwards: 'keep' },
    );
    try {
      expect(report).toMatchObject({ outcome: 'restored', schemaDifferences: [] });
      expect(report.deviations.map(({ object, consequence }) => `${object}: ${consequence}`).toSorted()).toEqual(
        ['charges', 'invoices', 'payment_intents', 'subscriptions', 'webhook_events'].map(
          (table) => `TABLE billing.${table}: made without LZ4 for its columns`,
        ),
      );
      const { rows } = await asAdministrator((client) => client.query(SUM), targetDatabase);
      expect(rows).toEqual(await server.query('billing', SUM));
    } finally {
      await asAdministrator((client) => client.query(`DROP DATABASE ${targetDatabase} WITH (FORCE)`));
    }
  });
});
