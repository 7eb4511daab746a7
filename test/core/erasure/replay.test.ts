import { join } from 'node:path';
import { beginSweep, finishErasures, hasUnreached, plantTombstones, sweepBilling } from '../../../core/erasure/billing';
import { replayErasures } from '../../../core/erasure/replay';
import type { Erasures } from '../../../core/erasure/ledger';
import { rollBackLast } from '../../../core/migrations/history';
import { applyMigrations, migrationStatus } from '../../../core/migrations/runner';
import { erasureRequest } from '../../../lambdas/erasure/contract';
import { waitUntil } from '../../../local/pass/check';
import { placesOf, plantedPerson } from '../../factories/planted-person';
import { useBillingDatabase } from '../../support/billing';
import { erasuresOf } from '../../support/erasures';

const { apply, client, database, rows } = useBillingDatabase();
const OTHER = '20261129T130000000Z-00000002';

/** The erasures of the first person, with those of the second behind. */
function both(first: Erasures, second: Erasures): Erasures {
  return { ...first, entries: [...first.entries, ...second.entries.map((entry) => ({ ...entry, id: OTHER }))] };
}

const open = () => rows('SELECT id FROM billing.erasures WHERE finished_at IS NULL');

test('an erasure that another call stores during the last pages of a sweep stays open', async () => {
  const first = erasuresOf(plantedPerson('one'));
  const all = both(first, erasuresOf(plantedPerson('other')));
  const other = await database().client();
  await other.query('BEGIN');
  await other.query('LOCK TABLE billing.object_refreshes IN SHARE MODE');
  const sweep = replayErasures(await database().client(), 'billing', first, []);
  await waitUntil(async () => {
    const waiting = await rows(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    return waiting.length > 0 ? undefined : 'the sweep does not wait';
  }, 5_000);
  await plantTombstones(other, all);
  await other.query('COMMIT');
  expect(await sweep).toMatchObject({ done: true });
  expect(await open()).toEqual([{ id: OTHER }]);
  await replayErasures(client(), 'billing', all, []);
  expect(await open()).toEqual([]);
});

test('an erasure that another call stores behind the position of a sweep stays open, and its rows are swept', async () => {
  const [one, other] = [plantedPerson('one'), plantedPerson('other')];
  await apply(...other.events.filter(({ type }) => type === 'customer.created'));
  // Otherwise the sweep finds the customer by its event, which is in a later table.
  await rows('DELETE FROM billing.webhook_events');
  const all = both(erasuresOf(one), erasuresOf(other));
  const pages = [true, false];
  const hasTime = () => pages.shift() ?? true;
  const first = await replayErasures(client(), 'billing', erasuresOf(one), [], { hasTime });
  expect(first).toMatchObject({ done: false, continueFrom: { table: 'subscriptions' } });
  // Its own sweep is killed.
  await plantTombstones(client(), all);
  const second = await replayErasures(client(), 'billing', all, [], { from: first.continueFrom });
  expect(second).toMatchObject({ done: false, continueFrom: null });
  expect(await open()).toEqual([{ id: OTHER }]);
  expect(await replayErasures(client(), 'billing', all, [])).toMatchObject({ done: true });
  expect(await open()).toEqual([]);
  expect(await placesOf(client(), other.marker)).toEqual([]);
});

test('an erasure whose sweep ends is finished, although another sweep began later and was killed', async () => {
  await plantTombstones(client(), erasuresOf(plantedPerson('one')));
  const { sweep } = await beginSweep(client());
  await beginSweep(client());
  const { reduced } = await sweepBilling(client());
  await finishErasures(client(), sweep, reduced);
  expect(await open()).toEqual([]);
});

describe('a position at a table that the code does not have', () => {
  test('lets a restore sweep from the beginning, as after a deployment that renamed the table', async () => {
    const one = plantedPerson('one');
    await apply(...one.events.filter(({ type }) => type === 'customer.created'));
    // Otherwise the sweep finds the customer by its event.
    await rows('DELETE FROM billing.webhook_events');
    await plantTombstones(client(), erasuresOf(one));
    const from = { table: 'card_charges', after: ['d'] };
    await replayErasures(client(), 'billing', erasuresOf(one), [], { from });
    expect(await placesOf(client(), one.marker)).toEqual([]);
  });

  test.each([
    { action: 'replay', database: 'billing' },
    { action: 'erase', subject: { customer: 'cus_1' } },
  ])('is refused in a request to $action', (request) => {
    const at = (table: string) => ({ ...request, continueFrom: { table, after: ['ch_1'] } });
    expect(erasureRequest.safeParse(at('charge')).error?.issues).toMatchObject([{ path: ['continueFrom', 'table'] }]);
    expect(erasureRequest.safeParse(at('charges')).error).toBeUndefined();
  });
});

test('erasures that were finished before their places were recorded count as done, and what they found is looked for', async () => {
  const directory = join(__dirname, '../../../migrations/billing');
  for (let last = ''; !last.startsWith('0047_');) {
    last = (await migrationStatus(client(), 'billing', directory)).current ?? '0047_';
    await rollBackLast(client(), 'billing', directory, last);
  }
  const finished = (id: string) =>
    client().query('INSERT INTO billing.erasures (id, erased_at, finished_at) VALUES ($1, now(), now())', [id]);
  await finished('before');
  await client().query(`INSERT INTO billing.erased_objects (id, spread) VALUES ('pm_1', true)`);
  await applyMigrations(client(), 'billing', directory);
  expect(await hasUnreached(client())).toBe(false);
  expect(await rows('SELECT id, sought FROM billing.erased_objects')).toEqual([{ id: 'pm_1', sought: false }]);
  await finished('since');
  expect(await hasUnreached(client())).toBe(true);
});
