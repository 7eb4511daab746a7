import type { ClientBase } from 'pg';
import * as z from 'zod';
import type { EntitlementRule } from './contract';
import { inTransaction } from '../database/transaction';
import { LOCK_RULES } from './statements';

const DEFAULT_GRACE_DAYS = 7;
/** Beyond this a grace is a mistake: it gives away as much as a year. */
const MAX_GRACE_DAYS = 366;
const ITEM_PLACEHOLDER = '{item_id}';

const name = (what: string) => {
  const form = `expected ${what}, 1 to 200 characters`;
  return z.string({ error: form }).trim().min(1, form).max(200, form);
};

const features = z
  .array(name('the name of a feature'), { error: 'expected a list of features' })
  .min(1, 'expected at least one feature')
  .max(100, 'expected at most 100 features');

const subscriptionGrants = z
  .strictObject({
    source: z.literal('subscription'),
    priceId: name('the id of a price').optional(),
    productId: name('the id of a product').optional(),
    graceDays: z
      .int({ error: 'expected a whole number of days' })
      .min(0, 'expected zero or more days')
      .max(MAX_GRACE_DAYS, `expected at most ${MAX_GRACE_DAYS} days`)
      .default(DEFAULT_GRACE_DAYS),
  })
  .refine(({ priceId, productId }) => (priceId === undefined) !== (productId === undefined), {
    error: 'expected either priceId or productId',
  });

const purchaseGrants = z.strictObject({
  source: z.literal('purchase'),
  kind: z.enum(['course', 'path', 'coaching', 'other'], { error: 'expected `course`, `path`, `coaching` or `other`' }),
  itemId: name('the id of an item').optional(),
});

const rule = z
  .strictObject({
    id: name('the name of the rule'),
    appId: name('the id of an app').optional(),
    projectId: name('the id of a project').optional(),
    grants: z.discriminatedUnion('source', [subscriptionGrants, purchaseGrants], {
      error: 'expected a `source` of `subscription` or `purchase`, and what it matches',
    }),
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
export const rulesSchema = z
  .array(rule, { error: 'expected a list of rules' })
  .max(10_000, 'expected at most 10000 rules')
  .refine((rules) => new Set(rules.map(({ id }) => id)).size === rules.length, {
    error: 'expected every rule to have an id of its own',
  }) satisfies z.ZodType<readonly EntitlementRule[]>;

export type CheckedRules = z.infer<typeof rulesSchema>;

/**
 * Replaces all rules, in one transaction. Waits for those who compute entitlements by the old ones, so that everything
 * computed by them is committed, and can be computed again, when this returns.
 */
export function replaceRules(client: ClientBase, rules: CheckedRules): Promise<void> {
  return inTransaction(client, async (run) => {
    await run(LOCK_RULES, []);
    await client.query('DELETE FROM billing.entitlement_rules');
    await client.query(
      `INSERT INTO billing.entitlement_rules
         (id, app_id, project_id, source, price_id, product_id, grace, purchase_kind, item_id, features)
       SELECT id, app_id, project_id, source, price_id, product_id, make_interval(hours => 24 * grace_days),
              purchase_kind, item_id, features
       FROM json_to_recordset($1::json) AS incoming (id text, app_id text, project_id text, source text,
         price_id text, product_id text, grace_days integer, purchase_kind text, item_id text, features text[])`,
      [JSON.stringify(rules.map(rowOf))],
    );
  });
}

function rowOf({ id, appId, projectId, grants, features: names }: CheckedRules[number]) {
  const row = { id, app_id: appId, project_id: projectId, source: grants.source, features: names };
  return grants.source === 'subscription'
    ? { ...row, price_id: grants.priceId, product_id: grants.productId, grace_days: grants.graceDays }
    : { ...row, purchase_kind: grants.kind, item_id: grants.itemId };
}
