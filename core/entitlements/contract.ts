import * as z from 'zod';

/** Days of grace of a rule that names none. */
export const DEFAULT_GRACE_DAYS = 7;
/** Beyond this a grace is a mistake: it gives away as much as a year. */
const MAX_GRACE_DAYS = 366;
/** In the features of a purchase's rule: stands for what was bought, as in `course:{item_id}`. */
const ITEM_PLACEHOLDER = '{item_id}';

const name = (what: string) => {
  const form = `expected ${what}, 1 to 200 characters`;
  return z.string({ error: form }).trim().min(1, form).max(200, form);
};

const features = z
  .array(name('the name of a feature'), { error: 'expected a list of features' })
  .min(1, 'expected at least one feature')
  .max(100, 'expected at most 100 features')
  .readonly()
  .describe(`Names of features; in the rule of a purchase ${ITEM_PLACEHOLDER} stands for what was bought.`);

const days = z
  .int({ error: 'expected a whole number of days' })
  .min(0, 'expected zero or more days')
  .max(MAX_GRACE_DAYS, `expected at most ${MAX_GRACE_DAYS} days`);

const onDispute = z
  .enum(['at_once', 'on_loss', 'never'], { error: 'expected `at_once`, `on_loss` or `never`' })
  .default('on_loss')
  .describe('When a dispute takes access away: as it is opened, when it is lost, or never. Default: on_loss.');

const subscriptionGrants = z
  .strictObject({
    source: z.literal('subscription'),
    priceId: name('the id of a price').optional().describe('Price; exactly one of price and product.'),
    productId: name('the id of a product').optional().describe('Product; exactly one of price and product.'),
    graceDays: z
      .union([days, z.strictObject({ chargeAutomatically: days, sendInvoice: days })], {
        error: 'expected a whole number of days, or `{chargeAutomatically, sendInvoice}` with one for each',
      })
      .default(DEFAULT_GRACE_DAYS)
      .describe(
        `Days of 24 hours that access outlives an unpaid or late renewal, or one number for each way of collecting. Too low cuts off customers whose bank needs a second attempt; too high gives away what is never paid. Default: ${DEFAULT_GRACE_DAYS}.`,
      ),
    whilePaused: z
      .enum(['paid', 'granted'], { error: 'expected `paid` or `granted`' })
      .optional()
      .describe(
        'While collection is paused: only what was `paid`, or all of it `granted`. Default: granted where the invoices are kept as drafts to be collected later, otherwise what was paid.',
      ),
    onDispute,
  })
  .refine(({ priceId, productId }) => (priceId === undefined) !== (productId === undefined), {
    error: 'expected either priceId or productId',
  });

const purchaseGrants = z.strictObject({
  source: z.literal('purchase'),
  kind: z.enum(['course', 'path', 'coaching', 'other'], { error: 'expected `course`, `path`, `coaching` or `other`' }),
  itemId: name('the id of an item').optional().describe('What was bought. Default: any item of the kind.'),
  onDispute,
});

const entitlementRule = z
  .strictObject({
    id: name('the name of the rule').describe('Name of the rule, unique among the rules.'),
    appId: name('the id of an app').optional().describe('App. Default: any.'),
    projectId: name('the id of a project').optional().describe('Project. Default: any.'),
    grants: z
      .discriminatedUnion('source', [subscriptionGrants, purchaseGrants], {
        error: 'expected a `source` of `subscription` or `purchase`, and what it matches',
      })
      .describe('The plan or the purchase that grants the features.'),
    features,
  })
  .refine(({ grants, features: names }) => grants.source === 'purchase' || !names.some(hasPlaceholder), {
    path: ['features'],
    error: `${ITEM_PLACEHOLDER} stands for the item of a purchase; a subscription has none`,
  });

function hasPlaceholder(feature: string): boolean {
  return feature.includes(ITEM_PLACEHOLDER);
}

/** The whole set of rules, as an adopter writes them. */
export const entitlementRules = z
  .array(entitlementRule, { error: 'expected a list of rules' })
  .max(10_000, 'expected at most 10000 rules')
  .refine((rules) => new Set(rules.map(({ id }) => id)).size === rules.length, {
    error: 'expected the id of every rule to be unique',
  })
  .readonly();

/** What a plan or a purchase grants. Fields that are left out match everything. */
export type EntitlementRule = Readonly<z.input<typeof entitlementRule>>;
/** A rule whose form was checked and whose defaults are filled in. */
export type CheckedRule = Readonly<z.infer<typeof entitlementRule>>;

const count = z.int().min(0);

/** How many subscriptions a project has. */
export const subscriptionFigures = z.strictObject({
  byStatus: z.record(z.string(), count).describe("Subscriptions now, by the provider's status."),
  ending: count.describe('Of those that run, such as end with their period.'),
  started: count.describe('Started in the range.'),
  ended: count.describe('Ended in the range.'),
});
export type SubscriptionFigures = Readonly<z.infer<typeof subscriptionFigures>>;

/** What a project took in, in one currency. */
export const currencyFigures = z.strictObject({
  currency: z.string().describe('ISO 4217, in lower case; `btc` for payments in bitcoin, in satoshi.'),
  gross: z
    .int()
    .describe('Captured by charges of the range, or settled in bitcoin in the range, in the smallest unit.'),
  refunded: z.int().describe('Refunds that were recorded in the range, less those that came back.'),
  net: z.int().describe('`gross` less `refunded`. Disputes and fees are not deducted.'),
  charges: count.describe('Charges, or payments in bitcoin.'),
});
export type CurrencyFigures = Readonly<z.infer<typeof currencyFigures>>;
