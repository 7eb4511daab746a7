import { putRules } from '../../support/entitlements';
import { metricsOf, useStripeHandlers } from '../../support/stripe-handlers';

const { start, surroundings } = useStripeHandlers();
const hoursAgo = (hours: number) => Math.floor(Date.now() / 1000) - hours * 3_600;
const rows = async (sql: string) => (await surroundings().client.query(sql)).rows;

describe('the function refresh', () => {
  const request = (id: string) =>
    surroundings().client.query(
      `INSERT INTO billing.object_refreshes (provider, object_kind, object_id, reason)
       VALUES ('stripe', 'subscription', $1, 'test')`,
      [id],
    );

  test('stores what Stripe has, computes what it grants, and publishes how many objects it read', async () => {
    const { object } = surroundings().stripe.state.createSubscription({
      created: hoursAgo(5),
      metadata: { user_id: 'user_1' },
    });
    const priceId = object.items.data[0]?.price.id ?? '';
    await putRules(surroundings().client, [
      { id: 'pro', grants: { source: 'subscription', priceId }, features: ['pro'] },
    ]);
    await request(object.id);
    await request('sub_gone');
    const refresh = await start('refresh');

    const dry = refresh.invoke({});
    expect(await dry.result).toMatchObject({ dryRun: true, outcomes: { refreshed: 1, missing: 1 }, pending: 2 });
    expect(metricsOf(dry.records, 'refresh')).toMatchObject({ ObjectsRefreshed: 0 });
    expect(await rows('SELECT user_id, feature FROM billing.entitlements')).toEqual([]);

    const real = refresh.invoke({ dryRun: false });
    expect(await real.result).toMatchObject({ outcomes: { refreshed: 1, missing: 1 }, pending: 0 });
    expect(metricsOf(real.records, 'refresh')).toEqual({
      ObjectsRefreshed: 1,
      ObjectRefreshesFailed: 0,
      RefreshDuration: expect.any(Number),
    });
    expect(await rows('SELECT user_id, feature FROM billing.entitlements')).toEqual([
      { user_id: 'user_1', feature: 'pro' },
    ]);
  });

  test('out of time begins nothing, and leaves what waits to the next run', async () => {
    await request('sub_1');
    const { result } = (await start('refresh')).invoke({ dryRun: false }, 0);
    expect(await result).toMatchObject({ outcomes: {}, pending: 1 });
    expect(surroundings().stripe.requests).toEqual([]);
  });

  test('refuses a key of the other mode', async () => {
    surroundings().secrets.put('stripe', { apiKey: 'sk_live_1' });
    const { result, records } = (await start('refresh')).invoke({ dryRun: false });
    await expect(result).rejects.toMatchObject({ code: 'configuration' });
    expect(metricsOf(records, 'refresh')).toEqual({ RefreshFailed: 1 });
  });

  test.each([
    [{ object: 'x' }, 'object: expected the id of an object at Stripe, such as sub_123, in_123 or cus_123'],
    [{ objects: 'sub_1' }, 'objects: unknown; did you mean object?'],
  ])('refuses %j with the field and the form', async (malformed, reason) => {
    const { result } = (await start('refresh')).invoke(malformed);
    await expect(result).rejects.toMatchObject({ code: 'invalid_request', message: expect.stringContaining(reason) });
  });
});
