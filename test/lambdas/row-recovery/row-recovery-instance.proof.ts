import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type AddressInfo } from 'node:net';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import type { DatabaseConnector } from '../../../core/database/connector';
import { applyMigrations } from '../../../core/migrations/runner';
import type { RestoredInstance } from '../../../lambdas/row-recovery/contract';
import { checkTables } from '../../../lambdas/row-recovery/check';
import { mergeRows } from '../../../lambdas/row-recovery/merge';
import { reportRows, type ReportDependencies } from '../../../lambdas/row-recovery/report';
import { showRows } from '../../../lambdas/row-recovery/show';
import { startCluster, type Cluster } from '../../../local/postgres/cluster';
import { type ArchiveSite, contentOf, createArchiveSite, noCache } from '../../factories/archive';
import { rowReporting } from '../../factories/row-reports';
import { asAdministrator, createTestDatabase, type TestDatabase } from '../../support/database';
import { noErasures } from '../../support/erasures';
import { silentLog } from '../../support/log';

const EXTRAS = `
  CREATE SCHEMA app;
  CREATE TABLE app."Orders" (region text, id bigint, item text, paid numeric, at timestamptz, PRIMARY KEY (id, region));
  CREATE TABLE app.parents (id int PRIMARY KEY);
  CREATE TABLE app.children (id int PRIMARY KEY, parent_id int REFERENCES app.parents ON DELETE CASCADE, f8 float8, y bytea);`;

const ROWS = `
  INSERT INTO app."Orders" SELECT r, n, 'item ' || n || E'\\t\\u2028', n * 1.10, '2026-11-21T06:00:00Z'::timestamptz + n * interval '1 s'
    FROM generate_series(1, 1000) n, unnest(ARRAY['Ä', 'a', 'B']) r;
  INSERT INTO app.parents SELECT generate_series(1, 50);
  INSERT INTO app.children SELECT n, 1 + n % 50, n / 3.0, decode(lpad(to_hex(n), 4, '0'), 'hex') FROM generate_series(1, 500) n;`;

const TABLES = ['app.Orders', 'app.parents', 'app.children'];

let site: ArchiveSite;
let client: Client;
/** A copy of the live database of the moment before the loss, as RDS restores one: block by block. */
let copy: string;

async function copyLive(): Promise<string> {
  const name = `${site.source.name}_copy`;
  // The template may have no other session.
  await asAdministrator(async (administrator) => {
    await administrator.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${site.source.name}'`,
    );
    await administrator.query(`CREATE DATABASE ${name} TEMPLATE ${site.source.name}`);
  });
  return name;
}

beforeEach(async () => {
  site = await createArchiveSite('billing', EXTRAS);
  await asAdministrator((administrator) => administrator.query(ROWS), site.source.name);
  copy = await copyLive();
  client = await site.source.client();
});
afterEach(async () => {
  await asAdministrator((administrator) => administrator.query(`DROP DATABASE IF EXISTS ${copy} WITH (FORCE)`));
  await site.remove();
});

function report(
  instance: RestoredInstance = { targetDatabase: copy },
  overrides: Partial<ReportDependencies> = {},
  tables = TABLES,
): ReturnType<typeof reportRows> {
  return reportRows({ ...rowReporting(site), partRows: 100, ...overrides }, { instance, tables });
}

function merge(reportId: string, choose: 'deleted' | string[] = 'deleted'): ReturnType<typeof mergeRows> {
  return mergeRows(
    { connector: site.source.connector, store: site.store, log: silentLog, cache: noCache, erasures: noErasures },
    { reportId, choose, confirm: 'billing' },
  );
}

test('rows that were deleted since the moment of an instance come back, exactly, and nothing else changes', async () => {
  const before = await contentOf(site.source.name);
  await client.query(`DELETE FROM app."Orders" WHERE id % 7 = 0 AND region <> 'a'`);
  await client.query('DELETE FROM app.parents WHERE id <= 3');
  const found = await report();
  expect(found).toMatchObject({
    slot: null,
    instance: expect.stringContaining(`/${copy}`) as string,
    deleted: 284 + 3 + 30,
    changed: 0,
    related: [],
  });
  expect(found.tables.map(({ table, compared }) => [table, compared])).toEqual([
    ['app.Orders', 3000],
    ['app.parents', 50],
    ['app.children', 500],
  ]);
  expect(await merge(found.reportId)).toMatchObject({ inserted: 317, updated: 0, conflicts: [] });
  const after = await contentOf(site.source.name);
  for (const table of ['app.Orders', 'app.parents', 'app.children']) expect(after[table]).toEqual(before[table]);
});

