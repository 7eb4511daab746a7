import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { runRestore } from '../../../lambdas/restore/core';
import { findArchive } from '../../../core/restore/select-archive';
import type { Manifest } from '../../../core/archive/manifest';
import { applyMigrations } from '../../../core/migrations/runner';
import {
  type ArchiveSite,
  contentOf,
  createArchiveSite,
  manifestAt,
  migrationsOf,
  readObject,
  replaceManifest,
  replaceObject,
} from '../../factories/archive';
import { noErasures } from '../../support/erasures';
import { silentLog } from '../../support/log';
import { PG_DUMP_WORKER } from '../../support/schema';
import { EVERY_KIND_OF_TABLE, EVERY_KIND_OF_VALUE } from '../../factories/every-kind';
import { asAdministrator } from '../../support/database';

const SLOT = '2026-11-21T06:00:00Z';

/** A customer with a refunded charge: keys, and an append-only ledger. */
const CHARGE = `
  INSERT INTO billing.customers VALUES ('cus_1', now());
  INSERT INTO billing.charges (id, customer_id, status, amount, amount_refunded, currency, created_at, version, raw)
    VALUES ('ch_1', 'cus_1', 'succeeded', 1000, 400, 'eur', now(), '', '{"id": "ch_1"}');
  INSERT INTO billing.refund_ledger (entry, kind, charge_id, refunded_total, currency)
    VALUES ('ch_1:100', 'reported', 'ch_1', 100, 'eur'), ('ch_1:400', 'reported', 'ch_1', 400, 'eur');
  INSERT INTO billing.reconciliation_runs (status, dry_run, window_start, started_at) VALUES ('running', false, now(), now());`;

/** Enough rows for the indexes to be built after loading. */
const MANY_CUSTOMERS = `INSERT INTO billing.customers SELECT 'cus_' || n, now() FROM generate_series(2, 6000) AS n;`;

/** Every index and constraint of a database, as PostgreSQL describes them. */
async function schemaOf(database: string): Promise<string[]> {
  return asAdministrator(async (client) => {
    const found = await client.query<{ line: string }>(
      `SELECT pg_get_indexdef(i.oid) AS line FROM pg_class i WHERE i.relkind IN ('i', 'I') AND i.relnamespace NOT IN
         ('pg_catalog'::regnamespace, 'pg_toast'::regnamespace)
       UNION ALL SELECT format('%s %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated)
       FROM pg_constraint ORDER BY 1`,
    );
    return found.rows.map(({ line }) => line);
  }, database);
}

let site: ArchiveSite;

afterEach(async () => {
  await site.remove();
});

async function seed(sql: string): Promise<void> {
  await (await site.source.client()).query(sql);
}

/** The first object of a table in the archive of {@link SLOT}. */
async function partOf(table: string) {
  const key = 'archives/billing/20261121T060000Z/manifest.json';
  const manifest = await manifestAt(site.store, key);
  const part = manifest.tables.find((candidate) => candidate.name === table)?.parts[0];
  if (!part) throw new Error(`${table} has no part`);
  const save = (changed: Manifest) => replaceManifest(site.store, changed);
  /** Puts other bytes in the place of the object, and into the manifest. */
  const replaceByManifest = async (object: Buffer): Promise<void> => {
    await replaceObject(site.store, part.key, object);
    const compressedBytes = object.length;
    const grown = compressedBytes - part.compressedBytes;
    const changed = { ...part, compressedBytes, sha256: createHash('sha256').update(object).digest('hex') };
    await save({
      ...manifest,
      compressedBytes: manifest.compressedBytes + grown,
      tables: manifest.tables.map((one) =>
        one.name === table ? { ...one, compressedBytes: one.compressedBytes + grown, parts: [changed] } : one,
      ),
    });
  };
  return { manifest, part, save, replaceByManifest };
}

