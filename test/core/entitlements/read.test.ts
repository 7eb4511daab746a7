import type { Client } from 'pg';
import type { StripeEvent } from '../../../core/providers/stripe/shapes';
import {
  charge,
  checkoutSession,
  EPOCH,
  refund,
  stripeEvent,
  subscription,
  subscriptionItem,
} from '../../factories/stripe-objects';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { applyWithEntitlements, at, DAY, putRules, RULES, storedEntitlements } from '../../support/entitlements';

let database: TestDatabase;
let client: Client;

beforeEach(async () => {
  database = await createTestDatabase('billing');
  client = await database.client();
  await putRules(client, RULES);
});
afterEach(async () => {
  await database.drop();
});

const subscribed = (fields: Record<string, unknown> = {}, seconds = 0) =>
  stripeEvent('customer.subscription.updated', subscription(fields), { created: EPOCH + seconds });
const bought = (fields: Record<string, unknown> = {}) =>
  stripeEvent('checkout.session.completed', checkoutSession(fields));
const entitlements = () => storedEntitlements(client);
const apply = (...events: StripeEvent[]) => applyWithEntitlements(client, ...events);
const PRO = 'user_1/project_1 pro sub_1';

describe('a subscription', () => {
  test.each([
    ['active grants until the period and the grace are over', {}, at(33 * DAY)],
    [
      'trialing grants until the trial ends, without grace',
      { status: 'trialing', trial_end: EPOCH + 14 * DAY },
      at(14 * DAY),
    ],
    ['past due grants for the grace, from the start of the unpaid period', { status: 'past_due' }, at(3 * DAY)],
    ["to be canceled at the period's end grants until then", { cancel_at_period_end: true }, at(30 * DAY)],
    ['to be canceled at a moment grants until then', { cancel_at: EPOCH + 5 * DAY }, at(5 * DAY)],
    [
      'to be canceled after this period grants no longer than the paid period and the grace',
      { cancel_at: EPOCH + 90 * DAY },
      at(33 * DAY),
    ],
    [
      'past due and to be canceled grants until the earlier of the two ends',
      { status: 'past_due', cancel_at: EPOCH + DAY },
      at(DAY),
    ],
    [
      'canceled grants until it ended',
      { status: 'canceled', canceled_at: EPOCH + 2 * DAY, ended_at: EPOCH + 4 * DAY },
      at(4 * DAY),
    ],
  ])('that is %s', async (_, fields, until) => {
    await apply(subscribed(fields));
    expect(await entitlements()).toEqual([`${PRO} ${at(0)}..${until}`]);
  });

  test.each(['incomplete', 'incomplete_expired', 'unpaid', 'paused'])('that is %s grants nothing', async (status) => {
    await apply(subscribed({ status }));
    expect(await entitlements()).toEqual([]);
  });

  test('that is of another plan, or names no user, grants nothing', async () => {
    const other = subscriptionItem({ price: { id: 'price_basic', product: 'prod_basic', currency: 'eur' } });
    await apply(subscribed({ items: { data: [other] } }), subscribed({ id: 'sub_2', metadata: {} }));
    expect(await entitlements()).toEqual([]);
  });

  test('that names no project grants in the empty project', async () => {
    await apply(subscribed({ metadata: { user_id: 'user_1' } }));
    expect(await entitlements()).toEqual([`user_1/ pro sub_1 ${at(0)}..${at(33 * DAY)}`]);
  });

  test('with two items of one feature grants it for the longer of the two periods', async () => {
    const items = [subscriptionItem(), subscriptionItem({ id: 'si_2', current_period_end: EPOCH + 365 * DAY })];
    await apply(subscribed({ items: { data: items } }));
    expect(await entitlements()).toEqual([`${PRO} ${at(0)}..${at(368 * DAY)}`]);
  });

  test('moves from active over past due to canceled, and each change raises the version', async () => {
    const changes = [
      await apply(subscribed()),
      await apply(subscribed({ status: 'past_due' }, 1)),
      await apply(subscribed({ status: 'canceled', ended_at: EPOCH + DAY }, 2)),
    ];
    expect(changes.flat()).toEqual([1, 2, 3].map((version) => ({ userId: 'user_1', projectId: 'project_1', version })));
    expect(await entitlements()).toEqual([`${PRO} ${at(0)}..${at(DAY)}`]);
  });

  test('that moves to another user changes the entitlements of both', async () => {
    await apply(subscribed());
    const metadata = { project_id: 'project_1', user_id: 'user_2' };
    expect(await apply(subscribed({ metadata }, 1))).toEqual([
      { userId: 'user_1', projectId: 'project_1', version: 2 },
      { userId: 'user_2', projectId: 'project_1', version: 1 },
    ]);
    expect(await entitlements()).toEqual([`user_2/project_1 pro sub_1 ${at(0)}..${at(33 * DAY)}`]);
  });

  test('that changes without any effect on entitlements keeps the version and rewrites no row', async () => {
    await apply(subscribed());
    const stored = async () => (await client.query('SELECT ctid, xmin, xmax FROM billing.entitlements')).rows;
    const before = await stored();

    expect(await apply(subscribed({ description: 'renamed' }, 1))).toEqual([]);
    // Not even a lock, which would be written as well.
    expect(await stored()).toEqual(before);
  });

  test('with a plan instead of a price, as before 2020, matches the rule that names the plan as its price', async () => {
    const plan = { id: 'price_pro', product: 'prod_pro', amount: 2_900, currency: 'eur', interval: 'month' };
    const { price: _price, ...item } = subscriptionItem();
    await apply(subscribed({ items: { data: [{ ...item, plan }] } }));

    expect(await entitlements()).toEqual([`${PRO} ${at(0)}..${at(33 * DAY)}`]);
  });
});

