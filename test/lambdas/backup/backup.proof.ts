import { PutObjectCommand, UploadPartCommand } from '@aws-sdk/client-s3';
import { setTimeout as sleep } from 'node:timers/promises';
import { readManifest } from '../../../core/archive/signed-manifest';
import { type ArchiveSite, contentOf, createArchiveSite, listKeys, manifestAt } from '../../factories/archive';

const SLOT = '2026-11-21T06:00:00Z';

/** 14 MB that do not compress well, so that an upload takes several parts. */
const BULK = `INSERT INTO billing.customers (id, first_seen_at)
  SELECT 'cus_' || n || (SELECT string_agg(encode(sha512((n || '/' || m)::bytea), 'base64'), '') FROM generate_series(1, 8) m), now()
  FROM generate_series(1, 20000) n`;

let site: ArchiveSite;

beforeEach(async () => {
  site = await createArchiveSite(
    'billing',
    'CREATE TABLE billing.notes (id text PRIMARY KEY, at timestamptz NOT NULL)',
  );
});

afterEach(async () => {
  await site.remove();
});

test('a backup that starts while another one runs fails as retryable', async () => {
  const firstUploads = Promise.withResolvers<void>();
  const secondIsRefused = Promise.withResolvers<void>();
  site.store.s3.middlewareStack.add(
    (next, context) => async (args) => {
      if (context.commandName === PutObjectCommand.name) {
        firstUploads.resolve();
        await secondIsRefused.promise;
      }
      return next(args);
    },
    { step: 'initialize' },
  );
  const first = site.backup(SLOT);
  await firstUploads.promise;
  const second = site.backup('2026-11-21T12:00:00Z').finally(() => secondIsRefused.resolve());
  await expect(second).rejects.toMatchObject({ code: 'backup_running', retryable: true });
  expect(await first).toMatchObject({ outcome: 'created' });
  expect((await listKeys(site.store)).filter((key) => key.endsWith('manifest.json'))).toHaveLength(1);
});

test('of two backups for one slot, the one that waits finds the archive, and neither fails', async () => {
  const firstUploads = Promise.withResolvers<void>();
  site.store.s3.middlewareStack.add(
    (next, context) => async (args) => {
      if (context.commandName === PutObjectCommand.name) firstUploads.resolve();
      return next(args);
    },
    { step: 'initialize' },
  );
  const first = site.backup(SLOT);
  await firstUploads.promise;
  const second = site.backup(SLOT, { lockWaitMs: 60_000 });
  expect(await first).toMatchObject({ outcome: 'created' });
  expect(await second).toMatchObject({ outcome: 'already-exists', housekeepingFailed: false });
});

test('all workers share one snapshot, so that the archive holds nothing that was committed later', async () => {
  const client = await site.source.client();
  const before = await contentOf(site.source.name);
  const { connector } = site.source;
  let connections = 0;
  await site.backup(SLOT, {
    workers: 3,
    connector: {
      ...connector,
      async connect() {
        connections += 1;
        if (connections > 1) await client.query(`INSERT INTO billing.notes VALUES ('late_${connections}', now())`);
        return connector.connect();
      },
    },
  });
  // The leader, pg_dump and three workers.
  expect(connections).toBe(5);
  expect(await contentOf((await site.restore()).targetDatabase)).toEqual(before);
});

test('a large table is split into parts that together hold each row once', async () => {
  const client = await site.source.client();
  await client.query(BULK);
  const report = await site.backup(SLOT, { partBytes: 4 * 1024 * 1024, workers: 3 });
  const customers = (await manifestAt(site.store, report.manifestKey)).tables.find(
    (table) => table.name === 'customers',
  );
  expect(customers?.parts.length).toBeGreaterThan(3);
  expect(customers?.rows).toBe(20_000);
  const restored = await site.restore();
  expect((await contentOf(restored.targetDatabase))['billing.customers']).toEqual(
    (await contentOf(site.source.name))['billing.customers'],
  );
});