describe('an archive of anything that PostgreSQL stores', () => {
  beforeEach(async () => {
    site = await createArchiveSite('billing', EVERY_KIND_OF_TABLE);
  });

  test('is restored row for row, whatever the session settings of source and target', async () => {
    await seed(EVERY_KIND_OF_VALUE);
    await seed(CHARGE);
    await seed(MANY_CUSTOMERS);
    await asAdministrator((client) =>
      client.query(`ALTER DATABASE ${site.source.name} SET DateStyle = 'German'; ALTER DATABASE ${site.source.name} SET TimeZone = 'Asia/Kathmandu';
        ALTER DATABASE ${site.source.name} SET IntervalStyle = 'sql_standard'; ALTER DATABASE ${site.source.name} SET bytea_output = 'escape';
        ALTER DATABASE ${site.source.name} SET extra_float_digits = '-5'`),
    );
    await site.backup(SLOT);

    const report = await site.restore();

    for (const name of [site.source.name, report.targetDatabase]) {
      await asAdministrator((client) => client.query(`ALTER DATABASE ${name} RESET ALL`));
    }
    expect(await contentOf(report.targetDatabase)).toEqual(await contentOf(site.source.name));
    expect(await schemaOf(report.targetDatabase)).toEqual(await schemaOf(site.source.name));
    expect(report).toMatchObject({ slot: SLOT, kept: true, migratedForward: [] });
    expect(report.foreignKeysValidated).toBeGreaterThan(3);
    expect(report.invariantsChecked).toBeGreaterThan(0);
  });

  test('is loaded with rows marked as visible, so that their first reader need not write them again', async () => {
    await seed(MANY_CUSTOMERS);
    await site.backup(SLOT);
    const { targetDatabase } = await site.restore(SLOT);
    await asAdministrator(async (client) => {
      const { rows } = await client.query<{ pages: number; marked: number }>(
        `SELECT relpages AS pages, relallvisible AS marked FROM pg_class WHERE oid = 'billing.customers'::regclass`,
      );
      const { pages = 0, marked = 0 } = rows[0] ?? {};
      expect(pages).toBeGreaterThan(30);
      // Not all: COPY leaves a page unmarked that two of its batches share. Without freezing, none is marked.
      expect(marked / pages).toBeGreaterThan(0.6);
    }, targetDatabase);
  });

  test('continues where the source stopped: sequences, identity columns, triggers and keys', async () => {
    await seed(EVERY_KIND_OF_VALUE);
    await seed(CHARGE);
    await site.backup(SLOT);
    const { targetDatabase } = await site.restore(SLOT);
    await asAdministrator(async (client) => {
      const next = await client.query(
        `SELECT nextval('"Odd. Schema/é"."Counter"') AS counter, nextval('"Odd. Schema/é".untouched') AS untouched`,
      );
      expect(next.rows).toEqual([{ counter: '110', untouched: '1' }]);
      const run = await client.query(
        `INSERT INTO billing.reconciliation_runs (status, dry_run, window_start, started_at) VALUES ('running', false, now(), now()) RETURNING id`,
      );
      expect(run.rows).toEqual([{ id: '2' }]);
      await expect(client.query('DELETE FROM billing.refund_ledger')).rejects.toThrow('only grows');
      await expect(client.query('TRUNCATE billing.refund_ledger')).rejects.toThrow('only grows');
      await expect(client.query(`DELETE FROM billing.customers`)).rejects.toThrow('foreign key');
    }, targetDatabase);
  });
});

