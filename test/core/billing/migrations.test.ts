import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Client } from 'pg';
import { applyMigrations } from '../../../core/migrations/runner';
import { createTestDatabase, type TestDatabase } from '../../support/database';

const MIGRATIONS = path.join(__dirname, '../../../migrations/billing');

let database: TestDatabase;
let client: Client;

beforeEach(async () => {
  database = await createTestDatabase('empty');
  client = await database.client();
});
afterEach(() => database.drop());

/** One direction of a migration's file. */
function direction(name: string, which: 'Up' | 'Down', directory = MIGRATIONS): string {
  const [, up = '', down = ''] = readFileSync(path.join(directory, `${name}.sql`), 'utf8').split(
    /^-- (?:Up|Down) Migration$/m,
  );
  return which === 'Up' ? up : down;
}
const entries = async () =>
  (await client.query('SELECT amount FROM billing.refund_entries ORDER BY refunded_total')).rows.map(
    ({ amount }) => amount,
  );

test('migration 0005 keeps the entries of an older refund ledger, up, down and up again', async () => {
  await applyMigrations(client, 'billing', MIGRATIONS, { upTo: '0003_create_reconciliation' });
  await client.query(`
    INSERT INTO billing.charges (id, status, amount, amount_refunded, currency, created_at, version, raw)
      VALUES ('ch_1', 'succeeded', 9900, 5000, 'eur', now(), '1', '{"id": "ch_1"}');
    INSERT INTO billing.refund_ledger (charge_id, refunded_total, currency) VALUES ('ch_1', 3000, 'eur'), ('ch_1', 5000, 'eur')`);
  const before = await entries();
  expect(before).toEqual(['3000', '2000']);

  await applyMigrations(client, 'billing', MIGRATIONS, { upTo: '0005_deepen_refund_ledger' });
  expect(await entries()).toEqual(before);
  await client.query(direction('0005_deepen_refund_ledger', 'Down'));
  await client.query(direction('0004_create_payment_objects', 'Down'));
  expect(await entries()).toEqual(before);
  await expect(client.query('DELETE FROM billing.refund_ledger')).rejects.toThrow('only grows');

  await client.query(direction('0004_create_payment_objects', 'Up'));
  await client.query(direction('0005_deepen_refund_ledger', 'Up'));
  expect(await entries()).toEqual(before);
  await expect(client.query('DELETE FROM billing.refund_ledger')).rejects.toThrow('only grows');
});

test('migration 0011 gives rules without a grace the default, and rejects new ones and refunds without an amount', async () => {
  await applyMigrations(client, 'billing', MIGRATIONS, { upTo: '0010_create_prewarm_extension' });
  const insert = (id: string) =>
    client.query(
      `INSERT INTO billing.entitlement_rules (id, source, price_id, features) VALUES ('${id}', 'subscription', 'price', '{f}')`,
    );
  await insert('old');

  await applyMigrations(client, 'billing', MIGRATIONS, { upTo: '0011_tighten_checks' });
  const { rows } = await client.query(`SELECT grace = interval '7 days' AS week FROM billing.entitlement_rules`);
  expect(rows).toEqual([{ week: true }]);
  await expect(insert('new')).rejects.toMatchObject({ constraint: 'rules_match_what_their_source_has' });
  const entry = `INSERT INTO billing.refund_ledger (entry, kind, charge_id, refund_id, currency) VALUES ('re_1', 'refunded', 'ch_1', 're_1', 'eur')`;
  await expect(client.query(entry)).rejects.toMatchObject({ constraint: 'entries_say_what_their_kind_needs' });
  await client.query(direction('0011_tighten_checks', 'Down'));
  await client.query(direction('0011_tighten_checks', 'Up'));
});

