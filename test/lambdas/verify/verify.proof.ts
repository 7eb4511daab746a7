import type { Client } from 'pg';
import type { VerifyRequest } from '../../../lambdas/verify/contract';
import { verifyDatabase } from '../../../lambdas/verify/core';
import { contentOf, copyMigrations, migrationsOf } from '../../factories/archive';
import { copyWithDamagedPage } from '../../factories/damaged-database';
import { clusterTarget, createTestDatabase, type TestDatabase } from '../../support/database';
import { createMasterRole } from '../../support/roles';

const NOW = new Date('2026-11-21T12:00:00Z');

let database: TestDatabase;
let client: Client;

beforeEach(async () => {
  database = await createTestDatabase('billing');
  client = await database.client();
  await client.query(`INSERT INTO billing.customers VALUES ('cus_1', now());
    INSERT INTO billing.webhook_events (id, type, livemode, source, status, attempts, occurred_at, received_at, processed_at, payload)
      VALUES ('evt_1', 'ping', false, 'webhook', 'processed', 1, now(), '2026-11-21T11:00:00Z', now(), '{}')`);
});
afterEach(() => database.drop());

function verify(
  request: Partial<VerifyRequest> = {},
  migrationsDirectory = migrationsOf('billing'),
  remainingMs?: () => number,
) {
  return verifyDatabase({ connector: database.connector, migrationsDirectory, clock: () => NOW, remainingMs }, request);
}

const RUN = `INSERT INTO billing.reconciliation_runs (status, dry_run, window_start, started_at) VALUES ('running', false, now(), now())`;

test('verification reports a sound database with what was checked, and changes nothing', async () => {
  await client.query(RUN);
  const before = await contentOf(database.name);
  const report = await verify();
  expect(report).toMatchObject({
    database: 'billing',
    targetDatabase: database.name,
    sound: true,
    problems: [],
    notChecked: [],
    pendingMigrations: [],
    newestAt: '2026-11-21T11:00:00.000Z',
    ageSeconds: 3600,
  });
  expect(report.foreignKeysChecked).toBeGreaterThan(3);
  expect(report.sequencesChecked).toBeGreaterThan(1);
  expect(report.invariantsChecked).toBeGreaterThan(0);
  expect(await contentOf(database.name)).toEqual(before);
});

test.each<[string, string, RegExp]>([
  [
    'a child without its parent',
    `SET session_replication_role = 'replica';
     INSERT INTO billing.reconciliation_findings (run_id, kind, object_type, object_id, corrected) VALUES (77, 'missed_event', 'event', 'evt_9', true);
     RESET session_replication_role`,
    /^Foreign key reconciliation_findings_run_id_fkey of billing\.reconciliation_findings .* for example, 77$/,
  ],
  [
    'a sequence that will issue a number twice',
    `${RUN}; SELECT setval('billing.reconciliation_runs_id_seq', 1, false)`,
    /^Sequence billing\.reconciliation_runs_id_seq will issue 1, but billing\.reconciliation_runs\.id has 1 already/,
  ],
  [
    'a disabled trigger',
    `ALTER TABLE billing.refund_ledger DISABLE TRIGGER refund_ledger_only_grows`,
    /^Trigger refund_ledger_only_grows of billing\.refund_ledger is disabled/,
  ],
  [
    'a missing primary key',
    `ALTER TABLE billing.refund_ledger DROP CONSTRAINT refund_ledger_pkey`,
    /^The (?:constraint|index) refund_ledger_pkey of billing\.refund_ledger is missing; migrations make it /,
  ],
  [
    'a missing index',
    `DROP INDEX billing.subscriptions_by_customer`,
    /^The index subscriptions_by_customer of billing\.subscriptions is missing; migrations make it CREATE INDEX/,
  ],
  [
    'a column that may be null',
    `ALTER TABLE billing.customers ALTER COLUMN first_seen_at DROP NOT NULL`,
    /^The column first_seen_at of billing\.customers is timestamp with time zone; migrations make it timestamp with time zone NOT NULL$/,
  ],
  [
    'a missing trigger',
    `DROP TRIGGER refund_ledger_only_grows ON billing.refund_ledger`,
    /^The trigger refund_ledger_only_grows of billing\.refund_ledger is missing/,
  ],
  [
    'a broken domain rule',
    `${RUN.replace("'running', false", "'running', true")};
     INSERT INTO billing.reconciliation_findings (run_id, kind, object_type, object_id, corrected) VALUES (1, 'missed_event', 'event', 'evt_9', true)`,
    /^"a dry run of the reconciliation corrected nothing" does not hold for 1$/,
  ],
  [
    'a domain rule that several rows break',
    `${RUN.replace("'running', false", "'running', true")};
     INSERT INTO billing.reconciliation_findings (run_id, kind, object_type, object_id, corrected)
     SELECT 1, 'missed_event', 'event', 'evt_' || n, n > 1 FROM generate_series(1, 4) AS n`,
    /corrected nothing" does not hold for 3 rows, such as 2 and 4$/,
  ],
])('verification names %s', async (_what, damage, message) => {
  await client.query(damage);
  const report = await verify();
  expect(report.sound).toBe(false);
  const messages = report.problems.map((problem) => problem.message);
  // A key is missing as a constraint and as an index.
  expect(messages.filter((found) => !message.test(found))).toEqual([]);
  expect(messages.length).toBeGreaterThan(0);
});

