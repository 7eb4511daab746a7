import type { ClientBase } from 'pg';
import { inTransaction } from '../database/transaction';
import type { CheckedRule } from './contract';
import { LOCK_RULES } from './statements';

/** Changes that are listed by name; all of them are counted. */
const LISTED_CHANGES = 100;

/** What new rules would change for one user in one project. */
export interface RulesChange {
  readonly userId: string;
  readonly projectId: string;
  readonly gained: string[];
  readonly lost: string[];
}

export interface RulesImpact {
  /** Users, each in one project, who would gain a feature. */
  readonly usersGaining: number;
  /** Users, each in one project, who would lose a feature. */
  readonly usersLosing: number;
  /** The first changes, those that take something away before the others. */
  readonly changes: RulesChange[];
}

/**
 * Replaces all rules, in one transaction. It waits for transactions that compute entitlements by the old ones, so that
 * everything they computed is committed, and can be computed again, when this returns.
 */
export function replaceRules(client: ClientBase, rules: readonly CheckedRule[]): Promise<void> {
  return inTransaction(client, async (run) => {
    await run(LOCK_RULES, []);
    await writeRules(client, rules);
  });
}

/**
 * Finds which features users would gain and lose by new rules. The rules are written in a transaction that is rolled back
 * and takes no advisory lock, so that the processor keeps computing by the old ones.
 */
export async function previewRules(client: ClientBase, rules: readonly CheckedRule[]): Promise<RulesImpact> {
  await client.query('BEGIN');
  try {
    // The comparison reads every subscription and purchase, which takes longer than the server gives to statements.
    await client.query(`SET LOCAL statement_timeout = '10min'`);
    await writeRules(client, rules);
    const { rows } = await client.query<ImpactRow>(RULES_IMPACT, [LISTED_CHANGES]);
    return {
      usersGaining: rows[0]?.users_gaining ?? 0,
      usersLosing: rows[0]?.users_losing ?? 0,
      changes: rows.map((row) => ({
        userId: row.user_id,
        projectId: row.project_id,
        gained: row.gained,
        lost: row.lost,
      })),
    };
  } finally {
    await client.query('ROLLBACK');
  }
}

interface ImpactRow {
  readonly user_id: string;
  readonly project_id: string;
  readonly gained: string[];
  readonly lost: string[];
  readonly users_gaining: number;
  readonly users_losing: number;
}

const holding = (relation: string) => `
  SELECT DISTINCT user_id, project_id, feature FROM billing.${relation}
  WHERE valid_from <= now() AND (valid_until IS NULL OR valid_until > now())`;

/** Stored entitlements that hold now, against those that the rules of this transaction grant. $1: changes to list. */
const RULES_IMPACT = `
WITH held AS MATERIALIZED (${holding('entitlements')}),
granted AS MATERIALIZED (${holding('entitlement_grants')}),
differences AS (
  SELECT *, true AS gain FROM (SELECT * FROM granted EXCEPT SELECT * FROM held) AS gained
  UNION ALL
  SELECT *, false FROM (SELECT * FROM held EXCEPT SELECT * FROM granted) AS lost
), changes AS (
  SELECT user_id, project_id,
         coalesce(array_agg(feature ORDER BY feature) FILTER (WHERE gain), '{}') AS gained,
         coalesce(array_agg(feature ORDER BY feature) FILTER (WHERE NOT gain), '{}') AS lost
  FROM differences GROUP BY user_id, project_id
)
SELECT *,
       (count(*) FILTER (WHERE cardinality(gained) > 0) OVER ())::int AS users_gaining,
       (count(*) FILTER (WHERE cardinality(lost) > 0) OVER ())::int AS users_losing
FROM changes ORDER BY cardinality(lost) = 0, user_id, project_id LIMIT $1`;

