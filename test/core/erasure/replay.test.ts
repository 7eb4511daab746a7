import { openErasures, plantTombstones } from '../../../core/erasure/billing';
import { replayErasures } from '../../../core/erasure/replay';
import { erasureRequest } from '../../../lambdas/erasure/contract';
import { waitUntil } from '../../../local/pass/check';
import { placesOf, plantedPerson } from '../../factories/planted-person';
import { useBillingDatabase } from '../../support/billing';
import { erasuresOf } from '../../support/erasures';

const { apply, client, database, rows } = useBillingDatabase();
const OTHER = '20261129T130000000Z-00000002';

test('an erasure that another call stores during the last pages of a sweep stays open', async () => {
  const first = erasuresOf(plantedPerson('one'));
  const [entry] = erasuresOf(plantedPerson('other')).entries;
  const both = { ...first, entries: [...first.entries, ...(entry ? [{ ...entry, id: OTHER }] : [])] };
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
  await plantTombstones(other, both);
  await other.query('COMMIT');
  expect(await sweep).toMatchObject({ done: true });
  expect(await openErasures(client())).toEqual([OTHER]);
  await replayErasures(client(), 'billing', both, []);
  expect(await openErasures(client())).toEqual([]);
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