test('changed rows are shown beside the present ones, and are merged only when they are named', async () => {
  await client.query(`UPDATE app."Orders" SET item = 'lost' WHERE id = 700 AND region = 'B'`);
  await client.query(`INSERT INTO app."Orders" VALUES ('new', 1, 'since then', 1, now())`);
  await client.query('DELETE FROM app.children WHERE id = 500');
  const found = await report();
  expect(found).toMatchObject({ deleted: 1, changed: 1 });
  const shown = await showRows(site.store, 'billing', {
    reportId: found.reportId,
    kind: 'changed',
    idsOnly: false,
    offset: 0,
    limit: 10,
  });
  const id = `app.Orders:${JSON.stringify(['B', '700'])}`;
  expect(shown.rows).toMatchObject([{ id, live: { item: 'lost' } }]);
  expect(await merge(found.reportId)).toMatchObject({ inserted: 1, updated: 0 });
  expect(await merge(found.reportId, [id])).toMatchObject({ inserted: 0, updated: 1 });
  expect(await report()).toMatchObject({ deleted: 0, changed: 0 });
});

test('rows of an instance from before a migration are named so in report and merge, and undo what it wrote', async () => {
  const migration = await site.migrations.add('round_values', 'UPDATE app.children SET f8 = round(f8) WHERE id = 7;');
  await applyMigrations(client, 'billing', site.migrations.directory);
  await client.query('DELETE FROM app.children WHERE id = 8');
  const migrationFailed = `The instance lacks migration ${migration}, which the live database has`;
  const found = await report();
  expect(found).toMatchObject({ deleted: 1, changed: 1, migrationFailed });
  expect(await merge(found.reportId)).toMatchObject({ inserted: 1, migrationFailed });
  expect(await merge(found.reportId, ['app.children:7'])).toMatchObject({ updated: 1, migrationFailed });
  expect(await report()).toMatchObject({ deleted: 0, changed: 0, migrationFailed });
});

test('an instance gives the same report as an archive of the same moment', async () => {
  await site.backup('2026-11-21T06:00:00Z');
  await client.query(`DELETE FROM app."Orders" WHERE id BETWEEN 90 AND 110`);
  await client.query('UPDATE app.children SET f8 = f8 + 1 WHERE id % 100 = 0');
  const [fromInstance, fromArchive] = [
    await report(),
    await reportRows(rowReporting(site), { archive: 'latest', tables: TABLES }),
  ];
  const rowsOf = async (reportId: string) =>
    (await showRows(site.store, 'billing', { reportId, idsOnly: false, offset: 0, limit: 1000 })).rows.toSorted(
      (a, b) => a.id.localeCompare(b.id),
    );
  expect(fromInstance.tables).toEqual(fromArchive.tables);
  expect(fromInstance.deleted + fromInstance.changed).toBe(63 + 5);
  expect(await rowsOf(fromInstance.reportId)).toEqual(await rowsOf(fromArchive.reportId));
});

test.each([1, 3, 50, 5000])('every row is compared once, in parts of %p rows', async (partRows) => {
  await client.query('DELETE FROM app.children WHERE id IN (1, 50, 51, 499, 500)');
  const found = await report({ targetDatabase: copy }, { partRows }, ['app.children']);
  expect(found).toMatchObject({ deleted: 5, tables: [{ compared: 500, deleted: 5 }] });
});