async function writeRules(client: ClientBase, rules: readonly CheckedRule[]): Promise<void> {
  await client.query('DELETE FROM billing.entitlement_rules');
  await client.query(
    `INSERT INTO billing.entitlement_rules
       (id, app_id, project_id, source, price_id, product_id, grace, grace_send_invoice, while_paused, on_dispute,
        purchase_kind, item_id, features)
     SELECT id, app_id, project_id, source, price_id, product_id, make_interval(hours => 24 * grace_days),
            make_interval(hours => 24 * invoice_grace_days), while_paused, on_dispute, purchase_kind, item_id, features
     FROM json_to_recordset($1::json) AS incoming (id text, app_id text, project_id text, source text,
       price_id text, product_id text, grace_days integer, invoice_grace_days integer, while_paused text, on_dispute text,
       purchase_kind text, item_id text, features text[])`,
    [JSON.stringify(rules.map(rowOf))],
  );
}

function rowOf({ id, appId, projectId, grants, features: names }: CheckedRule) {
  const { source, onDispute } = grants;
  const row = { id, app_id: appId, project_id: projectId, source, on_dispute: onDispute, features: names };
  if (grants.source === 'purchase') return { ...row, purchase_kind: grants.kind, item_id: grants.itemId };
  const { graceDays } = grants;
  const grace = typeof graceDays === 'number' ? { chargeAutomatically: graceDays, sendInvoice: null } : graceDays;
  return {
    ...row,
    price_id: grants.priceId,
    product_id: grants.productId,
    grace_days: grace.chargeAutomatically,
    invoice_grace_days: grace.sendInvoice,
    while_paused: grants.whilePaused,
  };
}

interface RuleRow {
  readonly id: string;
  readonly app_id: string | null;
  readonly project_id: string | null;
  readonly source: 'subscription' | 'purchase';
  readonly price_id: string | null;
  readonly product_id: string | null;
  readonly grace_days: number | null;
  readonly invoice_grace_days: number | null;
  readonly while_paused: 'paid' | 'granted' | null;
  readonly on_dispute: 'at_once' | 'on_loss' | 'never';
  readonly purchase_kind: 'course' | 'path' | 'coaching' | 'other';
  readonly item_id: string | null;
  readonly features: string[];
}

/** The rules in force, in the form in which they were written, by their ids. */
export async function readRules(client: ClientBase): Promise<CheckedRule[]> {
  const { rows } = await client.query<RuleRow>(
    `SELECT id, app_id, project_id, source, price_id, product_id,
            (extract(epoch FROM grace) / 86400)::int AS grace_days,
            (extract(epoch FROM grace_send_invoice) / 86400)::int AS invoice_grace_days, while_paused, on_dispute,
            purchase_kind, item_id, features
     FROM billing.entitlement_rules ORDER BY id`,
  );
  return rows.map(ruleOf);
}

function ruleOf(row: RuleRow): CheckedRule {
  const grants: CheckedRule['grants'] =
    row.source === 'subscription'
      ? {
          source: 'subscription',
          ...present('priceId', row.price_id),
          ...present('productId', row.product_id),
          graceDays:
            row.invoice_grace_days === null
              ? (row.grace_days ?? 0)
              : { chargeAutomatically: row.grace_days ?? 0, sendInvoice: row.invoice_grace_days },
          ...(row.while_paused === null ? {} : { whilePaused: row.while_paused }),
          onDispute: row.on_dispute,
        }
      : {
          source: 'purchase',
          kind: row.purchase_kind,
          ...present('itemId', row.item_id),
          onDispute: row.on_dispute,
        };
  return {
    id: row.id,
    ...present('appId', row.app_id),
    ...present('projectId', row.project_id),
    grants,
    features: row.features,
  };
}

/** A field that matches everything is left out, as the adopter left it out. */
function present<Name extends string>(field: Name, value: string | null): { readonly [Field in Name]?: string } {
  return value === null ? {} : ({ [field]: value } as { readonly [Field in Name]: string });
}