describe('a restore', () => {
  beforeEach(async () => {
    site = await createArchiveSite('billing');
    await seed(CHARGE);
    await site.backup(SLOT);
  });

  test('of the latest archive takes the newest one with a manifest', async () => {
    await site.backup('2026-11-20T06:00:00Z');
    await replaceObject(site.store, 'archives/billing/20261121T120000Z/attempt/billing.charges/00000.copy.zst', 'half');
    expect((await site.restore('latest')).slot).toBe(SLOT);
    expect((await site.restore('2026-11-20T06:00:00Z')).slot).toBe('2026-11-20T06:00:00Z');
    await expect(site.restore('2026-11-21T12:00:00Z')).rejects.toMatchObject({ code: 'archive_not_found' });
  });

  test('with notAfter takes the newest archive that was finished by then, whatever its slot', async () => {
    const at = (time: string) => ({ clock: () => new Date(time) });
    await site.backup('2026-11-20T00:00:00Z', at('2026-11-20T00:01:00Z'));
    // A retried backup: its slot is before the accident at 07:00, its data is not.
    await site.backup('2026-11-20T06:00:00Z', at('2026-11-20T07:30:00Z'));
    const before = (notAfter: string, archive = 'latest') =>
      findArchive(site.store, 'billing', { archive, notAfter }).then(({ slot }) => slot);
    expect(await before('2026-11-20T07:00:00Z')).toBe('2026-11-20T00:00:00Z');
    expect(await before('2026-11-20T08:30:00+01:00')).toBe('2026-11-20T06:00:00Z');
    await expect(before('2026-11-20T00:00:30Z')).rejects.toThrow('have RDS restore the instance to that second');
    await expect(before('2026-11-20T08:00:00Z', SLOT)).rejects.toMatchObject({ code: 'invalid_request' });
  });

  test.each([
    ['truncated', async (object: Buffer) => object.subarray(0, -1)],
    [
      'altered in one bit',
      async (object: Buffer) => Buffer.from(object.map((byte, at) => (at === 9 ? byte ^ 1 : byte))),
    ],
    ['missing', async () => undefined],
  ])('of an archive with an object %s names the object and writes nothing', async (_what, damage) => {
    const { part } = await partOf('charges');
    const damaged = await damage(await readObject(site.store, part.key));
    const { s3, bucket } = site.store;
    if (damaged) await replaceObject(site.store, part.key, damaged);
    else await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: part.key }));
    const created = jest.fn();
    const refusal = site.restore('latest', { log: { info: created, warn: created, error: created } });
    await expect(refusal).rejects.toMatchObject({ code: 'archive_damaged' });
    await expect(refusal).rejects.toThrow(part.key);
    expect(created).not.toHaveBeenCalled();
    expect(await site.leftovers()).toEqual([]);
  });

  test('of an archive whose rows violate a foreign key names the key and leaves no database', async () => {
    const { part, replaceByManifest } = await partOf('charges');
    const text = zstdDecompressSync(await readObject(site.store, part.key))
      .toString()
      .replace('cus_1', 'cus_9');
    const object = zstdCompressSync(text);
    await replaceByManifest(object);
    const refusal = site.restore();
    await expect(refusal).rejects.toMatchObject({ code: 'archive_inconsistent' });
    await expect(refusal).rejects.toThrow('charges_customer_id_fkey');
    expect(await site.leftovers()).toEqual([]);
  });

  test('of an object that no longer decompresses to what was compressed names the object and leaves no database', async () => {
    const { part, replaceByManifest } = await partOf('charges');
    const object = await readObject(site.store, part.key);
    // The last four bytes are the checksum of the text; by the manifest, they are what the backup wrote.
    await replaceByManifest(Buffer.from(object.with(object.length - 1, (object.at(-1) ?? 0) ^ 1)));
    const refusal = site.restore();
    await expect(refusal).rejects.toMatchObject({ code: 'archive_damaged' });
    await expect(refusal).rejects.toThrow(part.key);
    expect(await site.leftovers()).toEqual([]);
  });

  test('of an archive too large for memory refuses an object that changes after its verification, and leaves no database', async () => {
    const restored = await site.restore('latest', { cachedBytes: 0 });
    expect(await contentOf(restored.targetDatabase)).toEqual(await contentOf(site.source.name));

    const { part } = await partOf('charges');
    const text = zstdDecompressSync(await readObject(site.store, part.key)).toString();
    // As many rows and bytes, and a valid zstd stream: only its hash differs.
    const other = zstdCompressSync(text.replace('succeeded', 'cancelled'));
    const swap = jest.fn(() => void (swapping ??= replaceObject(site.store, part.key, other)));
    let swapping: Promise<void> | undefined;
    const connector = {
      ...site.source.connector,
      connect: async (database?: string) => {
        await swapping;
        return site.source.connector.connect(database);
      },
    };
    const log = { info: swap, warn: swap, error: swap };
    const refusal = site.restore('latest', { cachedBytes: 0, log, connector });
    await expect(refusal).rejects.toMatchObject({ code: 'archive_damaged' });
    await expect(refusal).rejects.toThrow(part.key);
    expect(await site.leftovers()).toEqual([restored.targetDatabase]);
  });

  test('of version 1, whose schema is that of its migrations, brings back rows, keys and triggers', async () => {
    await seed(MANY_CUSTOMERS);
    await site.backup('2026-11-21T12:00:00Z');
    const key = 'archives/billing/20261121T120000Z/manifest.json';
    const manifest = await manifestAt(site.store, key);
    if (manifest.version === 1) throw new Error('The archive has no schema');
    const { schema: _, ...first } = manifest;
    await replaceManifest(site.store, { ...first, version: 1 });
    const { targetDatabase, deviations, schemaDifferences } = await site.restore();
    expect([...deviations, ...schemaDifferences]).toEqual([]);
    expect(await contentOf(targetDatabase)).toEqual(await contentOf(site.source.name));
    expect(await schemaOf(targetDatabase)).toEqual(await schemaOf(site.source.name));
  });

  test('leaves a table empty that a migration fills and that is empty in the archive', async () => {
    await site.migrations.add(
      'create_settings',
      `CREATE TABLE billing.settings (name text); INSERT INTO billing.settings VALUES ('a')`,
    );
    await applyMigrations(await site.source.client(), 'billing', site.migrations.directory);
    await seed('DELETE FROM billing.settings');
    await site.backup('2026-11-21T12:00:00Z');
    const { targetDatabase } = await site.restore();
    expect((await contentOf(targetDatabase))['billing.settings']).toEqual([]);
  });

  test('of data that breaks a domain rule names the rule and leaves no database', async () => {
    await seed(`UPDATE billing.charges SET amount_refunded = amount`);
    await site.backup('2026-11-21T12:00:00Z');
    await expect(site.restore()).rejects.toThrow('no charge has refunded more than its refund ledger says');
    expect(await site.leftovers()).toEqual([]);
  });

  test('refuses a manifest that contradicts itself, or has a later format', async () => {
    const { manifest, save } = await partOf('charges');
    await save({ ...manifest, rows: manifest.rows + 1 });
    await expect(site.restore()).rejects.toMatchObject({ code: 'archive_malformed' });
    await save({ ...manifest, version: 3 as 2 } as Manifest);
    await expect(site.restore()).rejects.toMatchObject({ code: 'archive_unsupported' });
  });

  test('refuses an archive of main for billing', async () => {
    const main = await createArchiveSite('main');
    const report = await main.backup('2026-11-21T12:00:00Z');
    const manifest = await readObject(main.store, report.manifestKey);
    await main.remove();
    await replaceObject(site.store, 'archives/billing/20261121T120000Z/manifest.json', manifest);
    await expect(site.restore('2026-11-21T12:00:00Z')).rejects.toMatchObject({ code: 'archive_foreign' });
    expect(await site.leftovers()).toEqual([]);
  });

  test('into an existing database is refused and does not change it', async () => {
    const first = await site.restore();
    const before = await contentOf(first.targetDatabase);
    const again = (targetDatabase: string) =>
      runRestore(
        {
          connector: site.source.connector,
          store: site.store,
          migrationsDirectory: migrationsOf('billing'),
          pgDumpWorker: PG_DUMP_WORKER,
          erasures: noErasures,
          log: silentLog,
          clock: () => new Date(),
        },
        { archive: 'latest', targetDatabase, afterwards: 'keep' },
      );
    await expect(again(first.targetDatabase)).rejects.toMatchObject({ code: 'target_exists' });
    await expect(again(site.source.name)).rejects.toMatchObject({ code: 'invalid_request' });
    await expect(again('Robert"; DROP TABLE')).rejects.toMatchObject({ code: 'invalid_request' });
    expect(await contentOf(first.targetDatabase)).toEqual(before);
  });

  test('with `afterwards: drop` reports and leaves no database', async () => {
    const report = await site.drill();
    expect(report).toMatchObject({ kept: false, rows: expect.any(Number) as number });
    expect(await site.leftovers()).toEqual([]);
  });

  test('migrates an older schema forward, and refuses a newer one', async () => {
    await site.migrations.add('add_note', 'ALTER TABLE billing.customers ADD note text;');
    const report = await site.restore();
    expect(report.migratedForward).toEqual([expect.stringMatching(/_add_note$/)]);

    await applyMigrations(await site.source.client(), 'billing', site.migrations.directory);
    await site.backup('2026-11-21T12:00:00Z');
    const refusal = site.restore('latest', { migrationsDirectory: migrationsOf('billing') });
    await expect(refusal).rejects.toMatchObject({ code: 'schema_newer_than_code' });
    await expect(refusal).rejects.toThrow('_add_note');
  });
});
