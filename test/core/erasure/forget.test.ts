import { escapeLiteral } from 'pg';
import { plantTombstones, sweepBilling } from '../../../core/erasure/billing';
import { drainTransactions } from '../../../core/erasure/drain';
import { placesOf, plantedPerson, type PlantedPerson } from '../../factories/planted-person';
import {
  account,
  checkoutSession,
  customer,
  paymentIntent,
  payout,
  stripeEvent,
  subscription,
  transfer,
} from '../../factories/stripe-objects';
import { useBillingDatabase } from '../../support/billing';
import { erasuresOf } from '../../support/erasures';

const NOW = new Date('2026-11-29T12:00:00Z');

describe('a person who is erased from billing', () => {
  const { apply, client, database, rows } = useBillingDatabase();
  const one = plantedPerson('one');
  const other = plantedPerson('other');
  const erased = erasuresOf(one);

  test('is nowhere afterwards, while amounts and everybody else are as before', async () => {
    await apply(...one.events, ...one.guest, ...other.events);
    expect((await placesOf(client(), one.marker)).length).toBeGreaterThan(20);
    const before = await placesOf(client(), other.marker);
    const money = () =>
      rows('SELECT id, amount, currency, status, created_at, customer_id FROM billing.charges ORDER BY id');
    const charges = await money();
    await plantTombstones(client(), erased);
    await sweepBilling(client());
    expect(await placesOf(client(), one.marker)).toEqual([]);
    expect(await placesOf(client(), other.marker)).toEqual(before);
    expect(await money()).toEqual(charges);
    expect(
      await rows(
        `SELECT raw #>> '{customer_details,address,country}' AS country FROM billing.purchases WHERE id = 'cs_one'`,
      ),
    ).toEqual([{ country: 'DE' }]);
    // Again: nothing is left to do.
    expect(await sweepBilling(client())).toEqual({ reduced: {}, continueFrom: null });
  });

  test('does not come back by events that arrive later, in whatever order', async () => {
    await plantTombstones(client(), erased);
    for (const event of [...one.events, ...one.guest]) {
      expect([...(await apply(event)).values()]).not.toContainEqual(expect.objectContaining({ status: 'failed' }));
    }
    expect(await placesOf(client(), one.marker)).toEqual([]);
    expect(await rows('SELECT id FROM billing.charges ORDER BY id')).toHaveLength(2);
  });

  test('does not come back by a batch in which the first events are of others', async () => {
    await apply(...other.events);
    const before = (await placesOf(client(), other.marker)).length;
    // So that the others' events are new as well, and go before.
    await client().query('TRUNCATE billing.webhook_events, billing.customers, billing.subscriptions CASCADE');
    await plantTombstones(client(), erased);
    await apply(...other.events, ...one.events, ...one.guest);
    expect(await placesOf(client(), one.marker)).toEqual([]);
    expect(await placesOf(client(), other.marker)).toHaveLength(before);
  });

  test('does not come back by payouts and transfers to an account of the person', async () => {
    const description = `${one.marker} wrote`;
    await plantTombstones(client(), erased);
    const paid = [
      stripeEvent('account.updated', account({ metadata: { user_id: one.userId } }), { account: 'acct_1' }),
      stripeEvent('payout.failed', payout({ description, failure_message: description }), { account: 'acct_1' }),
      stripeEvent('payout.paid', payout({ id: 'po_other', description: 'bystander' }), { account: 'acct_other' }),
      stripeEvent('transfer.created', transfer({ description })),
    ];
    for (const event of paid) await apply(event);
    expect(await placesOf(client(), one.marker)).toEqual([]);
    expect(await placesOf(client(), 'bystander')).toHaveLength(2);
  });

  test('is not in what Stripe answered to a repeated payout, be it refused before the erasure or after it', async () => {
    const refuse = (payoutId: string, attempt: number, said: string) =>
      rows(`INSERT INTO billing.payout_retries (payout_id, attempt, status, requested_by, error)
        VALUES ('${payoutId}', ${attempt}, 'refused', 'user/ada', '${said}: no bank account of that name')`);
    for (const [account_, id] of [
      ['acct_1', 'po_1'],
      ['acct_other', 'po_other'],
    ] as const) {
      const metadata = { user_id: id === 'po_1' ? one.userId : other.userId };
      await apply(stripeEvent('account.updated', account({ id: account_, metadata }), { account: account_ }));
      await apply(stripeEvent('payout.failed', payout({ id }), { account: account_ }));
    }
    await refuse('po_1', 1, one.marker);
    await refuse('po_other', 1, other.marker);
    await plantTombstones(client(), erased);
    expect((await sweepBilling(client())).reduced).toMatchObject({ payout_retries: 1 });
    await refuse('po_1', 2, one.marker);
    expect(
      await rows('SELECT payout_id, attempt, error FROM billing.payout_retries ORDER BY payout_id, attempt'),
    ).toEqual([
      { payout_id: 'po_1', attempt: 1, error: null },
      { payout_id: 'po_1', attempt: 2, error: null },
      { payout_id: 'po_other', attempt: 1, error: `${other.marker}: no bank account of that name` },
    ]);
  });

  test('does not come back by a transaction that looked for erasures before the first one: the erasure waits for it', async () => {
    const writer = await database().client();
    await writer.query('BEGIN');
    // It has looked, and written nothing yet.
    await writer.query(storeEvents([]));
    await plantTombstones(client(), erased);
    let drained = false;
    const draining = drainTransactions(client(), { whatNext: '' }).then(() => (drained = true));
    await writer.query(storeEvents(naming(one)));
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(drained).toBe(false);
    await writer.query('COMMIT');
    await draining;
    await sweepBilling(client());
    expect(await placesOf(client(), one.marker)).toEqual([]);
  });

  test('is waited for by an erasure whose tombstones were not committed when the transaction looked', async () => {
    const [erasing, writer] = [await database().client(), await database().client()];
    await erasing.query('BEGIN');
    await plantTombstones(erasing, erased);
    await writer.query('BEGIN');
    await writer.query(storeEvents([]));
    await erasing.query('COMMIT');
    let drained = false;
    const draining = drainTransactions(erasing, { whatNext: '' }).then(() => (drained = true));
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(drained).toBe(false);
    await writer.query('COMMIT');
    await draining;
  });

  test('does not stay in an event that was being stored while the sweep found whose card the event names', async () => {
    const [card, holder] = ['pm_1', `card of ${one.marker}`];
    await apply(
      stripeEvent('payment_method.attached', { id: card, object: 'payment_method', customer: one.customerId }),
    );
    await plantTombstones(client(), erased);
    const writer = await database().client();
    await writer.query('BEGIN');
    const mandate = { id: 'mandate_1', object: 'mandate', payment_method: card, note: holder };
    await writer.query(storeEvents([stripeEvent('mandate.updated', mandate)]));
    let swept = false;
    const sweeping = sweepBilling(client()).then(() => (swept = true));
    const watcher = await database().client();
    const waits = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
      AND query LIKE '%pg_prepared_xacts%'`;
    while (!swept && (await watcher.query(waits)).rowCount === 0);
    await writer.query('COMMIT');
    await sweeping;
    expect(await placesOf(client(), one.marker)).toEqual([]);
  });

  test('is looked for by index, however many objects erased people had', async () => {
    await plantTombstones(client(), erased);
    await rows(
      `INSERT INTO billing.erased_objects (id, spread) SELECT 'pi_x' || n, true FROM generate_series(1, 5000) AS n`,
    );
    await rows('ANALYZE billing.erased_objects');
    await client().query('BEGIN');
    await client().query(storeEvents(other.events));
    const [read] = await rows(
      `SELECT seq_scan::int AS whole, idx_scan > 0 AS indexed FROM pg_stat_xact_user_tables WHERE relname = 'erased_objects'`,
    );
    await client().query('ROLLBACK');
    expect(read).toEqual({ whole: 0, indexed: true });
  });

  test('does not come back by the transaction that stores the erasure itself', async () => {
    await client().query('BEGIN');
    await client().query(storeEvents(other.events));
    await plantTombstones(client(), erased);
    await client().query(storeEvents(naming(one)));
    await client().query('COMMIT');
    expect(await placesOf(client(), one.marker)).toEqual([]);
  });

  test('is looked for once in a transaction before the first erasure, and not for each event', async () => {
    // The same as when events are applied.
    const byEvent = `SELECT set_config('erasure.events', 'by_event', true)`;
    const triggersOf = async (events: readonly object[]) => {
      const [plan] = await rows(`EXPLAIN (ANALYZE, FORMAT JSON) ${storeEvents(events)}`);
      const [{ Triggers: triggers }] = plan['QUERY PLAN'] as [{ readonly Triggers: readonly TriggerCalls[] }];
      return triggers.map((trigger) => [trigger['Trigger Name'], trigger.Calls]);
    };
    await client().query('BEGIN');
    await client().query(byEvent);
    expect(await triggersOf(one.events.slice(0, 2))).toEqual([['looks_for_erasures', 1]]);
    expect(await triggersOf(one.events.slice(2, 4))).toEqual([]);
    await client().query('COMMIT');
    await plantTombstones(client(), erased);
    expect(await triggersOf(other.events.slice(0, 2))).toContainEqual(['forgets_erased', 2]);
  });

  test('is stored in full as what is bought after the erasure', async () => {
    await plantTombstones(client(), erased);
    const later = NOW.getTime() / 1_000 + 60;
    await apply(
      stripeEvent('customer.created', customer({ id: 'cus_new', created: later, email: 'new@example.com' })),
      stripeEvent(
        'customer.subscription.created',
        subscription({ id: 'sub_new', customer: 'cus_new', created: later, metadata: { user_id: one.userId } }),
      ),
    );
    expect(await rows('SELECT user_id FROM billing.subscriptions')).toEqual([{ user_id: one.userId }]);
  });

  test('is stored in full as what the same customer buys afterwards with a card whose event does not say when it began', async () => {
    await apply(...one.events);
    await plantTombstones(client(), erased);
    await sweepBilling(client());
    const again = {
      customer: one.customerId,
      created: NOW.getTime() / 1_000 + 60,
      metadata: { user_id: one.userId, project_id: 'project_1' },
    };
    const paid = { ...again, payment_method: 'pm_again' };
    await apply(
      stripeEvent('payment_method.attached', { id: 'pm_again', object: 'payment_method', ...again }),
      stripeEvent('payment_intent.succeeded', paymentIntent({ id: 'pi_again', ...paid })),
      stripeEvent(
        'checkout.session.completed',
        checkoutSession({ id: 'cs_again', ...again, payment_intent: 'pi_again' }),
      ),
    );
    await sweepBilling(client());
    expect(
      await rows(`SELECT user_id FROM billing.purchases WHERE id = 'cs_again'
        UNION ALL SELECT user_id FROM billing.payment_intents WHERE id = 'pi_again'`),
    ).toEqual([{ user_id: one.userId }, { user_id: one.userId }]);
  });
});

interface TriggerCalls {
  readonly 'Trigger Name': string;
  readonly Calls: number;
}

/** The events that name the person themselves: others are known to be the person's by what else is stored. */
const naming = ({ events, customerId }: PlantedPerson) =>
  events.filter(({ data }) => data.object.customer === customerId);

/** What stores events in the ledger and nowhere else. */
function storeEvents(events: readonly object[]): string {
  return `
    INSERT INTO billing.webhook_events
      (provider, id, type, object_id, status, attempts, processed_at, source, occurred_at, received_at, livemode, payload)
    SELECT 'stripe', payload ->> 'id', payload ->> 'type', payload #>> '{data,object,id}', 'ignored', 1, now(),
      'webhook', now(), now(), false, payload
    FROM jsonb_array_elements(${escapeLiteral(JSON.stringify(events))}) AS event (payload)`;
}
