import type { Client } from 'pg';
import type { DatabaseConnector } from '../../../core/database/connector';
import { rowRecoveryRequest, type RowRecoveryReport } from '../../../lambdas/row-recovery/contract';
import { type MergeDependencies, mergeRows } from '../../../lambdas/row-recovery/merge';
import { reportRows, type ReportDependencies } from '../../../lambdas/row-recovery/report';
import type { ReportedRow } from '../../../lambdas/row-recovery/report-format';
import {
  type ArchiveSite,
  contentOf,
  createArchiveSite,
  noCache,
  readObject,
  replaceObject,
} from '../../factories/archive';
import { rowReporting } from '../../factories/row-reports';
import { seededRandom } from '../../simulation/random';
import { asAdministrator } from '../../support/database';
import { noErasures } from '../../support/erasures';
import { silentLog } from '../../support/log';

const EXTRAS = `
  CREATE SCHEMA app;
  CREATE TABLE app.customers (id int PRIMARY KEY, name text);
  CREATE TABLE app."Orders" (region text, id bigint, customer_id int REFERENCES app.customers ON DELETE CASCADE, at timestamptz,
    PRIMARY KEY (id, region));
  CREATE TABLE app.notes (id uuid PRIMARY KEY, text text);
  CREATE TABLE app.folders (id int PRIMARY KEY, within int REFERENCES app.folders);`;
const ROWS = `
  INSERT INTO app.customers SELECT n, 'customer ' || n || E'\\t\\u2028' FROM generate_series(1, 60) n;
  INSERT INTO app."Orders" SELECT r, n, 1 + n % 60, '2026-11-21T06:00:00Z'::timestamptz + n * interval '1 s'
    FROM generate_series(1, 120) n, unnest(ARRAY['Ä', 'a', 'B']) r;
  INSERT INTO app.notes SELECT md5(n::text)::uuid, 'note ' || n FROM generate_series(1, 150) n;
  INSERT INTO app.folders SELECT n, nullif(n + 1, 41) FROM generate_series(40, 1, -1) n;`;
/** Rows go in every table, at the ends as well. */
const DELETION = `
  DELETE FROM app.customers WHERE id IN (1, 2, 30, 60);
  DELETE FROM app."Orders" WHERE id % 9 = 0 AND region <> 'a' OR id IN (1, 120);
  DELETE FROM app.notes WHERE text LIKE 'note 1%';`;
/** Others change, and are added between them. */
const CHANGES = `
  UPDATE app."Orders" SET at = at + interval '1 s' WHERE id % 40 = 5;
  UPDATE app.notes SET text = 'other' WHERE text = 'note 77';
  INSERT INTO app.notes SELECT md5(n::text)::uuid, 'new' FROM generate_series(1001, 1050) n;`;
const TABLES = ['app.customers', 'app.Orders', 'app.notes'];

let site: ArchiveSite;
let client: Client;
/** The live database as it was before the loss. */
let copy: string;
/** Found by one call. */
let whole: RowRecoveryReport;

beforeAll(async () => {
  site = await createArchiveSite('billing', EXTRAS + ROWS);
  copy = `${site.source.name}_copy`;
  await asAdministrator(async (administrator) => {
    await administrator.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${site.source.name}'`,
    );
    await administrator.query(`CREATE DATABASE ${copy} TEMPLATE ${site.source.name}`);
  });
  client = await site.source.client();
  await client.query(DELETION + CHANGES);
  whole = await report();
});
afterAll(async () => {
  await asAdministrator((administrator) => administrator.query(`DROP DATABASE IF EXISTS ${copy} WITH (FORCE)`));
  await site.remove();
});

type Request = Partial<Parameters<typeof reportRows>[1]>;

function report(overrides: Partial<ReportDependencies> = {}, request: Request = {}): Promise<RowRecoveryReport> {
  const instance = { targetDatabase: copy };
  return reportRows({ ...rowReporting(site), ...overrides }, { instance, tables: TABLES, ...request });
}

/** Aborted once it was asked so many times: a call asks after each part. */
function after(times: number): AbortSignal {
  let asked = 0;
  return {
    get aborted() {
      return asked++ >= times;
    },
  } as AbortSignal;
}