describe('a purchase', () => {
  const COURSE = [`user_1/project_1 course:course_1 cs_1 ${at(0)}..`];

  test('that is paid, or free, grants without an end', async () => {
    await apply(bought(), bought({ id: 'cs_2', payment_status: 'no_payment_required', payment_intent: null }));
    expect(await entitlements()).toEqual([...COURSE, ...COURSE.map((text) => text.replace('cs_1', 'cs_2'))]);
  });

  test.each([
    ['is not paid yet', { payment_status: 'unpaid' }],
    ['expired', { status: 'expired', payment_status: 'unpaid' }],
    ['names no item where the feature is named after it', { metadata: { kind: 'course', user_id: 'user_1' } }],
    ['is the checkout of a subscription', { mode: 'subscription' }],
  ])('that %s grants nothing', async (_, fields) => {
    await apply(bought(fields));
    expect(await entitlements()).toEqual([]);
  });

  test('still grants after a partial refund, and no longer after the full one', async () => {
    await apply(bought(), stripeEvent('charge.refunded', charge({ amount_refunded: 4_000 })));
    expect(await entitlements()).toEqual(COURSE);
    expect(await apply(stripeEvent('charge.refunded', charge({ amount_refunded: 9_900 })))).toMatchObject([
      { version: 2 },
    ]);
    expect(await entitlements()).toEqual([]);
  });

  test('grants nothing after refunds of the whole amount, and grants again when one of them fails', async () => {
    await apply(bought(), stripeEvent('charge.succeeded', charge()));
    await apply(
      stripeEvent('refund.created', refund({ id: 're_1', amount: 5_000 })),
      stripeEvent('refund.created', refund({ id: 're_2', amount: 4_900 })),
    );
    expect(await entitlements()).toEqual([]);
    const failed = refund({ id: 're_2', amount: 4_900, status: 'failed' });
    await apply(stripeEvent('refund.failed', failed, { created: EPOCH + 1 }));
    expect(await entitlements()).toEqual(COURSE);
  });

  test('that was made twice still grants by the one that was not refunded', async () => {
    await apply(bought(), bought({ id: 'cs_2', payment_intent: 'pi_2' }));
    await apply(stripeEvent('charge.refunded', charge({ amount_refunded: 9_900 })));
    expect(await entitlements()).toEqual(COURSE.map((text) => text.replace('cs_1', 'cs_2')));
  });
});

describe('a rule', () => {
  test.each([
    [
      'a plan with a price and a product',
      `source, price_id, product_id, grace) VALUES ('subscription', 'a', 'b', '1 h'`,
    ],
    ['a plan with neither', `source, grace) VALUES ('subscription', '1 h'`],
    ['a plan without a grace', `source, price_id) VALUES ('subscription', 'a'`],
    [
      'a plan of a kind of purchase',
      `source, price_id, grace, purchase_kind) VALUES ('subscription', 'a', '1 h', 'course'`,
    ],
    ['a purchase without a kind', `source, item_id) VALUES ('purchase', 'a'`],
    ['a purchase with a price', `source, purchase_kind, price_id) VALUES ('purchase', 'course', 'a'`],
  ])('that is %s is rejected by the database itself', async (_, columns) => {
    const [names, values] = columns.split(') VALUES (');
    const insert = `INSERT INTO billing.entitlement_rules (id, features, ${names}) VALUES ('x', '{f}', ${values})`;

    await expect(client.query(insert)).rejects.toMatchObject({ constraint: 'rules_match_what_their_source_has' });
  });

  test('that names a product, a project or an item matches nothing else', async () => {
    await putRules(client, [
      { id: 'product', grants: { source: 'subscription', productId: 'prod_pro', graceDays: 0 }, features: ['a', 'b'] },
      {
        id: 'elsewhere',
        projectId: 'other',
        grants: { source: 'subscription', priceId: 'price_pro' },
        features: ['no'],
      },
      { id: 'app', appId: 'other', grants: { source: 'subscription', priceId: 'price_pro' }, features: ['no'] },
      { id: 'item', grants: { source: 'purchase', kind: 'course', itemId: 'course_1' }, features: ['first'] },
      { id: 'unsold', grants: { source: 'purchase', kind: 'course', itemId: 'course_2' }, features: ['no'] },
      { id: 'kind', grants: { source: 'purchase', kind: 'coaching' }, features: ['no'] },
    ]);
    await apply(subscribed(), bought());
    expect(await entitlements()).toEqual([
      `user_1/project_1 a sub_1 ${at(0)}..${at(30 * DAY)}`,
      `user_1/project_1 b sub_1 ${at(0)}..${at(30 * DAY)}`,
      `user_1/project_1 first cs_1 ${at(0)}..`,
    ]);
  });
});

test('a batch leaves the entitlements of other users alone', async () => {
  const metadata = { project_id: 'project_1', user_id: 'user_2' };
  await apply(subscribed(), subscribed({ id: 'sub_2', metadata }));
  // Wrong on purpose: recomputing this user would correct it.
  await client.query(`UPDATE billing.entitlements SET feature = 'planted' WHERE user_id = 'user_2'`);

  expect(await apply(subscribed({ status: 'past_due' }, 1))).toEqual([
    { userId: 'user_1', projectId: 'project_1', version: 2 },
  ]);
  expect(await entitlements()).toContainEqual(expect.stringContaining('user_2/project_1 planted'));
});
