import type { Client } from 'pg';
import type { RowRecoveryMergeRequest, RowRecoveryReportRequest } from '../../../lambdas/row-recovery/contract';
import { mergeRows } from '../../../lambdas/row-recovery/merge';
import { scratchName } from '../../../core/restore/scratch-names';
import { reportRows } from '../../../lambdas/row-recovery/report';
import type { ReportedRow } from '../../../lambdas/row-recovery/report-format';
import { type ArchiveSite, contentOf, createArchiveSite, noCache } from '../../factories/archive';
import { rowReporting } from '../../factories/row-reports';
import { listKeys, readObject, replaceObject } from '../../factories/archive';
import { noErasures } from '../../support/erasures';
import { silentLog } from '../../support/log';
import { asAdministrator } from '../../support/database';

const SLOT = '2026-11-21T06:00:00Z';

/** Tables with every difficulty of merging rows back. */
const EXTRAS = `
  CREATE TYPE billing.mood AS ENUM ('fine', 'so so');
  CREATE TABLE billing."Odd ""table""" (
    id bigint GENERATED ALWAYS AS IDENTITY, part text, PRIMARY KEY (id, part),
    doubled bigint GENERATED ALWAYS AS (id * 2) STORED,
    parent bigint, parent_part text, FOREIGN KEY (parent, parent_part) REFERENCES billing."Odd ""table""",
    n numeric, f8 float8, t text, c char(5), y bytea, j json, jb jsonb, ts timestamptz, arr text[], e billing.mood, x xml, r regclass
  );
  CREATE TABLE billing.no_key (id int);
  CREATE TABLE billing.journal (id int PRIMARY KEY, entry text);
  CREATE TRIGGER journal_only_grows BEFORE UPDATE OR DELETE ON billing.journal
    FOR EACH ROW EXECUTE FUNCTION billing.refuse_change();`;

const ODD_ROWS = `
  INSERT INTO billing."Odd ""table""" (part, n, f8, t, c, y, j, jb, ts, arr, e, x, r) VALUES
    ('a', 123456789012345678901234567890.120, 0.1, E'tab\\t\\u2028 \\\\ "q" é😀', 'ab', '\\x00ff', '{"a" : 1}', '{"b": null}', 'infinity', '{NULL,"NULL"}', 'so so', '<a>b</a>', 'billing.charges'),
    ('b', NULL, NULL, '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
  INSERT INTO billing."Odd ""table""" (part, parent, parent_part) VALUES ('c', 4, 'd');
  INSERT INTO billing."Odd ""table""" (part, parent, parent_part) OVERRIDING SYSTEM VALUE VALUES ('x', 1, 'a');`;

const ROWS = `
  INSERT INTO billing.customers VALUES ('cus_1', now()), ('cus_2', now());
  INSERT INTO billing.subscriptions (id, customer_id, status, currency, cancel_at_period_end, created_at, version, raw)
    SELECT 'sub_' || n, 'cus_' || 1 + n % 2, 'active', 'eur', false, now(), '1', json_build_object('id', 'sub_' || n)
    FROM generate_series(1, 6) n;
  INSERT INTO billing.subscription_items (id, subscription_id, price_id, currency)
    SELECT 'si_' || n, 'sub_' || n, 'price_1', 'eur' FROM generate_series(1, 6) n;
  INSERT INTO billing.journal VALUES (1, 'written once');`;

const SUBSCRIPTIONS = ['billing.subscription_items', 'billing.subscriptions', 'billing.customers'];

let site: ArchiveSite;
let client: Client;

async function open(): Promise<void> {
  site = await createArchiveSite('billing', EXTRAS);
  client = await site.source.client();
  await client.query(ROWS);
  await site.backup(SLOT);
}

function report(request: Partial<RowRecoveryReportRequest> = {}): ReturnType<typeof reportRows> {
  return reportRows(rowReporting(site), { archive: 'latest', tables: SUBSCRIPTIONS, ...request });
}

function merge(reportId: string, request: Partial<RowRecoveryMergeRequest> = {}): ReturnType<typeof mergeRows> {
  return mergeRows(
    { connector: site.source.connector, store: site.store, log: silentLog, cache: noCache, erasures: noErasures },
    { reportId, choose: 'deleted', confirm: 'billing', ...request },
  );
}

/** The data of the application: every table except the platform's own records. */
async function applicationData(): Promise<Record<string, string[]>> {
  const content = await contentOf(site.source.name);
  return Object.fromEntries(Object.entries(content).filter(([table]) => !table.startsWith('operations.')));
}

