import { applyEvents } from '../../../core/billing/apply-events';
import { NO_DEFAULTS } from '../../../core/billing/owner';
import { tilledProvider } from '../../../core/providers/tilled/provider';
import type { TilledEvent } from '../../../core/providers/tilled/shapes';
import { plantTombstones, sweepBilling } from '../../../core/erasure/billing';
import { findPerson, PERSONAL_ROWS, personalParameters, personalRows } from '../../../lambdas/erasure/person';
import { placesOf } from '../../factories/planted-person';
import {
  tilledCharge,
  tilledEvent,
  tilledIntent,
  tilledRefund,
  tilledSubscription,
} from '../../factories/tilled-objects';
import { useBillingDatabase } from '../../support/billing';
import { ERASURE_KEY } from '../../support/erasures';

const MARKER = 'planted';
const erasures = (...subjects: { kind: 'customer' | 'user' | 'email'; id: string }[]) => ({
  key: ERASURE_KEY,
  entries: [
    {
      format: 'billing-operations-erasure' as const,
      version: 1 as const,
      id: '20261129T120000000Z-00000001',
      erasedAt: '2026-11-29T12:00:00.000Z',
      subjects: subjects.map(({ kind, id }) => ERASURE_KEY.subject(kind, id)),
    },
  ],
});
const CUSTOMER = erasures({ kind: 'customer', id: 'tilled:cus_1' });

describe('a customer of Tilled who was erased', () => {
  const { client, rows } = useBillingDatabase();
  const apply = (...events: TilledEvent[]) =>
    applyEvents(
      client(),
      tilledProvider,
      events.map((event) => ({ event, source: 'webhook' as const, receivedAt: new Date() })),
    );
  const note = { note: `${MARKER} note` };
  const customer = (fields: object = {}) => ({
    id: 'cus_1',
    email: `${MARKER}@example.com`,
    first_name: MARKER,
    created_at: '2026-11-21T12:00:00.000Z',
    updated_at: '2026-11-21T12:00:00.000Z',
    metadata: note,
    ...fields,
  });
  const of = () => [
    tilledEvent('customer.updated', customer()),
    tilledEvent('subscription.updated', tilledSubscription({ metadata: note })),
    tilledEvent('payment_intent.succeeded', tilledIntent({ metadata: note })),
    tilledEvent('charge.succeeded', tilledCharge({ metadata: note })),
    tilledEvent('charge.refund.updated', tilledRefund({ metadata: note })),
  ];

  test.each(['together', 'one by one', 'children first'])(
    'does not come back by events that arrive %s',
    async (how) => {
      await plantTombstones(client(), CUSTOMER);
      const events = of();
      if (how === 'together') await apply(...events);
      else for (const event of how === 'one by one' ? events : events.toReversed()) await apply(event);
      expect(await placesOf(client(), MARKER)).toEqual([]);
      expect(await rows('SELECT id FROM billing.charges')).toHaveLength(1);
      // Read again from the ledger, to find the order of events of the same second.
      const ledger = (await rows('SELECT payload FROM billing.webhook_events')) as { payload: TilledEvent }[];
      const states = ledger.flatMap(({ payload }) => tilledProvider.effectsOf(payload, NO_DEFAULTS));
      const versions = states.map(({ kind, row }) => `${kind} ${row.id} ${row.version}`);
      expect(versions.toSorted()).toEqual(
        events
          .flatMap((event) => tilledProvider.effectsOf(event, NO_DEFAULTS))
          .map(({ kind, row }) => `${kind} ${row.id} ${row.version}`)
          .toSorted(),
      );
    },
  );

  test('is nowhere after a sweep', async () => {
    await apply(...of());
    await plantTombstones(client(), CUSTOMER);
    await sweepBilling(client());
    expect(await placesOf(client(), MARKER)).toEqual([]);
  });

  test('is found by the id with the prefix, with events of objects that are not stored', async () => {
    await apply(...of(), tilledEvent('payment_method.attached', { ...tilledSubscription(), id: 'pm_1' }));
    const person = await findPerson(client(), { customer: 'tilled:cus_1' }, { isInMain: async () => false });
    expect(person.emails).toEqual([`${MARKER}@example.com`]);
    const [events] = PERSONAL_ROWS.filter(({ table }) => table === 'billing.webhook_events');
    const { rows: found } = await client().query(
      `SELECT row.type ${personalRows(events ?? { table: '', where: '' })}`,
      [...(await personalParameters(client(), person))],
    );
    expect(found).toHaveLength(6);
    expect(found).toContainEqual({ type: 'payment_method.attached' });
  });

  test('does not stop an event whose time is malformed', async () => {
    await plantTombstones(client(), CUSTOMER);
    const event = tilledEvent('customer.updated', customer({ created_at: '2026-13-45T99:00:00Z' }));
    expect([...(await apply(event)).values()]).toEqual([expect.objectContaining({ status: 'failed' })]);
    expect(await placesOf(client(), MARKER)).toEqual([]);
  });

  test('is stored in full as what is bought after the erasure', async () => {
    await plantTombstones(client(), erasures({ kind: 'user', id: 'user_1' }));
    const created_at = '2026-11-30T12:00:00.000Z';
    await apply(
      tilledEvent('subscription.created', tilledSubscription({ created_at, metadata: { user_id: 'user_1', ...note } })),
    );
    expect(await rows(`SELECT user_id, raw #>> '{metadata,note}' AS note FROM billing.subscriptions`)).toEqual([
      { user_id: 'user_1', note: note.note },
    ]);
  });
});
