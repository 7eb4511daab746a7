import { ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import type { Client } from 'pg';
import { ROW_RECOVERY_PREFIX } from '../../core/archive/contract';
import type { CompleteManifest } from '../../core/archive/manifest';
import { SWEPT_TABLES } from '../../core/erasure/billing';
import { isTooLarge } from '../../core/restore/workflow';
import type { ReplayReport } from '../../lambdas/erasure/contract';
import { replayAt } from '../../lambdas/erasure/core';
import { listRecords } from '../../lambdas/inspect/audit-records';
import { manifestAt } from '../factories/archive';
import { createErasureSite, type ErasureSite } from '../factories/erasure-site';
import { placesOf } from '../factories/planted-person';
import { SteppedRestore } from '../factories/stepped-restore';

const SLOT = '2026-11-20T06:00:00Z';
/** Of one page each: a sweep takes three calls, and three for what it found. */
const TABLES_PER_CALL = Math.ceil(SWEPT_TABLES.length / 3);

let site: ErasureSite;

beforeEach(async () => {
  site = await createErasureSite();
  await site.billing.backup(SLOT);
});
afterEach(() => site.remove());

/** Time for a third of the tables. */
function timeForAThird(): () => boolean {
  let pages = 0;
  return () => (pages += 1) <= TABLES_PER_CALL;
}

function placesIn(database: string): Promise<string[]> {
  return inside(database, (client) => placesOf(client, site.one.marker));
}

async function inside<T>(database: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = await site.billing.source.connector.connect(database);
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

const unfinished = (database: string) =>
  inside(
    database,
    async (client) => (await client.query('SELECT FROM billing.erasures WHERE finished_at IS NULL')).rowCount,
  );

describe('a recovered instance, whose rows take several calls', () => {
  let targetDatabase: string;
  beforeEach(async () => {
    ({ targetDatabase } = await site.billing.restore(SLOT));
    await site.erase();
  });

  const call = (continueFrom: ReplayReport['continueFrom'], name = targetDatabase) => {
    const hasTime = timeForAThird();
    const { directory: migrationsDirectory } = site.billing.migrations;
    return replayAt(
      site.billing.source.connector,
      { ...site.replayed(), migrationsDirectory, remainingMs: () => (hasTime() ? 1 : 0) },
      { targetDatabase: name, dryRun: false, continueFrom },
    );
  };

  /** Only into the ledger, as an erasure of the live database does first. */
  const eraseOther = async () => {
    const ledger = site.ledger();
    await ledger.append([(await ledger.key()).subject('customer', 'cus_other')], new Date());
  };

  test('is named among those that the server has, where its name is misspelt', async () => {
    await expect(call(null, 'billing_restord')).rejects.toMatchObject({
      code: 'wrong_database',
      message: expect.stringMatching(/^targetDatabase: .+ has no database billing_restord; it has /) as string,
    });
  });

  test('is erased again by calls that each continue where the one before stopped', async () => {
    const first = await call(null);
    expect(first).toMatchObject({ done: false, continueFrom: { table: SWEPT_TABLES[TABLES_PER_CALL]?.name } });
    const second = await call(first.continueFrom);
    expect(second).toMatchObject({ done: false, continueFrom: { table: SWEPT_TABLES[2 * TABLES_PER_CALL]?.name } });
    expect(await unfinished(targetDatabase)).toBe(1);
    // Then all tables again, for rows that refer to what was found.
    let last = await call(second.continueFrom);
    expect(last).toMatchObject({ done: false, continueFrom: { table: SWEPT_TABLES[0]?.name } });
    for (const _ of ['first third', 'second third', 'third third']) last = await call(last.continueFrom);
    expect(last).toMatchObject({ done: false, continueFrom: null });
    expect(await placesIn(targetDatabase)).toEqual([]);
    expect(await unfinished(targetDatabase)).toBe(0);
    // Looks whether anybody was erased meanwhile.
    expect(await call(last.continueFrom)).toMatchObject({ done: true, continueFrom: null, tables: [] });
  });

  test('is complete when it is begun anew, and includes a person who was erased meanwhile', async () => {
    const first = await call(null);
    await eraseOther();
    expect(first.done).toBe(false);
    let report = await call(null);
    const calls = [report];
    while (!report.done) calls.push((report = await call(report.continueFrom)));
    expect(calls).toHaveLength(7);

    expect(await placesIn(targetDatabase)).toEqual([]);
    expect(await inside(targetDatabase, (client) => namesOf(client, 'cus_other'))).toBe(0);
  });

  test('includes a person who was erased behind the position of a call', async () => {
    const first = await call(null);
    await eraseOther();
    let report = first;
    const calls = [report];
    while (!report.done) calls.push((report = await call(report.continueFrom)));
    // Two sweeps of six calls, and a look.
    expect(calls).toHaveLength(13);
    expect(await inside(targetDatabase, (client) => namesOf(client, 'cus_other'))).toBe(0);
  });
});

/** Customers of an id that still have a name or an address. */
async function namesOf(client: Client, id: string): Promise<number | null> {
  return (
    await client.query('SELECT FROM billing.customers WHERE id = $1 AND (name, email) IS DISTINCT FROM (NULL, NULL)', [
      id,
    ])
  ).rowCount;
}

test('a restore in steps erases in several calls, and is not proven before the last', async () => {
  await site.erase();
  const restore = new SteppedRestore(site.billing, `replayed_${site.billing.source.name}`, {
    erasures: site.replayed(),
  });
  const inTime = () => {
    const hasTime = timeForAThird();
    return {
      stop: {
        get aborted() {
          return !hasTime();
        },
      } as AbortSignal,
    };
  };
  try {
    await restore.completeAll();
    const first = await restore.prove(inTime());
    expect(first.done).toBe(false);
    await expect(restore.release()).rejects.toMatchObject({ code: 'database_unproven' });
    const reports = [first];
    while (reports.at(-1)?.done === false) reports.push(await restore.prove(inTime()));
    expect(reports.map(({ done }) => done)).toEqual([...Array.from({ length: 6 }, () => false), true]);
    const erased = reports.map(({ proof }) => proof.rowsErased);
    expect(erased).toEqual(erased.toSorted((a, b) => a - b));
    const [{ proof }] = [reports.at(-1) ?? first];
    expect(proof.rowsErased).toBeGreaterThan(20);
    expect(proof).toEqual({ ...first.proof, rowsErased: proof.rowsErased });
    // Its answer may be lost.
    expect(await restore.prove(inTime())).toEqual({ step: 'prove', done: true, proof });
    await restore.release();
    expect(await placesIn(restore.targetDatabase)).toEqual([]);
  } finally {
    await restore.discard();
    await inside('postgres', (client) =>
      client.query(`DROP DATABASE IF EXISTS ${restore.targetDatabase} WITH (FORCE)`),
    );
  }
});

test('a replay in the live database goes on while another erasure begins', async () => {
  const ledger = site.ledger();
  // Appended to the ledger behind what is read, and stored in billing before it is asked.
  const read = async () => {
    const before = await ledger.read();
    await site.erase();
    return before;
  };
  const { directory: migrationsDirectory } = site.billing.migrations;
  const replayed = { ...site.replayed(), ledger: { ...ledger, read }, migrationsDirectory };
  expect(await replayAt(site.billing.source.connector, replayed, { dryRun: false })).toMatchObject({ done: true });
});

test('an erasure that did not reach main is recorded as such, and completed by a replay in the live database', async () => {
  const records = async () => {
    const { records: all } = await listRecords(site.live, {
      action: 'records',
      database: 'billing',
      since: '2001-01-01T00:00:00Z',
      until: '2100-01-01T00:00:00Z',
      limit: 500,
    });
    return all.filter(({ kind }) => kind === 'erasures').map(({ what }) => what);
  };
  const { connectors, store } = site.dependencies();
  const { s3, bucket: Bucket } = store;
  let connections = 0;
  const connect = (name?: string) => {
    connections += 1;
    // The first is that of the attempt.
    return connections === 1 ? connectors.main.connect(name) : Promise.reject(new Error('killed'));
  };
  const dying = { ...connectors, main: { ...connectors.main, connect } };
  await expect(site.erase({ connectors: dying })).rejects.toThrow('killed');
  const { directory: migrationsDirectory } = site.billing.migrations;
  const replay = (connector = connectors.billing) =>
    replayAt(connector, { ...site.replayed(), migrationsDirectory }, { dryRun: false });
  await s3.send(new PutObjectCommand({ Bucket, Key: `${ROW_RECOVERY_PREFIX}meanwhile/rows`, Body: 'rows' }));
  // Of a database that is not the live one, it knows nothing of main.
  const { target } = connectors.billing;
  await replay({ ...connectors.billing, target: { ...target, host: `other.${target.host}` } });
  expect(await records()).toEqual([expect.stringContaining('not on record as done: main, row reports.')]);
  const { tables } = await replay();
  expect(tables).toContainEqual({ database: 'main', table: 'people.users', rows: 1 });
  expect(await records()).toEqual(['erased a person']);
  const { KeyCount } = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: ROW_RECOVERY_PREFIX }));
  expect(KeyCount).toBe(0);
  expect(await replay()).toMatchObject({ tables: [], done: true });
});

test('an archive of many rows is left to the workflow once anybody was erased', async () => {
  const manifest = await manifestAt(site.billing.store, 'archives/billing/20261120T060000Z/manifest.json');
  const many = { ...(manifest as CompleteManifest), rows: 1_000_001 };
  const limit = { limitBytes: 1024 ** 4 };
  expect(isTooLarge(many, limit, { entries: [] })).toBe(false);
  await site.erase();
  const { entries } = await site.ledger().read();
  expect(isTooLarge(many, limit, { entries })).toBe(true);
  expect(isTooLarge({ ...many, database: 'main' }, limit, { entries })).toBe(false);
  expect(isTooLarge({ ...many, rows: 600_000, bytes: limit.limitBytes / 2 }, limit, { entries })).toBe(true);
  expect(isTooLarge({ ...many, rows: 1000 }, limit, { entries })).toBe(false);
});