test('migrations 0014 and 0015 make older events events of Stripe, keyed by provider and id, up, down and up again', async () => {
  await applyMigrations(client, 'billing', MIGRATIONS, { upTo: '0013_make_room_for_renewals' });
  const insert = (id: string) => `INSERT INTO billing.webhook_events
    (id, type, livemode, source, status, attempts, occurred_at, received_at, processed_at, payload)
    VALUES ('${id}', 'x', false, 'webhook', 'processed', 1, now(), now(), now(), '{}')`;
  await client.query(insert('evt_1'));
  const events = async () => (await client.query('SELECT provider, id FROM billing.webhook_events')).rows;
  const key = async () =>
    (
      await client.query(
        `SELECT conname AS name, pg_get_constraintdef(oid) AS columns FROM pg_constraint
         WHERE conrelid = 'billing.webhook_events'::regclass AND contype = 'p'`,
      )
    ).rows;
  const keyedByProvider = [{ name: 'webhook_events_pkey', columns: 'PRIMARY KEY (provider, id)' }];

  await applyMigrations(client, 'billing', MIGRATIONS, { upTo: '0015_key_events_by_provider' });
  expect(await events()).toEqual([{ provider: 'stripe', id: 'evt_1' }]);
  expect(await key()).toEqual(keyedByProvider);

  await client.query(direction('0015_key_events_by_provider', 'Down'));
  expect(await key()).toEqual([{ name: 'webhook_events_pkey', columns: 'PRIMARY KEY (id)' }]);
  await client.query(direction('0014_add_provider_to_events', 'Down'));
  await client.query(insert('evt_2'));
  await client.query(direction('0014_add_provider_to_events', 'Up'));
  await client.query(direction('0015_key_events_by_provider', 'Up'));
  expect((await events()).length).toBe(2);
  expect(await key()).toEqual(keyedByProvider);
});

test('migrations 0021 and 0022 know ignored and dismissed events, up, down and up again', async () => {
  const [tell, validate] = ['0021_tell_ignored_events_from_processed', '0022_validate_event_statuses'];
  await applyMigrations(client, 'billing', MIGRATIONS, { upTo: validate });
  const insert = (status: string, columns = '', values = '') =>
    client.query(`INSERT INTO billing.webhook_events
      (id, type, livemode, source, status, attempts, error, occurred_at, received_at, processed_at, payload${columns})
      VALUES ('evt_${status}', 'x', false, 'webhook', '${status}', 1, 'e', now(), now(), now(), '{}'${values})`);
  await insert('ignored');
  await expect(insert('dismissed')).rejects.toMatchObject({ constraint: 'dismissed_events_say_why' });
  await insert('dismissed', ', dismissed_by, dismissal_reason', `, 'ada', 'junk'`);
  await expect(insert('failed')).rejects.toMatchObject({ constraint: 'settled_events_have_a_time' });

  await client.query(direction(tell, 'Down'));
  const { rows } = await client.query(
    'SELECT id, status, processed_at IS NULL AS open FROM billing.webhook_events ORDER BY 1',
  );
  expect(rows).toEqual([
    { id: 'evt_dismissed', status: 'failed', open: true },
    { id: 'evt_ignored', status: 'processed', open: false },
  ]);
  await client.query(direction(tell, 'Up'));
  await client.query(direction(validate, 'Up'));
});

test.each([
  ['billing', '0016_rename_row_merges'],
  ['main', '0006_rename_row_merges'],
] as const)(
  'migration %s/%s renames the table of merged rows with its key, sequence and index, up, down and up again',
  async (name, migration) => {
    const directory = path.join(MIGRATIONS, '..', name);
    await applyMigrations(client, name, directory, { upTo: migration });
    const names = async () =>
      (
        await client.query(
          `SELECT relname FROM pg_class WHERE relnamespace = 'operations'::regnamespace AND relname ~ 'row_' ORDER BY 1`,
        )
      ).rows.map(({ relname }) => relname);
    const renamed = ['', '_by_report', '_id_seq', '_pkey'].map((suffix) => `row_recovery_merges${suffix}`);

    expect(await names()).toEqual(renamed);
    await client.query(direction(migration, 'Down', directory));
    expect(await names()).toEqual(renamed.map((relname) => relname.replace('_recovery', '')));
    await client.query(direction(migration, 'Up', directory));
    expect(await names()).toEqual(renamed);
  },
);
