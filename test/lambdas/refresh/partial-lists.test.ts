import type Stripe from 'stripe';
import { gatherEntitlementUpdates } from '../../../core/entitlements/recompute';
import type { StripeWork } from '../../../core/providers/stripe/stripe-function';
import type { RefreshReport } from '../../../lambdas/refresh/contract';
import { refresh } from '../../../lambdas/refresh/core';
import { nestedList, priceObject, subscriptionItemObject } from '../../../local/stripe/objects';
import { invoice, stripeEvent } from '../../factories/stripe-objects';
import { applyWithEntitlements, putRules } from '../../support/entitlements';
import { silentLog } from '../../support/log';
import { daysAgoSeconds, nowSeconds, useStripeAndDatabase } from '../../support/stripe';
import { readEvent } from '../../../core/providers/stripe/shapes';

const { stripe, client, rows, work } = useStripeAndDatabase();

/** Runs the function as its handler does, entitlements included. */
function run(overrides: Partial<StripeWork> = {}): Promise<RefreshReport> {
  const { afterStore } = gatherEntitlementUpdates();
  return refresh({ ...work({ apply: { afterStore }, ...overrides }), log: silentLog }, { dryRun: false });
}

const requested = () =>
  rows(
    'SELECT object_kind, reason, done_at IS NOT NULL AS done FROM billing.object_refreshes ORDER BY object_refreshes.id',
  );
const features = async () =>
  (await rows('SELECT feature FROM billing.entitlements ORDER BY feature')).map(({ feature }) => feature as string);
const item = (price: string) => subscriptionItemObject('sub_1', { price: priceObject({ id: price }) });
const list = (data: Stripe.SubscriptionItem[]) => nestedList('/v1/subscription_items', data);

/** An event as Stripe sends it: with the first ten items. */
function received({ event }: { readonly event: Stripe.Event }) {
  const copy = structuredClone(event) as unknown as { data: { object: Stripe.Subscription } };
  const { items } = copy.data.object;
  copy.data.object.items = { ...items, data: items.data.slice(0, 10), has_more: items.data.length > 10 };
  return readEvent(copy);
}

describe('a subscription of more than ten items', () => {
  const basics = Array.from({ length: 11 }, () => item('price_basic'));
  const addOn = item('price_addon');

  beforeEach(() =>
    putRules(client(), [
      { id: 'basic', grants: { source: 'subscription', priceId: 'price_basic' }, features: ['basic'] },
      { id: 'addon', grants: { source: 'subscription', priceId: 'price_addon' }, features: ['addon'] },
    ]),
  );

  /** Stored with its add-on, which is the twelfth item. */
  async function subscribed(): Promise<string> {
    const made = stripe().state.createSubscription({
      created: daysAgoSeconds(1),
      items: list([...basics, addOn]),
      metadata: { user_id: 'user_1' },
    });
    await applyWithEntitlements(client(), received(made));
    return made.object.id;
  }
  const change = (id: string, items: Stripe.SubscriptionItem[], atSeconds = nowSeconds() - 5) =>
    received(stripe().state.updateSubscription(id, { items: list(items) }, { atSeconds }));

  test('is granted by an item that no event carries, once it was read', async () => {
    await subscribed();
    expect(await features()).toEqual(['basic']);
    expect(await requested()).toEqual([{ object_kind: 'subscription', reason: 'partial_items', done: false }]);

    expect(await run()).toMatchObject({ outcomes: { refreshed: 1 }, pending: 0 });
    expect(await features()).toEqual(['addon', 'basic']);
  });

  test('is not granted by an item that was removed, once it was read, instead of until the next day', async () => {
    const id = await subscribed();
    await client().query(
      `UPDATE billing.object_refreshes SET done_at = now();
       INSERT INTO billing.subscription_items (id, subscription_id, price_id, currency, current_period_end)
         VALUES ('${addOn.id}', '${id}', 'price_addon', 'usd', now() + interval '9 days')`,
    );
    await applyWithEntitlements(client(), change(id, basics));
    expect(await features()).toEqual(['addon', 'basic']);

    expect(await run()).toMatchObject({ outcomes: { refreshed: 1 }, pending: 0 });
    expect(await features()).toEqual(['basic']);
  });

  test('is read again when an event arrives while it is being read', async () => {
    const id = await subscribed();
    const { call } = work();
    let raced = false;
    const racing: StripeWork['call'] = async (send) => {
      const answer = await call(send);
      if (!raced) {
        raced = true;
        const other = change(id, basics, nowSeconds() + 2);
        await applyWithEntitlements(client(), other);
      }
      return answer;
    };

    const first = await run({ call: racing });
    expect(first).toMatchObject({ outcomes: { later: 1 }, pending: 1 });
    expect(await requested()).toEqual([{ object_kind: 'subscription', reason: 'partial_items', done: false }]);
  });

  test('keeps what was read when an older event arrives late', async () => {
    const id = await subscribed();
    const late = change(id, [...basics, addOn, item('price_addon')], nowSeconds() - 60);
    stripe().state.updateSubscription(id, { items: list(basics) });
    await run();
    await applyWithEntitlements(client(), late);
    expect(await features()).toEqual(['basic']);
    expect(await rows('SELECT count(*)::int FROM billing.subscription_items')).toEqual([{ count: 11 }]);
  });

  test('is not read again after an event that is older than what is stored', async () => {
    const id = await subscribed();
    await run();
    await applyWithEntitlements(client(), change(id, basics, daysAgoSeconds(3)));
    expect(await requested()).toEqual([{ object_kind: 'subscription', reason: 'partial_items', done: true }]);
  });
});

test('an invoice of more than ten lines is read with all of them', async () => {
  const line = (n: number) => ({ id: `il_${n}`, amount: 100, period: { start: 1, end: 2 } });
  const lines = Array.from({ length: 12 }, (_, n) => line(n));
  const part = { object: 'list', data: lines.slice(0, 10), has_more: true };
  await applyWithEntitlements(client(), stripeEvent('invoice.paid', invoice({ status: 'paid', lines: part })));
  expect(await requested()).toEqual([{ object_kind: 'invoice', reason: 'partial_lines', done: false }]);
  const answer = (value: object) => Promise.resolve({ ...value, lastResponse: { headers: {} } });
  const invoices = {
    retrieve: () => answer(invoice({ status: 'paid', lines: part })),
    listLineItems: (_id: string, page: { starting_after?: string }) => {
      const from = page.starting_after === undefined ? 0 : lines.findIndex(({ id }) => id === page.starting_after) + 1;
      return answer({ data: lines.slice(from, from + 7), has_more: from + 7 < lines.length });
    },
  };

  expect(await run({ stripe: { invoices } as unknown as Stripe })).toMatchObject({ outcomes: { refreshed: 1 } });
  expect(await rows(`SELECT jsonb_array_length(raw #> '{lines,data}') AS lines FROM billing.invoices`)).toEqual([
    { lines: 12 },
  ]);
});

test.each([
  ['lost', 'inactive', [{ object_kind: 'account', reason: 'account_changed', done: false }]],
  ['kept', 'active', []],
])('an account is read again when it %s a capability that it needs', async (_what, status, requests) => {
  const capability = { id: 'transfers', object: 'capability', account: 'acct_1', status };
  await applyWithEntitlements(client(), stripeEvent('capability.updated', capability, { account: 'acct_1' }));
  expect(await requested()).toEqual(requests);
});