test('verification names a table with an unreadable page, and still finds other problems', async () => {
  // Children whose keys cannot be checked without the page, and a sequence that is behind.
  await client.query(`INSERT INTO billing.invoices
    (id, customer_id, currency, total, amount_due, amount_paid, amount_remaining, attempt_count, created_at, version, raw)
    VALUES ('in_1', 'cus_1', 'eur', 1, 1, 0, 1, 0, now(), '', '{"id": "in_1"}')`);
  await client.query(`${RUN}; SELECT setval('billing.reconciliation_runs_id_seq', 1, false)`);
  const damaged = await copyWithDamagedPage(database, 'billing.customers');
  try {
    const report = await verify({ targetDatabase: damaged.name });
    expect(report.sound).toBe(false);
    expect(report.problems).toEqual(
      expect.arrayContaining([
        { check: 'sequences', message: expect.stringContaining('reconciliation_runs_id_seq') as string },
        {
          check: 'tables',
          message: expect.stringMatching(
            /^Rows that foreign key invoices_customer_id_fkey of billing\.invoices needs cannot be read: invalid page/,
          ) as string,
        },
      ]),
    );
    expect(report.foreignKeysChecked).toBeGreaterThan(3);
  } finally {
    await damaged.drop();
  }
});

describe('without time for every check, verification', () => {
  async function keysIn(): Promise<number> {
    const keys = await client.query(`SELECT FROM pg_constraint WHERE contype = 'f' AND conparentid = 0`);
    return keys.rowCount ?? 0;
  }

  test('names the checks that were not started, without a verdict on them', async () => {
    let remaining = 3;
    const report = await verify({}, undefined, () => (remaining-- > 0 ? 60_000 : 0));
    expect(report).toMatchObject({ sound: true, problems: [], foreignKeysChecked: 0 });
    expect(report.notChecked.filter((name) => name.startsWith('foreign key '))).toHaveLength(await keysIn());
    expect(report.notChecked).toContain('foreign key invoices_customer_id_fkey of billing.invoices');
  });

  test('ends and names a check that takes too long, and makes the others', async () => {
    await client.query(`INSERT INTO billing.customers SELECT 'cus_n' || n, now() FROM generate_series(1, 60000) n;
      INSERT INTO billing.subscriptions (id, customer_id, status, currency, cancel_at_period_end, created_at, version, raw)
        SELECT 'sub_' || n, 'cus_n' || n, 'active', 'eur', false, now(), '1', '{}' FROM generate_series(1, 60000) n`);
    const slow = 'foreign key subscriptions_customer_id_fkey of billing.subscriptions';
    const report = await verify({}, undefined, () => 5);
    expect(report.notChecked).toContain(slow);
    const keysNotChecked = report.notChecked.filter((name) => name.startsWith('foreign key '));
    expect(report.foreignKeysChecked + keysNotChecked.length).toBe(await keysIn());
    // With enough time, nothing else prevents that check.
    expect((await verify()).notChecked).toEqual([]);
  });
});

test('verification names a schema that is older or newer than the code, with the way out', async () => {
  const migrations = await copyMigrations('billing');
  try {
    const name = await migrations.add('add_note', 'ALTER TABLE billing.customers ADD note text;');
    const older = await verify({}, migrations.directory);
    expect(older).toMatchObject({ sound: false, pendingMigrations: [name], invariantsChecked: 0 });
    expect(older.problems[0]?.message).toContain('apply them');

    await client.query(`INSERT INTO operations.migrations (name, run_on) VALUES ('9999_unknown', now())`);
    expect((await verify()).problems[0]?.message).toContain('deploy the version that has it');
  } finally {
    await migrations.remove();
  }
});

test('verification does without the structure where its role may make no database, and says how to grant it', async () => {
  const role = await createMasterRole(clusterTarget(database.name));
  await client.query(
    `GRANT pg_read_all_data TO ${role.name}; GRANT CREATE ON DATABASE ${database.name} TO ${role.name}; ALTER ROLE ${role.name} NOCREATEDB`,
  );
  const clock = () => NOW;
  const report = await verifyDatabase(
    { connector: role.connector, migrationsDirectory: migrationsOf('billing'), clock },
    {},
  );
  expect(report).toMatchObject({
    sound: false,
    problems: [{ check: 'privileges', message: expect.stringContaining('CREATEDB') }],
  });
  expect(report.notChecked).toEqual([expect.stringMatching(/^the structure that migrations make \(permission denied/)]);
});

test('verification takes what an operator added for no problem', async () => {
  await client.query('CREATE TABLE public.theirs (id int); CREATE INDEX theirs ON billing.customers (first_seen_at)');
  expect(await verify()).toMatchObject({ sound: true, problems: [] });
});

test('verification names a database that the server does not have, and those that it has', async () => {
  await expect(verify({ targetDatabase: 'billing_chek' })).rejects.toMatchObject({
    code: 'wrong_database',
    message: expect.stringMatching(
      new RegExp(`^targetDatabase: .+:\\d+ has no database billing_chek; it has ${database.name}`),
    ) as string,
  });
});

test('verification refuses a main database in the place of billing', async () => {
  const main = await createTestDatabase('main');
  try {
    await expect(verify({ targetDatabase: main.name })).rejects.toMatchObject({ code: 'wrong_database' });
  } finally {
    await main.drop();
  }
});
