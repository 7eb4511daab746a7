import type { Client } from 'pg';
import type { EntitlementRule } from '../../../core/entitlements/contract';
import type { StripeEvent } from '../../../core/providers/stripe/shapes';
import { EPOCH, invoice, stripeEvent, subscription } from '../../factories/stripe-objects';
import { itemAt, lineOf, openInvoice, paidYear, updated, YEAR, yearly } from '../../factories/yearly-subscription';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { at, DAY, endingsAfter, putRules } from '../../support/entitlements';

const RULES: readonly EntitlementRule[] = ['pro', 'basic', 'usage', 'free'].map((name) => ({
  id: name,
  grants: { source: 'subscription', priceId: `price_${name}` },
  features: [name],
}));

let database: TestDatabase;
let client: Client;
beforeEach(async () => {
  database = await createTestDatabase('billing');
  client = await database.client();
  await putRules(client, RULES);
});
afterEach(() => database.drop());

/** In both orders, from nothing each time. */
async function eitherWay(...events: StripeEvent[]): Promise<Record<string, string | null>> {
  const forwards = await endingsAfter(client, events);
  await client.query(
    `TRUNCATE billing.webhook_events, billing.customers CASCADE;
     TRUNCATE billing.invoices, billing.subscriptions, billing.subscription_items, billing.entitlements CASCADE`,
  );
  expect(await endingsAfter(client, events.toReversed())).toEqual(forwards);
  return forwards;
}

const days = (count: number) => EPOCH + count * DAY;
/** An event of the subscription that began some days after the epoch, with these items and former values. */
const told = (type: string, day: number, object: Record<string, unknown>, former?: object) =>
  stripeEvent(`customer.subscription.${type}`, object, {
    created: days(day),
    ...(former && { data: { previous_attributes: former } }),
  });
const items = (...data: object[]) => ({ object: 'list', data, has_more: false });
const itemOf = (price: string, id: string, start: number, end: number, recurring: object = { interval: 'month' }) =>
  itemAt(`price_${price}`, {
    id,
    current_period_start: days(start),
    current_period_end: days(end),
    price: { id: `price_${price}`, product: 'prod', unit_amount: 900, currency: 'eur', recurring },
  });
/** Lines of an item at a price: what it costs, from and until which day. */
const line = (price: string, amount: number, start: number, end: number, item = 'si_1') =>
  lineOf(`price_${price}`, amount, days(start), days(end), item);
const unpaid = (day: number, lines: object[], fields: object = {}) =>
  openInvoice({
    created: days(day),
    status_transitions: { finalized_at: days(day) },
    lines: { data: lines },
    ...fields,
  });
const failed = (day: number, lines: object[], fields: object = {}) =>
  stripeEvent('invoice.payment_failed', invoice({ created: days(day), lines: { data: lines }, ...fields }), {
    created: days(day),
  });
const paid = (id: string, day: number, ...lines: object[]) =>
  stripeEvent('invoice.paid', invoice({ id, status: 'paid', created: days(day), lines: { data: lines } }), {
    created: days(day),
  });