test('parts without a difference are not copied', async () => {
  await client.query('DELETE FROM app.children WHERE id = 250');
  const copied: number[] = [];
  const { connector } = site.source;
  const watched: DatabaseConnector = {
    ...connector,
    async connect(database) {
      const session = await connector.connect(database);
      const query = session.query.bind(session) as (statement: unknown, ...rest: unknown[]) => unknown;
      session.query = ((statement: unknown, ...rest: unknown[]) => {
        if (typeof statement === 'string' && statement.startsWith('ANALYZE')) copied.push(1);
        return query(statement, ...rest);
      }) as typeof session.query;
      return session;
    },
  };
  expect(await report(undefined, { connector: watched })).toMatchObject({ deleted: 1 });
  expect(copied).toHaveLength(1);
});

test('conditions narrow the rows of an instance', async () => {
  await client.query('DELETE FROM app.children');
  const found = await reportRows(rowReporting(site), {
    instance: { targetDatabase: copy },
    tables: ['app.children'],
    where: [{ column: 'id', operator: '>', value: 490 }],
  });
  expect(found).toMatchObject({ deleted: 10, tables: [{ compared: 10 }] });
});

/** Each call has the time for one part. */
const IN_CALLS = { pause: AbortSignal.abort() };

test('rows of an instance are compared part by part over many calls, and found as by one call', async () => {
  await client.query(`DELETE FROM app."Orders" WHERE id % 7 = 0 AND region <> 'a'`);
  await client.query('DELETE FROM app.parents WHERE id = 3');
  await client.query('UPDATE app.children SET f8 = f8 + 1 WHERE id IN (100, 101, 500)');
  const whole = await report();
  const calls = [await report(undefined, IN_CALLS)];
  for (let last = calls[0]; last && !last.complete; last = calls.at(-1)) {
    const { reportId: continues } = last;
    const again = { instance: { targetDatabase: copy }, tables: TABLES, continues };
    calls.push(await reportRows({ ...rowReporting(site), partRows: 100, ...IN_CALLS }, again));
  }
  // 30 parts of orders, whose last begins a part without rows; one of parents; 5 of children, and one without rows.
  expect(calls.length).toBeGreaterThanOrEqual(36);
  const rowsOf = async (reportId: string) =>
    (await showRows(site.store, 'billing', { reportId, idsOnly: false, offset: 0, limit: 1000 })).rows;
  const last = calls.at(-1) as (typeof calls)[0];
  expect(last).toMatchObject({ tables: whole.tables, deleted: 284 + 1 + 10, changed: 3, firstIds: whole.firstIds });
  expect(await rowsOf(last.reportId)).toEqual(await rowsOf(whole.reportId));
  expect(await merge(last.reportId)).toMatchObject({ inserted: 295, conflicts: [] });

  const other = { instance: { host: site.source.connector.target.host, targetDatabase: copy }, tables: TABLES };
  const [{ reportId: continues } = last] = calls;
  await expect(reportRows(rowReporting(site), { ...other, tables: ['app.parents'], continues })).rejects.toThrow(
    /is of other tables or columns/,
  );
  await expect(
    reportRows(rowReporting(site), { archive: '2020-01-01T00:00:00Z', tables: TABLES, continues }),
  ).rejects.toMatchObject({ code: 'archive_not_found' });
});

test('a comparison without time left ends with how far it came, and leaves no report', async () => {
  const stop = AbortSignal.abort();
  const attempt = report(undefined, { stop });
  await expect(attempt).rejects.toMatchObject({ code: 'comparison_too_long' });
  await expect(attempt).rejects.toThrow(/app\.Orders, of which 0 rows were compared: make a report of fewer tables/);
});

