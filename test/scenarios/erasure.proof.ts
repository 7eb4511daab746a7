import { UNUSED_WORKFLOW } from '../factories/drill';
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import type { Client } from 'pg';
import { createConnector } from '../../core/database/connector';
import { OperationError } from '../../core/runtime/errors';
import { runDrill } from '../../lambdas/drill/core';
import { type ErasureDependencies, erasePerson, replayAt } from '../../lambdas/erasure/core';
import { exportPerson } from '../../lambdas/erasure/export';
import { mergeRows } from '../../lambdas/row-recovery/merge';
import { reportRows } from '../../lambdas/row-recovery/report';
import { applyEvents } from '../../core/billing/apply-events';
import { rollBackLast } from '../../core/migrations/history';
import { migrationStatus } from '../../core/migrations/runner';
import { stripeProvider } from '../../core/providers/stripe/provider';
import { type ArchiveSite, noCache } from '../factories/archive';
import { createErasureSite, type ErasureSite, hook, HOOKS } from '../factories/erasure-site';
import { placesOf, type PlantedPerson, plantedPerson } from '../factories/planted-person';
import { rowReporting } from '../factories/row-reports';
import { account, payout, stripeEvent } from '../factories/stripe-objects';
import { SteppedRestore } from '../factories/stepped-restore';
import { delivered } from '../support/billing';
import { clusterSecrets, clusterTarget, createTestDatabase } from '../support/database';
import { noErasures } from '../support/erasures';
import { PG_DUMP_WORKER } from '../support/schema';

const SLOT = '2026-11-20T06:00:00Z';
const TABLES = ['billing.charges', 'billing.customers', 'billing.webhook_events', 'billing.entitlements'];

let site: ErasureSite;
let billing: ArchiveSite;
let main: ArchiveSite;
let live: Client;
let one: PlantedPerson;

beforeEach(async () => {
  site = await createErasureSite();
  ({ billing, main, live, one } = site);
});
afterEach(() => site.remove());

/** Objects that contain the person's marker, but for archives: those are locked until they expire. */
async function objectsNaming(marker: string): Promise<string[]> {
  const { s3, bucket } = billing.store;
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: bucket }));
  const keys = Contents.flatMap(({ Key = '' }) => (Key.startsWith('archives/') ? [] : [Key]));
  const naming: string[] = [];
  for (const Key of keys) {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key }));
    if ((await Body?.transformToString())?.includes(marker)) naming.push(Key);
  }
  return naming;
}

async function placesIn(database: string, { source }: ArchiveSite): Promise<string[]> {
  const client = await source.connector.connect(database);
  try {
    return await placesOf(client, one.marker);
  } finally {
    await client.end();
  }
}

const report = () =>
  reportRows({ ...rowReporting(billing), erasures: site.replayed(), log: site.log }, { archive: SLOT, tables: TABLES });

test('a person who was erased is nowhere, and no restore, drill, merge or event brings the person back', async () => {
  await Promise.all([billing.backup(SLOT), main.backup(SLOT)]);
  await live.query(`DELETE FROM billing.charges WHERE id IN ('ch_guest_one', 'ch_other')`);
  const before = await report();
  expect(before).toMatchObject({ deleted: 2 });
  expect(await objectsNaming(one.marker)).toEqual([before.rowsKey]);

  const plan = await erasePerson(site.dependencies(), { action: 'erase', subject: { customer: one.customerId } });
  expect(plan).toMatchObject({ dryRun: true, users: 1, emails: 1, sharedUsers: 0, running: [], hookProblems: [] });
  expect(plan.tables.find(({ table }) => table === 'billing.webhook_events')?.rows).toBe(
    one.events.length + one.guest.length,
  );
  expect((await placesOf(live, one.marker)).length).toBeGreaterThan(20);

  const done = await site.erase();
  expect(done).toMatchObject({ dryRun: false, continueFrom: null, reportsDeleted: 2 });
  const application = await main.source.client();
  expect(await placesOf(live, one.marker)).toEqual([]);
  expect((await live.query(`SELECT FROM operations.row_recovery_merges WHERE chosen LIKE '%ch_other%'`)).rowCount).toBe(
    2,
  );
  expect(await placesOf(application, one.marker)).toEqual([`people.users: ${await remainingUser(application)}`]);
  expect(await objectsNaming(one.marker)).toEqual([]);

  // From an archive of before.
  const restored = await billing.restore(SLOT, { erasures: site.replayed(), log: site.log });
  expect(restored.rowsErased).toBeGreaterThan(20);
  expect(await placesIn(restored.targetDatabase, billing)).toEqual([]);
  const restoredMain = await main.restore(SLOT, { erasures: site.replayed(), log: site.log });
  expect(
    (await placesIn(restoredMain.targetDatabase, main)).filter((place) => !place.startsWith('people.users')),
  ).toEqual([]);
  const drill = await runDrill({
    connector: billing.source.connector,
    store: billing.store,
    migrationsDirectory: billing.migrations.directory,
    pgDumpWorker: PG_DUMP_WORKER,
    targetMs: 3_600_000,
    workflow: UNUSED_WORKFLOW,
    erasures: site.replayed(),
    log: site.log,
    clock: () => new Date(),
  });
  expect(drill.outcome).toBe('passed');

  // Rows of before: the other's charge comes back, the person's does not.
  const after = await report();
  expect(after).toMatchObject({
    deleted: 1,
    firstIds: expect.arrayContaining(['billing.charges:ch_other']) as string[],
  });
  expect(await objectsNaming(one.marker)).toEqual([]);
  await mergeRows(
    { connector: billing.source.connector, store: billing.store, log: site.log, cache: noCache, erasures: noErasures },
    { reportId: after.reportId, choose: 'deleted', confirm: 'billing' },
  );
  expect((await live.query('SELECT id FROM billing.charges ORDER BY id')).rows).toEqual([
    { id: 'ch_one' },
    { id: 'ch_other' },
  ]);

  // Late deliveries, under ids that the ledger does not know.
  const late = plantedPerson('one');
  await applyEvents(live, stripeProvider, delivered([...late.events, ...late.guest]));
  expect(await placesOf(live, one.marker)).toEqual([]);
  expect(site.logged.filter((line) => line.includes(one.marker))).toEqual([]);
});