test.each([
  ['CreateMultipartUploadCommand', 1],
  ['UploadPartCommand', 1],
  ['UploadPartCommand', 2],
  ['CompleteMultipartUploadCommand', 1],
  ['PutObjectCommand', 1],
])('a failure of S3 at %s number %i leaves no archive, and a retry succeeds', async (command, nth) => {
  await (await site.source.client()).query(BULK);
  const { s3 } = site.store;
  let calls = 0;
  s3.middlewareStack.add(
    (next, context) => async (args) => {
      if (context.commandName === command) {
        calls += 1;
        if (calls >= nth) throw new Error('connection reset by S3');
      }
      return next(args);
    },
    { step: 'initialize', name: 'failing-s3' },
  );
  await expect(site.backup(SLOT)).rejects.toMatchObject({
    code: 'store_unavailable',
    retryable: true,
    message: expect.stringContaining('connection reset by S3') as string,
  });
  s3.middlewareStack.remove('failing-s3');

  expect(await readManifest(site.store, 'billing', SLOT)).toBeUndefined();
  await expect(site.restore()).rejects.toMatchObject({ code: 'archive_not_found' });
  expect(await site.backup(SLOT)).toMatchObject({ outcome: 'created' });
});

test('a backup whose database connection dies during the copy fails and publishes nothing', async () => {
  const client = await site.source.client();
  await client.query(BULK);
  const { s3 } = site.store;
  s3.middlewareStack.add(
    (next, context) => async (args) => {
      if (context.commandName === UploadPartCommand.name) {
        await client.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE datname = current_database() AND query LIKE 'COPY%customers%'`,
        );
      }
      return next(args);
    },
    { step: 'initialize', name: 'killing' },
  );
  await expect(site.backup(SLOT, { workers: 1 })).rejects.toMatchObject({ code: 'copy_failed', retryable: true });
  expect(await readManifest(site.store, 'billing', SLOT)).toBeUndefined();
});

test('a backup whose schema cannot be captured says so, stops copying rows and publishes nothing', async () => {
  let copied = 0;
  site.store.s3.middlewareStack.add(
    (next) => async (args) => {
      if (!(args.input as { readonly Key?: string }).Key?.endsWith('.copy.zst')) return next(args);
      copied += 1;
      // Rows take longer than a thread that does not start.
      await sleep(300);
      return next(args);
    },
    { step: 'initialize', name: 'slow-rows' },
  );
  const pgDumpWorker = '/nowhere/pg-dump-worker.js';
  await expect(site.backup(SLOT, { workers: 1, pgDumpWorker })).rejects.toMatchObject({ code: 'MODULE_NOT_FOUND' });
  expect(copied).toBeLessThan(20);
  expect(await readManifest(site.store, 'billing', SLOT)).toBeUndefined();
  site.store.s3.middlewareStack.remove('slow-rows');
  expect((await site.backup(SLOT)).tables).toBeGreaterThan(40);
});

test('every object is locked until the end of its retention', async () => {
  const locked = new Map<string, unknown>();
  site.store.s3.middlewareStack.add(
    (next) => async (args) => {
      const input = args.input as {
        Key?: string;
        Body?: unknown;
        ObjectLockMode?: string;
        ObjectLockRetainUntilDate?: Date;
      };
      if (input.Body !== undefined)
        locked.set(input.Key ?? '', [input.ObjectLockMode, input.ObjectLockRetainUntilDate]);
      return next(args);
    },
    { step: 'initialize' },
  );
  await site.backup(SLOT, { clock: () => new Date('2026-11-21T06:00:05Z') });
  expect([...locked.keys()].toSorted()).toEqual((await listKeys(site.store)).toSorted());
  for (const lock of locked.values()) expect(lock).toEqual(['GOVERNANCE', new Date('2027-02-19T06:00:05Z')]);
});
