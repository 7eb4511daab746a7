import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { readManifest } from '../../../core/archive/signed-manifest';
import { endSnapshot, openSnapshot } from '../../../lambdas/backup/snapshot';
import { type ArchiveSite, createArchiveSite } from '../../factories/archive';
import { clusterSecrets, clusterTarget } from '../../support/database';
import { createConnector } from '../../../core/database/connector';
import { messageOf } from '../../../core/runtime/errors';
import { createMasterRole } from '../../support/roles';

const SLOT = '2026-11-21T06:00:00Z';

let site: ArchiveSite;
let migration: Client;
let application: Client;

beforeEach(async () => {
  site = await createArchiveSite('main', 'CREATE TABLE operations.notes (id int)');
  const connector = createConnector(clusterTarget(site.source.name, 'main'), clusterSecrets(), 'test');
  [migration, application] = [await connector.connect(), await connector.connect()];
});

afterEach(async () => {
  await Promise.all([migration.end(), application.end()]);
  await site.remove();
});

/** Holds the backup up at the rows of its first table, for as long as the returned function is not called. */
function holdUploads(): { readonly started: Promise<void>; readonly release: () => void } {
  const started = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  site.store.s3.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        const { Key: key = '' } = args.input as { readonly Key?: string };
        if (commandName === 'PutObjectCommand' && key.endsWith('.copy.zst')) {
          started.resolve();
          await released.promise;
        }
        return next(args);
      },
    { step: 'initialize' },
  );
  return { started: started.promise, release: () => released.resolve() };
}

test('a backup gives up within seconds when a migration has locked a table, as retryable, and holds nothing', async () => {
  await migration.query('BEGIN; ALTER TABLE operations.notes ADD note text');
  const startedMs = performance.now();
  await expect(site.backup(SLOT)).rejects.toMatchObject({ code: 'schema_changing', retryable: true });
  expect(performance.now() - startedMs).toBeLessThan(8_000);
  await migration.query('COMMIT');
  expect(await site.backup(SLOT)).toMatchObject({ outcome: 'created' });
});

/** Of a backup that fails by itself: the watch, which would end it for the migration, is not what frees its locks. */
const UNWATCHED = { patienceMs: 60_000 };

test('a backup whose schema cannot be captured frees its locks at once, even while an upload does not end', async () => {
  const { started, release } = holdUploads();
  const folder = mkdtempSync(path.join(tmpdir(), 'failing-thread-'));
  const pgDumpWorker = path.join(folder, 'late.cjs');
  writeFileSync(pgDumpWorker, `setTimeout(() => { throw new Error('late'); }, 3_000);`);
  try {
    const outcome = site.backup(SLOT, { pgDumpWorker, ...UNWATCHED }).then((report) => report.outcome, messageOf);
    await started;
    await migration.query(`SET lock_timeout = '10s'; ALTER TABLE operations.notes ADD note text`).finally(release);
    expect(await outcome).toContain('late');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a backup of which one upload fails frees its locks at once, even while another does not end', async () => {
  const { started, release } = holdUploads();
  let uploads = 0;
  site.store.s3.middlewareStack.add(
    (next) => (args) => {
      const { Key: key = '' } = args.input as { readonly Key?: string };
      if (key.endsWith('.copy.zst') && (uploads += 1) === 2) throw new Error('refused');
      return next(args);
    },
    { step: 'initialize', priority: 'high' },
  );
  const outcome = site.backup(SLOT, UNWATCHED).then((report) => report.outcome, messageOf);
  await started;
  await migration.query(`SET lock_timeout = '10s'; ALTER TABLE operations.notes ADD note text`).finally(release);
  expect(await outcome).toContain('refused');
});

test('the readers of a backup hold the lock of one table each: of thousands, the locks would not fit into the server', async () => {
  const tables = Array.from({ length: 12 }, (_, n) => `CREATE TABLE operations.many_${n} (id int)`);
  await application.query(tables.join(';'));
  const held: number[] = [];
  site.store.s3.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        const { Key: key = '' } = args.input as { readonly Key?: string };
        if (commandName === 'PutObjectCommand' && key.endsWith('.copy.zst')) held.push(...(await locksBySession()));
        return next(args);
      },
    { step: 'initialize' },
  );
  expect(await site.backup(SLOT)).toMatchObject({ outcome: 'created' });
  // The leader has all of them until the end.
  expect(held.filter((count) => count > 12).length).toBeGreaterThan(12);
  expect(held.filter((count) => count <= 12).length).toBeGreaterThan(12);
  expect(Math.max(...held.filter((count) => count <= 12))).toBeLessThanOrEqual(1);
});