test('an erasure without hooks forgets keys of users in the records of operations in main', async () => {
  expect(await site.erase({ hooks: [] })).toMatchObject({ dryRun: false, continueFrom: null });
  const application = await main.source.client();
  const { rows } = await application.query<{ chosen: string; findings: unknown }>(
    `SELECT DISTINCT chosen, result->'findings' AS findings FROM operations.row_recovery_merges, operations.maintenance_runs`,
  );
  expect(rows).toEqual([{ chosen: 'erased', findings: [{ row: 'erased' }] }]);
});

/** The key of the user's row, which hooks that do not name it leave; see the page about erasures. */
async function remainingUser(client: Client): Promise<string> {
  const { rows } = await client.query<{ row: string }>(`SELECT t::text AS row FROM people.users AS t WHERE id = $1`, [
    one.userId,
  ]);
  expect(rows[0]?.row).toMatch(new RegExp(`^\\(${one.userId},erased-[0-9a-f]{20},\\)$`));
  return rows[0]?.row ?? '';
}

test('an erasure that is killed is completed by the same request, whatever it had done', async () => {
  for (const pages of [0, 1, 4, 9]) {
    let left = pages;
    const stopped = await site.erase({ remainingMs: () => (left-- > 0 ? 1 : 0) });
    expect(stopped.continueFrom).not.toBeNull();
  }
  expect((await placesOf(live, one.marker)).length).toBeGreaterThan(0);
  await expect(
    site.erase({ hooks: HOOKS, connectors: { billing: billing.source.connector, main: unreachable() } }),
  ).rejects.toMatchObject({
    code: 'database_unavailable',
  });
  expect(await site.erase()).toMatchObject({ continueFrom: null });
  expect(await placesOf(live, one.marker)).toEqual([]);
  expect(await placesOf(await main.source.client(), `${one.marker}@example.com`)).toEqual([]);
  expect((await live.query('SELECT FROM billing.erasures WHERE finished_at IS NULL')).rowCount).toBe(0);
});

function unreachable() {
  return createConnector({ ...clusterTarget('nowhere', 'main'), port: 1 }, clusterSecrets(), 'test');
}

test('a restore whose ledger cannot be read refuses before it begins, and again before it hands anything over', async () => {
  await billing.backup(SLOT);
  await main.backup(SLOT);
  await site.erase();
  const { s3, bucket } = billing.store;
  const refused = { code: 'erasure_ledger_unreadable', retryable: true };
  let readable = 1;
  const untilLoaded = { read: async () => ((readable -= 1) < 0 ? Promise.reject(unreadable()) : site.ledger().read()) };
  const unreadable = () => new OperationError('erasure_ledger_unreadable', 'S3 does not answer');
  await expect(
    billing.restore(SLOT, { erasures: { ledger: untilLoaded, hooks: [] }, log: site.log }),
  ).rejects.toMatchObject(refused);
  expect(readable).toBe(-1);
  expect(await billing.leftovers()).toEqual([]);

  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'erasures/20261201.json', Body: '{}' }));
  site.logged.length = 0;
  await expect(billing.restore(SLOT, { erasures: site.replayed(), log: site.log })).rejects.toMatchObject(refused);
  await expect(
    new SteppedRestore(main, 'large', { erasures: site.replayed(), log: site.log }).prepare(),
  ).rejects.toMatchObject(refused);
  expect(site.logged).toEqual([]);
  expect([...(await billing.leftovers()), ...(await main.leftovers())]).toEqual([]);
});

