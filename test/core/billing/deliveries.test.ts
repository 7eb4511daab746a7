import { applyEvents } from '../../../core/billing/apply-events';
import { stripeProvider } from '../../../core/providers/stripe/provider';
import { charge, EPOCH, stripeEvent, subscription, subscriptionItem } from '../../factories/stripe-objects';
import { billingState, delivered, useBillingDatabase } from '../../support/billing';

const { apply, client, database, rows } = useBillingDatabase();

describe('repeated deliveries', () => {
  test('a second delivery changes nothing', async () => {
    const event = stripeEvent('customer.subscription.created', subscription());
    await apply(event);
    const before = await billingState(client());

    const outcomes = await apply(event);

    expect(outcomes.get(event.id)).toEqual({ status: 'duplicate' });
    expect(await billingState(client())).toEqual(before);
    expect(await rows('SELECT attempts FROM billing.webhook_events')).toEqual([{ attempts: 1 }]);
  });

  test('the same event applied by two connections at once has one effect', async () => {
    const event = stripeEvent('charge.refunded', charge({ amount_refunded: 3_000 }));
    const other = await database().client();

    const outcomes = await Promise.all([
      applyEvents(client(), stripeProvider, delivered([event])),
      applyEvents(other, stripeProvider, delivered([event])),
    ]);

    expect(new Set(outcomes.map((outcome) => outcome.get(event.id)?.status))).toEqual(
      new Set(['duplicate', 'processed']),
    );
    expect(await rows('SELECT amount FROM billing.refund_entries')).toEqual([{ amount: '3000' }]);
  });

  test('two connections that apply states of the same subscriptions at once leave the newest state with its items', async () => {
    const other = await database().client();
    const batch = (second: number) =>
      delivered(
        Array.from({ length: 20 }, (_, index) =>
          stripeEvent(
            'customer.subscription.updated',
            subscription({ id: `sub_${index}`, items: { data: [subscriptionItem({ id: `si_${index}_${second}` })] } }),
            { created: EPOCH + second },
          ),
        ),
      );
    await Promise.all([
      applyEvents(client(), stripeProvider, batch(1)),
      applyEvents(other, stripeProvider, batch(3).toReversed()),
      ...[2].map(async (second) => applyEvents(await database().client(), stripeProvider, batch(second))),
    ]);

    const items = await rows('SELECT id FROM billing.subscription_items');
    expect(items).toHaveLength(20);
    expect(items.every(({ id }) => id.endsWith('_3'))).toBe(true);
  });
});

describe('unordered deliveries', () => {
  test.each(['evt_a', 'evt_z'])('within one second, the update wins over the creation, here %s', async (id) => {
    const active = stripeEvent('customer.subscription.created', subscription({ status: 'active' }), { id: 'evt_m' });
    await apply(stripeEvent('customer.subscription.updated', subscription({ status: 'incomplete' }), { id }), active);

    expect(await rows('SELECT status FROM billing.subscriptions')).toEqual([{ status: 'incomplete' }]);
  });

  test('a late "created" does not revive a canceled subscription', async () => {
    await apply(
      stripeEvent('customer.subscription.deleted', subscription({ status: 'canceled', ended_at: EPOCH + 9 }), {
        created: EPOCH + 9,
      }),
    );
    await apply(stripeEvent('customer.subscription.created', subscription({ status: 'active' })));
    await apply(
      stripeEvent('customer.subscription.updated', subscription({ status: 'active' }), { created: EPOCH + 20 }),
    );

    expect(await rows('SELECT status FROM billing.subscriptions')).toEqual([{ status: 'canceled' }]);
  });
});