describe('a period that an unpaid invoice bills was not paid, although the subscription was active in it:', () => {
  const month = (status: string, fields: object = {}) =>
    subscription({ status, created: days(-6), items: items(itemOf('pro', 'si_1', -6, 24)), ...fields });
  const billed = [line('pro', 900, -6, 24)];

  test('the bank debit of the first payment was on its way', async () => {
    const events = [
      told('created', -6, month('incomplete')),
      told('updated', -6, month('active'), { status: 'incomplete' }),
      failed(-1, billed, { created: days(-6) }),
      told('updated', -1, month('past_due'), { status: 'active' }),
    ];
    expect(await eitherWay(...events)).toEqual({ pro: at(6 * DAY) });
  });

  test('it began as active', async () => {
    const events = [
      told('created', -6, month('active')),
      failed(-1, billed, { created: days(-6) }),
      told('updated', -1, month('unpaid'), { status: 'active' }),
    ];
    expect(await eitherWay(...events)).toEqual({});
  });

  test('the invoice after a trial was collected days later', async () => {
    const trial = { status: 'trialing', items: items(itemOf('pro', 'si_1', -20, -6)) };
    const events = [
      told('created', -20, month('trialing', { created: days(-20), trial_end: days(-6), items: trial.items })),
      told('updated', -6, month('active', { created: days(-20) }), trial),
      failed(-1, billed, { created: days(-6) }),
      told('updated', -1, month('past_due', { created: days(-20) }), { status: 'active' }),
    ];
    expect(await eitherWay(...events)).toEqual({ pro: at(6 * DAY) });
  });

  test('it was invoiced, and is collected automatically since', async () => {
    const invoiced = { collection_method: 'send_invoice', days_until_due: 4 };
    const events = [
      told('created', -6, month('active', invoiced)),
      unpaid(-6, billed, { due_date: days(-2) }),
      told('updated', -3, month('active'), invoiced),
      told('updated', -2, month('past_due'), { status: 'active' }),
    ];
    expect(await eitherWay(...events)).toEqual({ pro: at(5 * DAY) });
  });

  test.each([
    ['for the period', 'subscription_create', 6],
    ['for a reason that is not known', undefined, 6],
    ['for a change of that day, which bills no period', 'subscription_update', 24],
  ])('the invoice is known without its lines, and was made %s', async (_why, reason, until) => {
    const bare = invoice({ payments: undefined, created: days(-6), billing_reason: reason });
    const events = [
      told('created', -6, month('active')),
      stripeEvent('invoice.payment_failed', bare, { created: days(-1) }),
      told('updated', -1, month('past_due'), { status: 'active' }),
    ];
    expect(await eitherWay(...events)).toEqual({ pro: at(until * DAY) });
  });

  test('the invoice says nothing of its status, as a draft may', async () => {
    const draft = invoice({ status: null, created: days(-6), lines: { data: billed } });
    const events = [
      told('created', -6, month('active')),
      stripeEvent('invoice.updated', draft, { created: days(-5) }),
      told('updated', -1, month('unpaid'), { status: 'active' }),
    ];
    expect(await eitherWay(...events)).toEqual({});
  });

  test('a part of it costs nothing, and has the grace of the others', async () => {
    const both = items(itemOf('pro', 'si_1', -6, 24), itemOf('free', 'si_2', -6, 24));
    const events = [
      told('created', -6, month('active', { items: both })),
      failed(-1, [...billed, line('free', 0, -6, 24, 'si_2')], { created: days(-6) }),
      told('updated', -1, month('past_due', { items: both }), { status: 'active' }),
    ];
    expect(await eitherWay(...events)).toEqual({ pro: at(6 * DAY), free: at(6 * DAY) });
  });
});

describe('where no paid invoice is known, events show what was paid of each item at its price:', () => {
  const changed = [line('pro', -700, 0, 265), line('pro', 1_400, 0, 265)];
  const before = { status: 'active', items: items(itemAt('price_pro')) };

  test('a further seat is declined by the event that adds it', async () => {
    const seats = yearly({ status: 'past_due', items: items(itemAt('price_pro', { quantity: 2 })) });
    expect(await eitherWay(failed(0, changed), told('updated', 0, seats, before))).toEqual({ pro: at(265 * DAY) });
  });

  test.each([
    ['another price of the item', itemAt('price_basic'), 'si_1'],
    ['another item in its place', itemAt('price_basic', { id: 'si_2' }), 'si_2'],
  ])('the change to %s is declined', async (_how, item, id) => {
    const events = [
      told('updated', -50, yearly({ metadata: { user_id: 'user_1', note: 'a' } }), { metadata: {} }),
      failed(0, [line('pro', -700, 0, 265), line('basic', 1_400, 0, 265, id)]),
      told('updated', 0, yearly({ status: 'past_due', items: items(item) }), before),
    ];
    expect(await eitherWay(...events)).toEqual({ basic: at(7 * DAY), pro: at(265 * DAY) });
  });

  test('a change that was active for a while is declined later', async () => {
    const upgraded = (status: string) => yearly({ status, items: items(itemAt('price_basic')) });
    const events = [
      told('updated', -1, upgraded('active'), { items: items(itemAt('price_pro')) }),
      failed(0, [line('pro', -700, -1, 265), line('basic', 1_400, -1, 265)]),
      told('updated', 0, upgraded('past_due'), { status: 'active' }),
    ];
    expect(await eitherWay(...events)).toMatchObject({ basic: at(7 * DAY) });
  });

  test('an item has a period of its own', async () => {
    const mixed = (status: string, start: number) =>
      yearly({ status, items: items(itemOf('basic', 'si_2', start, start + 30), itemAt('price_pro')) });
    const events = [
      told('updated', -50, mixed('active', -60), { metadata: {} }),
      told('updated', 0.1, mixed('past_due', 0), { status: 'active', items: mixed('active', -30).items }),
    ];
    expect(await eitherWay(...events)).toEqual({ basic: at(7 * DAY), pro: at(272 * DAY) });
  });

  test('an event that could not be applied shows nothing', async () => {
    const unreadable = yearly({ items: items({ ...itemAt('price_pro'), current_period_start: 'soon' }) });
    expect(await endingsAfter(client, [updated(unreadable), updated(yearly({ status: 'unpaid' }), 5)])).toEqual({});
  });
});