test('a refused erasure changes nothing', async () => {
  const request = { action: 'erase', subject: { customer: 'cus_other' }, typed: { confirm: 'cus_other' } } as const;
  const refused = (code: string, overrides: Partial<ErasureDependencies> = {}, other = {}) =>
    expect(erasePerson(site.dependencies(overrides), { ...request, ...other })).rejects.toMatchObject({ code });
  await refused('invalid_request', {}, { typed: { confirm: 'cus_one' } });
  await refused('subject_not_found', {}, { subject: { customer: 'cus_x' }, typed: { confirm: 'cus_x' } });
  await refused('hooks_invalid', { hooks: [hook('phone', 'drop')] });
  await live.query(`UPDATE billing.subscriptions SET status = 'active' WHERE id = 'sub_other'`);
  await refused('subject_active');
  expect(await objectsNaming('')).toEqual([]);
  expect((await placesOf(live, 'planted-other')).length).toBeGreaterThan(20);
});

test('a database that was restored before is named by the erasure, and is erased again', async () => {
  await billing.backup(SLOT);
  const { targetDatabase } = await billing.restore(SLOT);
  // One of another environment, and one of which nothing but the name says whose it is.
  const foreign = await createTestDatabase('billing');
  await (
    await foreign.client()
  ).query(`UPDATE operations.database_identity SET stamped_at = stamped_at - interval '1 day'`);
  const unclear = `${billing.source.name}_copy`;
  await live.query(`CREATE DATABASE ${unclear}`);
  const [unnamed, unreadable] = [await createTestDatabase('empty'), await createTestDatabase('empty')];
  await (
    await unreadable.client()
  ).query(`CREATE SCHEMA operations; CREATE TABLE operations.database_identity AS SELECT 'billing' AS name`);
  // Of a drill under way in another environment.
  const scratch = `drill_${foreign.name}_20261121t060000z`;
  await live.query(`CREATE DATABASE ${scratch} TEMPLATE ${targetDatabase}`);
  try {
    const { otherDatabases } = await site.erase();
    expect(otherDatabases).toContainEqual({ database: 'billing', targetDatabase, toldApart: true });
    expect(otherDatabases).toContainEqual({ database: 'billing', targetDatabase: unclear, toldApart: false });
    expect(otherDatabases).toContainEqual(
      expect.objectContaining({ targetDatabase: unreadable.name, toldApart: false }),
    );
    const left = [foreign.name, unnamed.name, scratch, billing.source.name, main.source.name];
    expect(otherDatabases.filter((other) => left.includes(other.targetDatabase))).toEqual([]);
  } finally {
    for (const name of [unclear, scratch]) await live.query(`DROP DATABASE ${name} WITH (FORCE)`);
    await Promise.all([foreign, unnamed, unreadable].map((each) => each.drop()));
  }
  expect((await placesIn(targetDatabase, billing)).length).toBeGreaterThan(20);
  const { directory: migrationsDirectory } = billing.migrations;
  const replay = await replayAt(
    billing.source.connector,
    { ...site.replayed(), migrationsDirectory },
    { targetDatabase, dryRun: false },
  );
  expect(replay).toMatchObject({ erasures: 1, migrated: [] });
  expect(await placesIn(targetDatabase, billing)).toEqual([]);
});

test('an instance of a moment before erasures reached repeated payouts is migrated first, and what Stripe said of one is erased', async () => {
  const migrationsDirectory = billing.migrations.directory;
  await billing.backup(SLOT);
  await site.erase();
  const { targetDatabase } = await billing.restore(SLOT);
  const recovered = await billing.source.connector.connect(targetDatabase);
  try {
    const undone: string[] = [];
    while (!undone.some((name) => name.startsWith('0042_'))) {
      const { current } = await migrationStatus(recovered, 'billing', migrationsDirectory);
      await rollBackLast(recovered, 'billing', migrationsDirectory, current ?? '');
      undone.unshift(current ?? '');
    }
    const metadata = { user_id: one.userId };
    const paid = [
      stripeEvent('account.updated', account({ metadata }), { account: 'acct_1' }),
      stripeEvent('payout.failed', payout({ id: 'po_1' }), { account: 'acct_1' }),
    ];
    for (const event of paid) await applyEvents(recovered, stripeProvider, delivered([event]));
    await recovered.query(
      `INSERT INTO billing.payout_retries VALUES ('po_1', 1, 'refused', 'user/ada', now(), now(), NULL, $1)`,
      [`${one.marker} has no bank account`],
    );
    const replay = await replayAt(
      billing.source.connector,
      { ...site.replayed(), migrationsDirectory },
      { targetDatabase, dryRun: false },
    );
    expect(replay.migrated).toEqual(undone);
    expect(await placesOf(recovered, one.marker)).toEqual([]);
  } finally {
    await recovered.end();
  }
});

test('an export has everything of the person, and nothing of anybody else', async () => {
  const { rows, next } = await exportPerson(site.dependencies(), { action: 'export', subject: { user: one.userId } });
  expect(next).toBeNull();
  const text = JSON.stringify(rows);
  expect(text).not.toContain('planted-other');
  const planted = new Set(
    (await placesOf(live, one.marker)).flatMap((place) => place.match(/planted-one-[a-z0-9]+-\d+/g) ?? []),
  );
  expect([...planted].filter((each) => !text.includes(each))).toEqual([]);
  expect(rows.filter(({ database }) => database === 'main').map(({ table }) => table)).toEqual([
    'people.users',
    'people.sessions',
    'people.orders',
  ]);
});