/** Tables of the platform's schema that each session has locked. */
async function locksBySession(): Promise<number[]> {
  const { rows } = await application.query<{ locks: number }>(
    `SELECT count(*)::int AS locks FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
     WHERE l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND c.relkind = 'r' AND c.relnamespace = 'operations'::regnamespace GROUP BY l.pid`,
  );
  return rows.map(({ locks }) => locks);
}

test('a backup waits out a change that takes a moment', async () => {
  await migration.query('BEGIN; ALTER TABLE operations.notes ADD note text');
  const backup = site.backup(SLOT);
  setTimeout(() => void migration.query('COMMIT'), 500);
  expect(await backup).toMatchObject({ outcome: 'created' });
});

test('a backup that cannot lock every table holds none, so that no migration waits for it', async () => {
  await migration.query('BEGIN; ALTER TABLE operations.notes ADD note text');
  const backup = site.backup(SLOT);
  await sleep(500);
  // A table that comes before the locked one. The server measures the wait, which a busy machine does not lengthen.
  await migration.query(`SET LOCAL lock_timeout = '700ms'; ALTER TABLE operations.drills ADD note text; COMMIT`);
  expect(await backup).toMatchObject({ outcome: 'created' });
});

test('a migration and the application behind it wait for a backup for seconds at most; the backup gives up', async () => {
  const { started, release } = holdUploads();
  const backup = site.backup(SLOT, { patienceMs: 500 });
  const refusal = backup.catch((error: unknown) => error);
  await started;
  const waitedMs: number[] = [];
  const measure = async (work: Promise<unknown>): Promise<void> => {
    const sinceMs = performance.now();
    await work;
    waitedMs.push(performance.now() - sinceMs);
  };
  await Promise.all([
    measure(migration.query('ALTER TABLE operations.notes ADD note text')),
    measure(application.query('SELECT FROM operations.notes')),
  ]);
  expect(Math.max(...waitedMs)).toBeLessThan(3_000);
  release();
  expect(await refusal).toMatchObject({ code: 'schema_changing', retryable: true });
  expect(await readManifest(site.store, 'main', SLOT)).toBeUndefined();
});

test('a backup whose leader is lost is never published', async () => {
  const { started, release } = holdUploads();
  const backup = site.backup(SLOT, { workers: 1 });
  const refusal = backup.catch((error: unknown) => error);
  await started;
  // The leader alone has the lock that keeps backups apart.
  await application.query(
    `SELECT pg_terminate_backend(pid) FROM pg_locks
     WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
  );
  release();
  expect(await refusal).toMatchObject({ code: 'snapshot_lost', retryable: true });
  expect(await readManifest(site.store, 'main', SLOT)).toBeUndefined();
});

test.each([
  ['whose connection was lost', `SELECT pg_terminate_backend($1)`],
  ['whose transaction has failed', undefined],
])('a snapshot %s is noticed at its end', async (_what, end) => {
  const { rows } = await migration.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  await openSnapshot(migration);
  if (end === undefined) await migration.query('SELECT 1 / 0').catch(() => undefined);
  else await application.query(end, [rows[0]?.pid]);
  await expect(endSnapshot(migration)).rejects.toMatchObject({ code: 'snapshot_lost', retryable: true });
});

test('a backup whose readers are lost fails as retryable, and is never published', async () => {
  const { started, release } = holdUploads();
  const refusal = site.backup(SLOT).catch((error: unknown) => error);
  await started;
  await application.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
       AND pid NOT IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')`,
  );
  release();
  expect(await refusal).toMatchObject({ code: 'copy_failed', retryable: true });
  expect(await readManifest(site.store, 'main', SLOT)).toBeUndefined();
});

test('a backup names a table that its role may not read, which no retry would change', async () => {
  const role = await createMasterRole(clusterTarget(site.source.name, 'main'));
  await application.query(`GRANT pg_read_all_data TO ${role.name}; GRANT USAGE ON SCHEMA operations TO ${role.name}`);
  await expect(site.backup(SLOT, { connector: role.connector })).resolves.toMatchObject({ outcome: 'created' });
  await application.query(`REVOKE pg_read_all_data FROM ${role.name}`);
  await expect(site.backup('2026-11-21T12:00:00Z', { connector: role.connector })).rejects.toMatchObject({
    code: 'privilege_missing',
    retryable: false,
    message: expect.stringMatching(/permission denied for table \w+$/) as string,
  });
});
