import type { Client } from 'pg';
import type { EntitlementRule } from '../../../core/entitlements/contract';
import { dispute, EPOCH, invoice, invoicePayment, stripeEvent } from '../../factories/stripe-objects';
import { itemAt, lineOf, openInvoice, paidYear, updated, YEAR, yearly } from '../../factories/yearly-subscription';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { at, DAY, endingsAfter, putRules } from '../../support/entitlements';
import type { StripeEvent } from '../../../core/providers/stripe/shapes';

const RULES: readonly EntitlementRule[] = [
  { id: 'pro', grants: { source: 'subscription', priceId: 'price_pro' }, features: ['pro'] },
  { id: 'basic', grants: { source: 'subscription', priceId: 'price_basic' }, features: ['basic'] },
];
const YEAR_END = YEAR.current_period_end;
const ACTIVE = at(272 * DAY);
const PAID = at(265 * DAY);

let database: TestDatabase;
let client: Client;
beforeEach(async () => {
  database = await createTestDatabase('billing');
  client = await database.client();
  await putRules(client, RULES);
});
afterEach(() => database.drop());

const endings = (...events: StripeEvent[]) => endingsAfter(client, events);

/** In both orders, from nothing each time. */
async function eitherWay(...events: StripeEvent[]): Promise<Record<string, string | null>> {
  const forwards = await endings(...events);
  await client.query(
    `TRUNCATE billing.webhook_events, billing.customers CASCADE;
     TRUNCATE billing.invoices, billing.invoice_payments, billing.disputes, billing.disputed_subscriptions,
       billing.subscriptions, billing.subscription_items, billing.entitlements CASCADE`,
  );
  expect(await endings(...events.toReversed())).toEqual(forwards);
  return forwards;
}

/** The subscription with one item at a price, whose id tells whether the item was replaced by another. */
const sold = (price: string, fields: object = {}, item: object = {}, seconds = 0) =>
  updated(yearly({ items: { data: [itemAt(price, item)], has_more: false }, ...fields }), seconds);
const change = (lines: object[], id = 'in_change') => ({ id, created: EPOCH, lines: { data: lines } });
const paidChange = (lines: object[], id = 'in_change', created = EPOCH) =>
  stripeEvent('invoice.paid', invoice({ status: 'paid', payments: undefined, ...change(lines, id), created }));
const declinedChange = (lines: object[]) =>
  openInvoice({ ...change(lines), status_transitions: { finalized_at: EPOCH } });
const lost = (intent: string) =>
  stripeEvent(
    'charge.dispute.closed',
    dispute({ id: `dp_${intent}`, status: 'lost', payment_intent: intent, charge: null }),
  );
const paymentOf = (invoiceId: string, intent: string) =>
  stripeEvent(
    'invoice_payment.paid',
    invoicePayment({
      id: `inpay_${intent}`,
      invoice: invoiceId,
      payment: { type: 'payment_intent', payment_intent: intent },
    }),
  );

const UPGRADE = [lineOf('price_pro', -600, EPOCH, YEAR_END), lineOf('price_basic', 900, EPOCH, YEAR_END)];
const SWAP = [lineOf('price_pro', -600, EPOCH, YEAR_END), lineOf('price_basic', 900, EPOCH, YEAR_END, 'si_2')];
const SEAT = [lineOf('price_pro', -600, EPOCH, YEAR_END), lineOf('price_pro', 630, EPOCH, YEAR_END)];

describe('an item that was replaced by another', () => {
  test('is granted to the end of what was paid, where the payment of the change was declined', async () => {
    const swapped = sold('price_basic', { status: 'past_due' }, { id: 'si_2' });
    expect(await eitherWay(paidYear(), declinedChange(SWAP), swapped)).toEqual({ basic: at(7 * DAY), pro: PAID });
    expect(await endings(sold('price_basic', { status: 'unpaid' }, { id: 'si_2' }, 10))).toEqual({ pro: PAID });
  });

  test('is given up where the change was paid, whatever is owed later', async () => {
    const owing = openInvoice({
      id: 'in_next',
      lines: { data: [lineOf('price_basic', 900, EPOCH, YEAR_END, 'si_2')] },
    });
    const swapped = sold('price_basic', { status: 'past_due' }, { id: 'si_2' });
    expect(Object.keys(await eitherWay(paidYear(), paidChange(SWAP), owing, swapped))).toEqual(['basic']);
  });

  test('is given up where it was removed without a credit', async () => {
    const owing = openInvoice({
      id: 'in_next',
      lines: { data: [lineOf('price_basic', 900, EPOCH, YEAR_END, 'si_2')] },
    });
    const swapped = sold('price_basic', { status: 'past_due' }, { id: 'si_2' });
    expect(Object.keys(await eitherWay(paidYear(), owing, swapped))).toEqual(['basic']);
  });
});