async function rowsOf({ rowsKey }: RowRecoveryReport): Promise<ReportedRow[]> {
  const lines = (await readObject(site.store, rowsKey)).toString('utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as ReportedRow);
}

test('a report of calls that end or fail after any part is that of one call', async () => {
  expect(whole).toMatchObject({ complete: true, changed: 7 + 1 });
  const seed = Date.now();
  const random = seededRandom(seed);
  const expected = { seed, rows: await rowsOf(whole), tables: whole.tables, firstIds: whole.firstIds };
  for (let run = 0; run < 4; run++) {
    let last: RowRecoveryReport | undefined;
    let failed = 0;
    while (last?.complete !== true) {
      const partRows = random.integer(1, 90);
      const continues = last?.reportId;
      if (random.chance(0.2)) {
        failed += 1;
        const cut = report({ partRows, stop: after(random.integer(0, 2)) }, { continues });
        // One that came to its end before is as good as if it had not been asked for.
        await cut.catch((error: unknown) => expect(error).toMatchObject({ code: 'comparison_too_long' }));
      }
      last = await report({ partRows, pause: after(random.integer(0, 4)) }, { continues });
    }
    const found = { seed, rows: await rowsOf(last), tables: last.tables, firstIds: last.firstIds };
    expect({ ...found, failed }).toEqual({ ...expected, failed });
  }
});

/** A connector whose statements take as long as those that read a large table for a few rows, when they are limited. */
function slow(connector: DatabaseConnector): DatabaseConnector {
  return {
    ...connector,
    connect: async (database) => {
      const session = await connector.connect(database);
      const query = session.query.bind(session) as (statement: unknown, ...rest: unknown[]) => unknown;
      let isLimited = false;
      session.query = ((statement: unknown, ...rest: unknown[]) => {
        if (typeof statement !== 'string') return query(statement, ...rest);
        if (/SET LOCAL statement_timeout/.test(statement)) isLimited = true;
        if (statement.startsWith('ROLLBACK TO')) isLimited = false;
        return query(isLimited && statement.startsWith('WITH part') ? 'SELECT pg_sleep(600)' : statement, ...rest);
      }) as typeof session.query;
      return session;
    },
  };
}

test.each(['source', 'live'])(
  'a condition that no index of the %s serves is looked for in ranges of the key',
  async (at) => {
    const { connector, connectorAt } = rowReporting(site);
    const slowed: Partial<ReportDependencies> =
      at === 'live' ? { connector: slow(connector) } : { connectorAt: (place) => slow(connectorAt(place)) };
    const request: Request = { tables: ['app.Orders'], where: [{ column: 'region', operator: '=', value: 'Ä' }] };
    const sought = await report({}, request);
    expect(sought).toMatchObject({ complete: true, tables: [{ compared: 120 }], changed: 2 });
    let [last, calls]: [RowRecoveryReport | undefined, number] = [undefined, 0];
    for (; last?.complete !== true; calls += 1) {
      const limits = { partRows: 7, seekMs: 5, pause: AbortSignal.abort() };
      last = await report({ ...limits, ...slowed }, { ...request, continues: last?.reportId });
    }
    // Ranges of 70 rows of 360, whether they meet the condition or not.
    expect(calls).toBe(6);
    expect(last.tables).toEqual(sought.tables);
    expect(await rowsOf(last)).toEqual(await rowsOf(sought));
  },
);

type Merge = Partial<Parameters<typeof mergeRows>[1]>;

function merge(request: Merge = {}, overrides: Partial<MergeDependencies> = {}): ReturnType<typeof mergeRows> {
  return mergeRows(
    {
      connector: site.source.connector,
      store: site.store,
      log: silentLog,
      cache: noCache,
      erasures: noErasures,
      ...overrides,
    },
    { reportId: whole.reportId, choose: 'deleted', offset: 0, confirm: 'billing', ...request },
  );
}

const content = async () =>
  Object.entries(await contentOf(site.source.name)).filter(([name]) => name.startsWith('app.'));

describe('a merge of more rows than a transaction takes', () => {
  let lost: Awaited<ReturnType<typeof content>>;
  beforeAll(async () => {
    lost = await content();
  });
  afterEach(() => client.query(DELETION));

  test('takes several calls, from any part again, and puts back what one call does, parents before children', async () => {
    const seed = Date.now();
    const random = seededRandom(seed);
    const once = await merge();
    expect(once).toMatchObject({ inserted: whole.deleted, updated: 0, skipped: 0, next: null });
    const restored = await content();
    for (let run = 0; run < 3; run++) {
      await client.query(DELETION);
      const plans = { inserted: 0, calls: 0 };
      for (let next: number | null = 0; next !== null; plans.calls += 1) {
        const plan: Awaited<ReturnType<typeof merge>> = await merge(
          { offset: next, confirm: undefined },
          { transactionRows: 50 },
        );
        plans.inserted += plan.inserted;
        next = plan.next;
      }
      expect(plans).toEqual({ inserted: whole.deleted, calls: Math.ceil(whole.deleted / 50) });
      expect(await content()).toEqual(lost);

      const merged = { inserted: 0, skipped: 0 };
      for (let next: number | null = 0; next !== null;) {
        const transactionRows = random.integer(1, 60);
        const part: Awaited<ReturnType<typeof merge>> = await merge({ offset: next }, { transactionRows });
        merged.inserted += part.inserted;
        merged.skipped += part.skipped;
        // Its answer was lost: the same call again changes nothing.
        if (random.chance(0.3)) {
          const again = await merge({ offset: next }, { transactionRows });
          expect([seed, again.inserted, again.next]).toEqual([seed, 0, part.next]);
        }
        next = part.next;
      }
      expect({ seed, ...merged }).toEqual({ seed, inserted: whole.deleted, skipped: 0 });
      expect([seed, await content()]).toEqual([seed, restored]);
    }
  });

  test('says, when a later call is refused, that what the calls before have merged stays', async () => {
    const { next } = await merge({}, { transactionRows: 2 });
    await client.query(`ALTER TABLE app.customers ADD CONSTRAINT small CHECK (id < 60) NOT VALID`);
    try {
      await expect(merge({ offset: Number(next) })).rejects.toMatchObject({
        code: 'merge_refused',
        message: expect.stringContaining('What earlier calls merged stays, and nothing else was merged: ') as string,
      });
      await expect(merge()).rejects.toThrow('Nothing was merged: choose other rows');
    } finally {
      await client.query('ALTER TABLE app.customers DROP CONSTRAINT small');
    }
    expect(await merge({ offset: Number(next) })).toMatchObject({ inserted: whole.deleted - 2, skipped: 0 });
  });

  test('is one transaction for who gives no offset, and so does not ask for the rest', async () => {
    const merged = await merge({ offset: undefined }, { transactionRows: 2 });
    expect(merged).toMatchObject({ inserted: whole.deleted, next: null });
  });

  test('is refused by a call that finds the report damaged, also in rows of another call', async () => {
    const body = await readObject(site.store, whole.rowsKey);
    const damaged = Buffer.from(body);
    damaged[damaged.length - 10] = (damaged[damaged.length - 10] ?? 0) ^ 1;
    await replaceObject(site.store, whole.rowsKey, damaged);
    await expect(merge({}, { transactionRows: 2 })).rejects.toMatchObject({ code: 'report_damaged' });
    expect(await content()).toEqual(lost);
    await replaceObject(site.store, whole.rowsKey, body);
  });
});

test('rows that refer to rows of their own table are merged by one call, whatever their number', async () => {
  await client.query('DELETE FROM app.folders');
  const { reportId } = await report({}, { tables: ['app.folders', 'app.customers'] });
  const merged = await merge({ reportId }, { transactionRows: 3 });
  expect(merged).toMatchObject({ inserted: 44, next: null });
  await client.query('DELETE FROM app.customers WHERE id IN (1, 2, 30, 60)');
});

test('rows that are named are merged by one call, which continues none', async () => {
  const ids = (await rowsOf(whole)).filter(({ kind }) => kind === 'changed').map(({ id }) => id);
  expect(ids.length).toBeGreaterThan(5);
  const choose = { choose: ids, confirm: undefined };
  expect(await merge(choose, { transactionRows: 1 })).toMatchObject({ updated: ids.length, next: null });
  await expect(merge({ ...choose, offset: 1 })).rejects.toThrow('offset: only together with `choose: "deleted"`');
  const request = { action: 'merge', database: 'billing', reportId: whole.reportId, choose: 'deleted', offset: -1 };
  expect(rowRecoveryRequest.safeParse(request).success).toBe(false);
});