describe('what no invoice has billed yet is granted while another invoice is unpaid:', () => {
  const USAGE = { interval: 'month', usage_type: 'metered' };
  const month = (status: string, quantity: number) =>
    subscription({
      status,
      created: days(-40),
      items: items({ ...itemOf('pro', 'si_1', -10, 20), quantity }, itemOf('usage', 'si_2', -10, 20, USAGE)),
    });
  const seat = failed(0, [line('pro', -300, 0, 20), line('pro', 600, 0, 20)]);

  test.each([
    ['never before', []],
    ['in the period before', [line('usage', 50, -40, -10, 'si_2')]],
  ])('usage, which was billed %s', async (_when, usage) => {
    const events = [paid('in_month', -10, line('pro', 900, -10, 20), ...usage), seat, updated(month('past_due', 2))];
    expect(await eitherWay(...events)).toEqual({ pro: at(20 * DAY), usage: at(27 * DAY) });
  });

  test('not usage that the unpaid invoice bills, nothing used included', async () => {
    const events = [
      paid('in_before', -40, line('pro', 900, -40, -10)),
      failed(-10, [line('pro', 900, -10, 20), line('usage', 0, -40, -10, 'si_2')]),
      updated(month('past_due', 1)),
    ];
    expect(await eitherWay(...events)).toEqual({ pro: at(-3 * DAY), usage: at(-3 * DAY) });
  });

  test('a change of the price that waits for the next invoice', async () => {
    const changed = yearly({ status: 'past_due', items: items(itemAt('price_basic')) });
    const setup = failed(0, [{ ...line('setup', 5_000, 0, 0), parent: null }]);
    expect(await eitherWay(paidYear(), setup, updated(changed))).toEqual({ basic: at(272 * DAY), pro: at(265 * DAY) });
  });

  test('not a change that was declined, once its invoice is voided', async () => {
    const changed = yearly({ status: 'past_due', items: items(itemAt('price_basic')) });
    const voided = invoice({ status: 'void', lines: { data: [line('basic', 500, 0, 265)] } });
    const events = [paidYear(), stripeEvent('invoice.voided', voided), updated(changed)];
    expect(await eitherWay(...events)).toEqual({ pro: at(265 * DAY) });
  });
});

test('an invoice that was left open takes no grace from a later one, once one in between was paid', async () => {
  const month = subscription({ status: 'past_due', created: days(-70), items: items(itemOf('pro', 'si_1', -10, 20)) });
  const left = failed(-70, [line('pro', 900, -70, -40)], { id: 'in_left' });
  const renewal = failed(-1, [line('pro', 900, -10, 20)], { id: 'in_new', created: days(-10) });
  expect(await eitherWay(left, renewal, updated(month))).toEqual({ pro: at(-63 * DAY) });
  expect(await endingsAfter(client, [paid('in_between', -40, line('pro', 900, -40, -10))])).toEqual({
    pro: at(6 * DAY),
  });
});

describe('a credit cuts only what it reaches to the end of:', () => {
  const month = subscription({ status: 'unpaid', created: days(-10), items: items(itemOf('pro', 'si_1', -10, 20)) });
  const seat = paid('in_seat', 0, line('pro', -600, 0, 20), line('pro', 1_200, 0, 20));

  test.each([
    ['one for each', [line('pro', 900, -10, 20), line('pro', 900, 20, 50), line('pro', 900, 50, 80)]],
    ['one for all', [line('pro', 2_700, -10, 80)]],
  ])(
    'a seat in the first of the months that were paid in advance leaves the others, by lines, %s',
    async (_how, lines) => {
      expect(await eitherWay(paid('in_months', -10, ...lines), seat, updated(month))).toEqual({ pro: at(80 * DAY) });
    },
  );

  test('one for the month before leaves the present one', async () => {
    const late = paid('in_late', -9, line('pro', -300, -20, -10), line('pro', 600, -20, -10));
    const events = [paid('in_month', -10, line('pro', 900, -10, 20)), late, updated(month)];
    expect(await eitherWay(...events)).toEqual({ pro: at(20 * DAY) });
  });
});

test('items that end at different times are canceled at the first end', async () => {
  const both = items(itemAt('price_pro'), itemOf('basic', 'si_2', -10, 20));
  const canceled = yearly({ items: both, cancel_at_period_end: true });
  expect(await eitherWay(updated(canceled))).toEqual({ pro: at(20 * DAY), basic: at(20 * DAY) });
});

test('a pause of the subscription grants nothing until it is resumed, whatever was paid', async () => {
  const resumed = { ...YEAR, current_period_start: EPOCH };
  const events = [paidYear(), told('paused', -5, yearly({ status: 'paused' }))];
  expect(await eitherWay(...events)).toEqual({});
  const again = yearly({ items: items(itemAt('price_pro', resumed)) });
  expect(await endingsAfter(client, [told('resumed', 0, again)])).toEqual({ pro: at(272 * DAY) });
});