describe('a lost dispute', () => {
  test('of a further seat leaves the year that another invoice paid', async () => {
    const events = [
      paidYear(),
      paymentOf('in_change', 'pi_seat'),
      paidChange(SEAT),
      sold('price_pro'),
      lost('pi_seat'),
    ];
    expect(await eitherWay(...events)).toEqual({ pro: ACTIVE });
    expect(await endings(sold('price_pro', { status: 'unpaid' }, {}, 10))).toEqual({ pro: PAID });
  });

  test('of a further seat leaves a later upgrade, whose credit the year had paid as well', async () => {
    const seat = paidChange(SEAT, 'in_seat', EPOCH - 50 * DAY);
    const events = [paidYear(), seat, paymentOf('in_seat', 'pi_seat'), lost('pi_seat'), paidChange(UPGRADE)];
    // The former price ended with the upgrade.
    expect(await eitherWay(...events, sold('price_basic'))).toEqual({ basic: ACTIVE, pro: at(0) });
  });

  test('of the year takes a further seat that was paid with its credit', async () => {
    const year = [paidYear(), paymentOf('in_year', 'pi_year'), lost('pi_year')];
    expect(await eitherWay(...year, paidChange(SEAT), sold('price_pro'))).toEqual({});
  });

  test.each<[string, object[], string]>([
    ['another price', UPGRADE, 'si_1'],
    ['another item', SWAP, 'si_2'],
  ])('of the year takes an upgrade to %s that was paid with its credit', async (_what, lines, item) => {
    const year = [paidYear(), paymentOf('in_year', 'pi_year'), lost('pi_year')];
    const more = [
      lineOf('price_basic', -900, EPOCH, YEAR_END, item),
      lineOf('price_basic', 950, EPOCH, YEAR_END, item),
    ];
    const events = [
      ...year,
      paidChange(lines),
      paidChange(more, 'in_more', EPOCH + 60),
      sold('price_basic', {}, { id: item }),
    ];
    expect(await eitherWay(...events)).toEqual({});
  });

  test.each<[string, object[], string]>([
    ['another price', UPGRADE, 'si_1'],
    ['another item', SWAP, 'si_2'],
  ])('of an upgrade to %s gives back what was paid before it', async (_what, lines, item) => {
    const events = [paidYear(), paymentOf('in_change', 'pi_upgrade'), paidChange(lines), lost('pi_upgrade')];
    expect(await eitherWay(...events, sold('price_basic', {}, { id: item }))).toEqual({ pro: PAID });
  });

  test('of an added item leaves the upgrade of another that one update made when it removed the item', async () => {
    const added = paidChange(
      [lineOf('price_extra', 300, EPOCH - 50 * DAY, YEAR_END, 'si_3')],
      'in_extra',
      EPOCH - 50 * DAY,
    );
    const both = paidChange([lineOf('price_extra', -200, EPOCH, YEAR_END, 'si_3'), ...UPGRADE]);
    const events = [paidYear(), added, paymentOf('in_extra', 'pi_extra'), lost('pi_extra'), both];
    expect(await eitherWay(...events, sold('price_basic'))).toEqual({ basic: ACTIVE });
  });

  test('of a period that is over takes nothing from the present one, whose invoice also billed a seat of the former', async () => {
    const start = EPOCH - 465 * DAY;
    const end = EPOCH - 100 * DAY;
    const former = paidChange([lineOf('price_pro', 900, start, end)], 'in_former', start);
    const seat = [lineOf('price_pro', -200, end - 80 * DAY, end), lineOf('price_pro', 210, end - 80 * DAY, end)];
    const renewal = paidYear({ lines: { data: [...seat, lineOf('price_pro', 930, end, YEAR_END)] } });
    const events = [former, paymentOf('in_former', 'pi_former'), lost('pi_former'), renewal, sold('price_pro')];
    expect(await eitherWay(...events)).toEqual({ pro: ACTIVE });
  });

  test('of the year leaves another item that was added with a seat', async () => {
    const year = [paidYear(), paymentOf('in_year', 'pi_year'), lost('pi_year')];
    const both = paidChange([...SEAT, lineOf('price_basic', 300, EPOCH, YEAR_END, 'si_2')]);
    const items = [itemAt('price_pro'), itemAt('price_basic', { id: 'si_2' })];
    const events = [...year, both, updated(yearly({ items: { data: items, has_more: false } }))];
    expect(await eitherWay(...events)).toEqual({ basic: ACTIVE });
  });

  test('of a period that is over takes nothing from the present one', async () => {
    const former = paidChange(
      [lineOf('price_pro', 900, EPOCH - 465 * DAY, EPOCH - 100 * DAY)],
      'in_former',
      EPOCH - 465 * DAY,
    );
    const events = [former, paymentOf('in_former', 'pi_former'), lost('pi_former'), paidYear(), sold('price_pro')];
    expect(await eitherWay(...events)).toEqual({ pro: ACTIVE });
  });
});
