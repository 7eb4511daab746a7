import { EPOCH, stripeEvent, subscription, subscriptionItem } from '../../factories/stripe-objects';
import { useBillingDatabase } from '../../support/billing';

const { apply, rows } = useBillingDatabase();

describe('the items of a subscription', () => {
  const itemsOf = (has_more: boolean, ...items: object[]) => ({
    items: { object: 'list', data: items, has_more },
  });
  const stored = () => rows('SELECT id, quantity::integer FROM billing.subscription_items ORDER BY id');
  const three = ['si_1', 'si_2', 'si_3'].map((id) => subscriptionItem({ id }));
  const made = stripeEvent('customer.subscription.created', subscription(itemsOf(false, ...three)));
  const changed = subscriptionItem({ id: 'si_1', quantity: 7 });

  test('are changed but never removed by a list that Stripe cut off', async () => {
    await apply(made);
    await apply(
      stripeEvent('customer.subscription.updated', subscription(itemsOf(true, changed)), { created: EPOCH + 5 }),
    );

    expect(await stored()).toEqual([
      { id: 'si_1', quantity: 7 },
      { id: 'si_2', quantity: 1 },
      { id: 'si_3', quantity: 1 },
    ]);
  });

  test('are removed from a list that Stripe cut off when an item behind them moved up', async () => {
    await apply(made);
    const listed = itemsOf(true, three[0] as object, three[2] as object);
    await apply(stripeEvent('customer.subscription.updated', subscription(listed), { created: EPOCH + 5 }));

    expect((await stored()).map(({ id }) => id)).toEqual(['si_1', 'si_3']);
  });

  test('stay when others were added in front of them and the list was cut off', async () => {
    await apply(made);
    const listed = itemsOf(true, subscriptionItem({ id: 'si_0' }), ...three.slice(0, 2));
    await apply(stripeEvent('customer.subscription.updated', subscription(listed), { created: EPOCH + 5 }));

    expect((await stored()).map(({ id }) => id)).toEqual(['si_0', 'si_1', 'si_2', 'si_3']);
  });

  test('are removed when a whole list lacks them', async () => {
    await apply(made);
    await apply(
      stripeEvent('customer.subscription.updated', subscription(itemsOf(false, changed)), { created: EPOCH + 5 }),
    );

    expect(await stored()).toEqual([{ id: 'si_1', quantity: 7 }]);
  });

  test('are not written again while they stay the same', async () => {
    const version = () => rows(`SELECT xmin::text, ctid::text FROM billing.subscription_items WHERE id = 'si_2'`);
    await apply(made);
    const before = await version();
    await apply(
      stripeEvent('customer.subscription.updated', subscription(itemsOf(false, changed, ...three.slice(1))), {
        created: EPOCH + 5,
      }),
    );

    expect(await version()).toEqual(before);
  });
});
