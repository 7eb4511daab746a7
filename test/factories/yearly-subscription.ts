import type { StripeEvent } from '../../core/providers/stripe/shapes';
import { DAY } from '../support/entitlements';
import { EPOCH, invoice, stripeEvent, subscription, subscriptionItem } from './stripe-objects';

/** A year that began 100 days before the epoch, of one item at a price. */
export const YEAR = { current_period_start: EPOCH - 100 * DAY, current_period_end: EPOCH + 265 * DAY };
export const itemAt = (price: string, fields: object = {}) =>
  subscriptionItem({
    ...YEAR,
    price: { id: price, product: 'prod', unit_amount: 900, currency: 'eur', recurring: { interval: 'year' } },
    ...fields,
  });
export const yearly = (fields: object = {}) =>
  subscription({ created: EPOCH - 100 * DAY, items: { data: [itemAt('price_pro')], has_more: false }, ...fields });
export const updated = (object: Record<string, unknown>, seconds = 0) =>
  stripeEvent('customer.subscription.updated', object, { created: EPOCH + seconds });
export const lineOf = (price: string, amount: number, start: number, end: number, item = 'si_1') => ({
  amount,
  period: { start, end },
  pricing: { price_details: { price, product: 'prod' } },
  parent: { subscription_item_details: { subscription: 'sub_1', subscription_item: item } },
});
export const paidYear = (fields: object = {}) =>
  stripeEvent(
    'invoice.paid',
    invoice({
      id: 'in_year',
      status: 'paid',
      created: EPOCH - 100 * DAY,
      payments: undefined,
      lines: { data: [lineOf('price_pro', 900, YEAR.current_period_start, YEAR.current_period_end)] },
      ...fields,
    }),
  );
export const openInvoice = (fields: object): StripeEvent =>
  stripeEvent('invoice.finalized', invoice({ status: 'open', ...fields }));