describe('an instance is refused, and nothing is read from it, when it', () => {
  let servers: Server[] = [];
  let others: TestDatabase[] = [];
  afterEach(async () => {
    for (const server of servers) server.close();
    for (const other of others) await other.drop();
    [servers, others] = [[], []];
  });

  /** Another address of the same server, as a proxy, a tunnel or another name of it is. */
  async function otherPort(): Promise<number> {
    const { host, port } = site.source.connector.target;
    const server = createServer((socket) => {
      const upstream = connect(port, host);
      socket.pipe(upstream).pipe(socket);
      for (const end of [socket, upstream]) end.on('error', () => undefined);
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    return (server.address() as AddressInfo).port;
  }

  test('is the live database itself', async () => {
    const { host } = site.source.connector.target;
    await expect(report({ host })).rejects.toThrow(/is the live database itself: name an instance that was restored/);
  });

  test('is the live database under another address', async () => {
    const attempt = report({ host: site.source.connector.target.host, port: await otherPort() });
    await expect(attempt).rejects.toMatchObject({ code: 'wrong_database' });
    await expect(attempt).rejects.toThrow('is the live database itself');
  });

  test('is the other database', async () => {
    others = [await createTestDatabase('main')];
    await expect(report({ targetDatabase: others[0]?.name })).rejects.toThrow(/this one says it is main/);
  });

  test('is a database that the server does not have', async () => {
    const attempt = report({ targetDatabase: 'billing_restord' });
    await expect(attempt).rejects.toThrow(/^instance\.targetDatabase: .+ has no database billing_restord; it has /);
    await expect(attempt).rejects.toMatchObject({ code: 'wrong_database' });
  });

  test('carries no identity', async () => {
    others = [await createTestDatabase('empty')];
    await expect(report({ targetDatabase: others[0]?.name })).rejects.toMatchObject({ code: 'wrong_database' });
  });

  test('is the same database of another environment', async () => {
    await asAdministrator(
      (administrator) =>
        administrator.query(`UPDATE operations.database_identity SET stamped_at = '2020-01-01T00:00:00Z'`),
      copy,
    );
    await expect(report()).rejects.toThrow(
      /was not restored from the live database: its identity is of 2020-01-01T00:00:00\.000000Z, that of the live one of 20/,
    );
  });

  test('does not answer', async () => {
    const place = { host: site.source.connector.target.host, port: await otherPort() };
    const [server] = servers.splice(0);
    await new Promise((resolve) => server?.close(resolve));
    await expect(report(place)).rejects.toMatchObject({ code: 'database_unavailable' });
  });

  test('has other columns, with the way that is left', async () => {
    await client.query('ALTER TABLE app.children ADD tier text');
    await expect(report()).rejects.toThrow(
      /Table app\.children has other columns than the instance, which has the schema of its moment: take an archive/,
    );
  });
});

test('an instance on another server is read with the credentials of the live one', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'restored-instance-'));
  let other: Cluster | undefined;
  try {
    other = await startCluster({ directory: path.join(directory, 'cluster'), tls: true, durable: false });
    const { host, port, user, password, caFile = '' } = other;
    const ssl = { ca: readFileSync(caFile, 'utf8') };
    const open = async (database = 'postgres') => {
      const session = new Client({ host, port, user, password, database, ssl });
      await session.connect();
      return session;
    };
    const server = await open();
    await server.query(`CREATE DATABASE ${site.source.name}`);
    await server.end();
    const filled = await open(site.source.name);
    await applyMigrations(filled, 'billing', site.migrations.directory);
    const { rows } = await client.query<{ at: string }>(
      'SELECT stamped_at::text AS at FROM operations.database_identity',
    );
    await filled.query('UPDATE operations.database_identity SET stamped_at = $1', [rows[0]?.at]);
    await filled.query(ROWS);
    await filled.end();
    await client.query('DELETE FROM app.parents WHERE id = 50');
    const connectorAt = ((place) => ({
      target: { ...site.source.connector.target, ...place },
      connect: async (database?: string) => open(database),
    })) satisfies ReportDependencies['connectorAt'];
    const found = await report({ host, port }, { connectorAt });
    expect(found).toMatchObject({ instance: `${host}:${port}/${site.source.name}`, deleted: 11, changed: 0 });
    expect(await merge(found.reportId)).toMatchObject({ inserted: 11 });
  } finally {
    await other?.stop();
    await rm(directory, { recursive: true, force: true });
  }
});

test('tables and conditions are checked before an instance is restored for them', async () => {
  const { connector } = site.source;
  expect(await checkTables(connector, { tables: ['app.children'] })).toEqual({
    database: 'billing',
    checked: ['app.children'],
    related: ['app.parents'],
  });
  await expect(checkTables(connector, { tables: ['app.nothing'] })).rejects.toThrow('app.nothing is not a table');
  const where = [{ column: 'id', operator: '>', value: 'noon' } as const];
  await expect(checkTables(connector, { tables: ['app.children'], where })).rejects.toThrow('invalid input syntax');
});
