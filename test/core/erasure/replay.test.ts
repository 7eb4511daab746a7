import { openErasures, plantTombstones } from '../../../core/erasure/billing';
import { replayErasures } from '../../../core/erasure/replay';
import { waitUntil } from '../../../local/pass/check';
import { plantedPerson } from '../../factories/planted-person';
import { useBillingDatabase } from '../../support/billing';
import { erasuresOf } from '../../support/erasures';

const { client, database, rows } = useBillingDatabase();
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
