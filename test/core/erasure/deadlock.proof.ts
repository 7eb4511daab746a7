import type { Client } from 'pg';
import { plantTombstones, sweepBilling } from '../../../core/erasure/billing';
import { sweepMain } from '../../../core/erasure/main';
import { waitUntil } from '../../../local/pass/check';
import { placesOf, plantedPerson } from '../../factories/planted-person';
import { useBillingDatabase } from '../../support/billing';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { erasuresOf } from '../../support/erasures';

/** Another session locks one row, and the other one that the sweep has by then: PostgreSQL ends the sweep's transaction. */
async function inADeadlock<T>(
  { sweeper, other }: { readonly sweeper: Client; readonly other: Client },
  [first, second]: readonly [string, string],
  sweep: () => Promise<T>,
): Promise<T> {
  // PostgreSQL ends the transaction that looks for the deadlock: once, when it has waited that long.
  await sweeper.query(`SET deadlock_timeout = '2s'`);
  await other.query(`SET deadlock_timeout = '1min'`);
  await other.query('BEGIN');
  await other.query(`SELECT FROM ${first} FOR UPDATE`);
  const { rows } = await sweeper.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  const swept = sweep();
  await waitUntil(async () => {
    const waiting = await other.query(`SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event_type = 'Lock'`, [
      rows[0]?.pid,
    ]);
    return waiting.rowCount === 1 ? undefined : `the sweep does not wait for ${first}`;
  }, 10_000);
  await other.query(`SELECT FROM ${second} FOR UPDATE`);
  await other.query('COMMIT');
  return swept;
}

describe('a sweep that meets a transaction with the same rows in another order', () => {
  const { apply, client, database } = useBillingDatabase();
  const one = plantedPerson('one');
  let main: TestDatabase;
  beforeEach(async () => (main = await createTestDatabase('empty')));
  afterEach(() => main.drop());

  test('of billing gives way, and erases everything when the other one is over', async () => {
    await apply(...one.events);
    await plantTombstones(client(), erasuresOf(one));
    const sessions = { sweeper: client(), other: await database().client() };
    const rows = [`billing.charges WHERE id = 'ch_one'`, `billing.customers WHERE id = '${one.customerId}'`] as const;
    expect(await inADeadlock(sessions, rows, () => sweepBilling(client()))).toMatchObject({ continueFrom: null });
    expect(await placesOf(client(), one.marker)).toEqual([]);
  });

  test('of billing gives way to another sweep that marks the same objects', async () => {
    await client().query(`INSERT INTO billing.erased_objects (id, spread) VALUES ('pi_1', true), ('pi_2', true)`);
    const sessions = { sweeper: client(), other: await database().client() };
    const rows = [`billing.erased_objects WHERE id = 'pi_2'`, `billing.erased_objects WHERE id = 'pi_1'`] as const;
    expect(await inADeadlock(sessions, rows, () => sweepBilling(client()))).toMatchObject({ continueFrom: null });
    const { rows: left } = await client().query('SELECT FROM billing.erased_objects WHERE NOT sought');
    expect(left).toEqual([]);
  });

  test('of main gives way, in a database without a table of merges', async () => {
    const sessions = { sweeper: await main.client(), other: await main.client() };
    await sessions.other.query(`CREATE TABLE people (id int PRIMARY KEY, user_id text, name text)`);
    await sessions.other.query(`INSERT INTO people VALUES (1, $1, 'x'), (2, $1, 'x')`, [one.userId]);
    const hook = {
      schema: 'public',
      table: 'people',
      userColumn: 'user_id',
      column: 'name',
      treatment: 'drop',
    } as const;
    const sweep = () => sweepMain(sessions.sweeper, erasuresOf(one), [hook]);
    const rows = ['people WHERE id = 2', 'people WHERE id = 1'] as const;
    expect(await inADeadlock(sessions, rows, sweep)).toEqual({ 'public.people': 2 });
  });
});