async function reportedRows(key: string): Promise<ReportedRow[]> {
  const lines = (await readObject(site.store, key)).toString('utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as ReportedRow);
}

async function scratchDatabases(): Promise<number> {
  const found = await asAdministrator((administrator) =>
    administrator.query('SELECT FROM pg_database WHERE starts_with(datname, $1)', [`row_recovery_${site.source.name}`]),
  );
  return found.rowCount ?? 0;
}

describe('a report', () => {
  beforeEach(open);
  afterEach(() => site.remove());

  test('lists deleted and changed rows, and leaves the live tables and the server unchanged', async () => {
    await client.query(`DELETE FROM billing.subscriptions WHERE id IN ('sub_1', 'sub_2')`);
    await client.query(`UPDATE billing.subscriptions SET status = 'canceled' WHERE id = 'sub_3'`);
    await client.query(`INSERT INTO billing.customers VALUES ('cus_new', now())`);
    const before = await contentOf(site.source.name);

    const found = await report();

    expect(found).toMatchObject({ slot: SLOT, deleted: 4, changed: 1, related: [] });
    expect(found.tables).toEqual([
      { table: 'billing.customers', compared: 2, deleted: 0, changed: 0 },
      { table: 'billing.subscriptions', compared: 6, deleted: 2, changed: 1 },
      { table: 'billing.subscription_items', compared: 6, deleted: 2, changed: 0 },
    ]);
    const rows = await reportedRows(found.rowsKey);
    expect(rows.map((row) => [row.id, row.kind])).toEqual([
      ['billing.subscriptions:sub_1', 'deleted'],
      ['billing.subscriptions:sub_2', 'deleted'],
      ['billing.subscriptions:sub_3', 'changed'],
      ['billing.subscription_items:si_1', 'deleted'],
      ['billing.subscription_items:si_2', 'deleted'],
    ]);
    expect(rows[2]).toMatchObject({ archived: { status: 'active' }, live: { status: 'canceled' } });
    expect(found.firstIds).toEqual(rows.map((row) => row.id));
    expect(await contentOf(site.source.name)).toEqual(before);
    expect(await scratchDatabases()).toBe(0);
  });

  test('names the related tables that were not requested', async () => {
    expect((await report({ tables: ['billing.subscriptions'] })).related).toEqual([
      'billing.customers',
      'billing.subscription_items',
    ]);
  });

  test('drops the scratch database of a killed one', async () => {
    const killed = scratchName('row_recovery', site.source.name, new Date(Date.now() - 21 * 60_000));
    await asAdministrator((administrator) => administrator.query(`CREATE DATABASE ${killed}`));
    expect(await scratchDatabases()).toBe(1);
    await report({ tables: ['billing.customers'] });
    expect(await scratchDatabases()).toBe(0);
  });

  test('from a damaged archive names the object, and leaves neither report nor database', async () => {
    const part = (await listKeys(site.store)).find((key) => key.includes('billing.subscriptions/'))!;
    await replaceObject(site.store, part, 'not an archive');
    const refusal = report();
    await expect(refusal).rejects.toMatchObject({ code: 'archive_damaged' });
    await expect(refusal).rejects.toThrow(part);
    expect(await scratchDatabases()).toBe(0);
    expect((await listKeys(site.store)).filter((key) => key.startsWith('row-recovery/'))).toEqual([]);
  });

  test('from an archive of an older schema compares in the present schema', async () => {
    await site.migrations.add('add_tier', `ALTER TABLE billing.customers ADD tier text NOT NULL DEFAULT 'basic'`);
    await expect(report({ tables: ['billing.customers'] })).rejects.toMatchObject({ code: 'schema_differs' });
    await client.query(`ALTER TABLE billing.customers ADD tier text NOT NULL DEFAULT 'basic'`);
    await client.query(`DELETE FROM billing.subscriptions; DELETE FROM billing.customers WHERE id = 'cus_2'`);
    const found = await report({ tables: ['billing.customers'] });
    expect(found).toMatchObject({ deleted: 1, changed: 0 });
    expect(await reportedRows(found.rowsKey)).toMatchObject([{ archived: { id: 'cus_2', tier: 'basic' } }]);
  });
});

describe('a report request', () => {
  // One site for all, because these tests only read.
  beforeAll(async () => {
    await open();
    await client.query('DELETE FROM billing.subscriptions');
  });
  afterAll(() => site.remove());

  test.each<[string, RowRecoveryReportRequest['where'], string[]]>([
    ['=', [{ column: 'id', operator: '=', value: 'sub_2' }], ['sub_2']],
    [
      'in',
      [{ column: 'id', operator: 'in', value: ['sub_1', 'sub_3', "'; DROP TABLE billing.charges; --"] }],
      ['sub_1', 'sub_3'],
    ],
    ['like', [{ column: 'id', operator: 'like', value: '%5' }], ['sub_5']],
    [
      'two',
      [
        { column: 'id', operator: '>', value: 'sub_2' },
        { column: 'customer_id', operator: '=', value: 'cus_1' },
      ],
      ['sub_4', 'sub_6'],
    ],
    ['is-null', [{ column: 'user_id', operator: 'is-not-null' }], []],
    ['boolean', [{ column: 'cancel_at_period_end', operator: '=', value: true }], []],
  ])('compares only the archived rows that meet its conditions (%s)', async (_name, where, expected) => {
    const found = await report({ tables: ['billing.subscriptions'], where });
    expect(found.firstIds).toEqual(expected.map((id) => `billing.subscriptions:${id}`));
  });

  test.each<[string, Partial<RowRecoveryReportRequest>]>([
    ['billing.nothing is not a table', { tables: ['billing.nothing'] }],
    ['operations.migrations is not a table of the application', { tables: ['operations.migrations'] }],
    ['billing.no_key has no primary key', { tables: ['billing.no_key'] }],
    ['has no column nothing', { where: [{ column: 'nothing', operator: '=', value: 1 }] }],
    [
      'invalid input syntax',
      { where: [{ table: 'billing.customers', column: 'first_seen_at', operator: '>', value: 'noon' }] },
    ],
    [
      'billing.charges is not among the requested tables',
      { where: [{ table: 'billing.charges', column: 'id', operator: '=', value: 1 }] },
    ],
    ['takes a list', { where: [{ column: 'id', operator: 'in', value: 'sub_1' }] }],
    ['takes no value', { where: [{ column: 'id', operator: 'is-null', value: 1 }] }],
    ['no archive finished by 2020-01-01T00:00:00Z', { notAfter: '2020-01-01T00:00:00Z' }],
  ])('is refused with "%s", before anything is loaded', async (reason, request) => {
    await expect(report(request)).rejects.toThrow(reason);
    expect(await scratchDatabases()).toBe(0);
  });
});

describe('a merge', () => {
  beforeEach(open);
  afterEach(() => site.remove());

  test('without confirmation reports its plan and changes nothing', async () => {
    await client.query(`DELETE FROM billing.subscriptions WHERE id = 'sub_1'`);
    const { reportId } = await report();
    const before = await contentOf(site.source.name);
    expect(await merge(reportId, { confirm: undefined })).toMatchObject({
      dryRun: true,
      inserted: 2,
      updated: 0,
      skipped: 0,
    });
    await expect(merge(reportId, { confirm: 'main' })).rejects.toMatchObject({ code: 'invalid_request' });
    expect(await contentOf(site.source.name)).toEqual(before);
  });

  test('restores all rows, parents before children, and a second merge skips them', async () => {
    const before = await applicationData();
    await client.query(`DELETE FROM billing.subscriptions`);
    await client.query(`DELETE FROM billing.customers WHERE id = 'cus_2'`);
    const { reportId } = await report();

    expect(await merge(reportId)).toMatchObject({ dryRun: false, inserted: 13, skipped: 0 });
    expect(await applicationData()).toEqual(before);
    expect(await merge(reportId)).toMatchObject({ inserted: 0, skipped: 13 });
    expect(await applicationData()).toEqual(before);
    expect(
      (
        await client.query(
          'SELECT report_id, chosen, inserted::int, skipped::int FROM operations.row_recovery_merges ORDER BY id',
        )
      ).rows,
    ).toEqual([
      { report_id: reportId, chosen: 'deleted', inserted: 13, skipped: 0 },
      { report_id: reportId, chosen: 'deleted', inserted: 0, skipped: 13 },
    ]);
  });

  test('restores only the chosen rows, and leaves later ones unchanged', async () => {
    await client.query(`DELETE FROM billing.subscriptions WHERE id IN ('sub_1', 'sub_2')`);
    await client.query(`UPDATE billing.subscriptions SET status = 'past_due' WHERE id IN ('sub_3', 'sub_4')`);
    const { reportId } = await report();
    const choose = ['billing.subscriptions:sub_1', 'billing.subscriptions:sub_3'];
    expect(await merge(reportId, { choose })).toMatchObject({ inserted: 1, updated: 1 });
    const live = await client.query('SELECT id, status FROM billing.subscriptions ORDER BY id');
    expect(live.rows.map(({ id, status }) => `${id} ${status}`)).toEqual([
      'sub_1 active',
      'sub_3 active',
      'sub_4 past_due',
      'sub_5 active',
      'sub_6 active',
    ]);
    await expect(merge(reportId, { choose: ['billing.subscriptions:sub_9'] })).rejects.toThrow('sub_9');
  });

  test('keeps a row that was created anew, and refuses one that was changed since the report by its id', async () => {
    await client.query(`DELETE FROM billing.subscriptions WHERE id IN ('sub_1', 'sub_2')`);
    await client.query(`UPDATE billing.subscriptions SET status = 'past_due' WHERE id = 'sub_3'`);
    const { reportId } = await report();
    await client.query(
      `INSERT INTO billing.subscriptions (id, customer_id, status, currency, cancel_at_period_end, created_at, version, raw)
       VALUES ('sub_1', 'cus_1', 'trialing', 'usd', true, now(), '2', '{"id": "sub_1"}')`,
    );
    await client.query(`UPDATE billing.subscriptions SET status = 'unpaid' WHERE id = 'sub_3'`);
    const before = await applicationData();

    const choose = ['sub_1', 'sub_2', 'sub_3'].map((id) => `billing.subscriptions:${id}`);
    const refusal = merge(reportId, { choose });
    await expect(refusal).rejects.toMatchObject({ code: 'changed_since_report' });
    await expect(refusal).rejects.toThrow('billing.subscriptions:sub_3.');
    expect(await applicationData()).toEqual(before);
    const conflicts = ['billing.subscriptions:sub_3'];
    expect(await merge(reportId, { choose, confirm: undefined })).toMatchObject({ conflicts });
    await merge(reportId);
    const live = await client.query(
      `SELECT status FROM billing.subscriptions WHERE id IN ('sub_1', 'sub_2') ORDER BY id`,
    );
    expect(live.rows).toEqual([{ status: 'trialing' }, { status: 'active' }]);
  });

  test('of children without their parents is refused with the key, and merges nothing', async () => {
    await client.query(`DELETE FROM billing.subscriptions`);
    const { reportId } = await report();
    const choose = ['billing.subscription_items:si_1'];
    const refusal = merge(reportId, { choose });
    await expect(refusal).rejects.toMatchObject({ code: 'merge_refused' });
    await expect(refusal).rejects.toThrow('subscription_items_subscription_id_fkey');
  });

  test('respects a trigger that forbids the change', async () => {
    await client.query(`ALTER TABLE billing.journal DISABLE TRIGGER ALL; UPDATE billing.journal SET entry = 'forged';
      ALTER TABLE billing.journal ENABLE TRIGGER ALL`);
    const { reportId, changed } = await report({ tables: ['billing.journal'] });
    expect(changed).toBe(1);
    await expect(merge(reportId, { choose: ['billing.journal:1'] })).rejects.toThrow('only grows');
  });

  test('restores every type, generated and identity columns and rows that refer to each other', async () => {
    const table = 'billing.Odd "table"';
    await client.query(ODD_ROWS.replace("('c', 4, 'd')", "('c', NULL, NULL)"));
    await client.query(`UPDATE billing."Odd ""table""" SET parent = 4, parent_part = 'x' WHERE part = 'c'`);
    await site.backup('2026-11-21T12:00:00Z');
    const before = await applicationData();
    await client.query(`UPDATE billing."Odd ""table""" SET parent = NULL, parent_part = NULL WHERE part = 'c'`);
    await client.query(`DELETE FROM billing."Odd ""table""" WHERE part IN ('x', 'b')`);
    await client.query(
      `UPDATE billing."Odd ""table""" SET n = 1, f8 = NULL, t = 'lost', c = NULL, y = NULL, j = '{"a":1}', jb = '{}', ts = now(), arr = '{}', e = 'fine', x = NULL, r = NULL WHERE part = 'a'`,
    );

    const found = await report({ tables: [table] });
    expect(found).toMatchObject({ deleted: 2, changed: 2 });
    expect(found.firstIds).toContain(`${table}:["1","a"]`);
    await merge(found.reportId, { choose: found.firstIds });

    expect(await applicationData()).toEqual(before);
  });

  test('refuses a report that was altered in the bucket, and merges nothing', async () => {
    await client.query(`DELETE FROM billing.subscriptions`);
    const { reportId, rowsKey } = await report();
    const rows = (await readObject(site.store, rowsKey)).toString('utf8');
    await replaceObject(site.store, rowsKey, rows.replace('"active"', '"trialing"'));
    await expect(merge(reportId)).rejects.toMatchObject({ code: 'report_damaged' });
    await expect(merge('20261121T061500Z-00000000')).rejects.toMatchObject({ code: 'report_not_found' });
    expect((await client.query('SELECT FROM billing.subscriptions')).rowCount).toBe(0);
  });
});
