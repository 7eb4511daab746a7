import type { Statement } from '../../core/database/transaction';
import type { RecomputeScope } from './contract';

const lockSources = (kind: 'subscriptions' | 'purchases'): Statement => ({
  name: `lock_${kind}`,
  text: `SELECT FROM billing.${kind} WHERE id = ANY ($1::text[]) ORDER BY id FOR SHARE`,
});

/** Locked in the order in which the processor stores them, so that the two wait for each other instead of deadlocking. */
export const LOCK_SUBSCRIPTIONS = lockSources('subscriptions');
export const LOCK_PURCHASES = lockSources('purchases');

/**
 * Ids of what names an owner only through another object, as docs/entitlements.md counts them: through the session that
 * started it, its customer, or what an operator assigned. $3: the owner.
 */
const throughOthers = (column: 'user_id' | 'project_id'): readonly string[] => [
  `SELECT subscription_id AS id FROM billing.purchases WHERE ${column} = $3`,
  `SELECT owned.id FROM billing.customers AS customer
   CROSS JOIN LATERAL (SELECT id FROM billing.subscriptions WHERE customer_id = customer.id
                       UNION ALL SELECT id FROM billing.purchases WHERE customer_id = customer.id OFFSET 0) AS owned
   WHERE customer.${column} = $3`,
  `SELECT object_id AS id FROM billing.owner_assignments WHERE ${column} = $3`,
  ...(column === 'user_id'
    ? [
        `SELECT named.id FROM billing.purchases AS session
         CROSS JOIN LATERAL (VALUES (session.id), (session.subscription_id)) AS named (id)
         WHERE session.user_id IS NULL AND session.client_reference_id = $3`,
      ]
    : []),
];

/**
 * A page of ids, in their order: of subscriptions and purchases, and of entitlements' sources that no longer exist.
 *
 * @param after the last id of the page before, or empty
 */
export function pageOfSources(
  scope: RecomputeScope,
  after: string,
  limit: number,
): { readonly text: string; readonly values: unknown[] } {
  const column = scope === 'all' ? undefined : scope.userId === undefined ? 'project_id' : 'user_id';
  const owner = column === undefined ? '' : `AND ${column} = $3`;
  const page = (ids: string) => `(SELECT id FROM (${ids}) AS candidate WHERE id > $1 ORDER BY id LIMIT $2)`;
  const stored = (table: string) => `(SELECT id FROM billing.${table} WHERE id > $1 ${owner} ORDER BY id LIMIT $2)`;
  const pages = [
    stored('subscriptions'),
    stored('purchases'),
    `(SELECT source_id FROM billing.entitlements WHERE source_id > $1 ${owner} GROUP BY source_id
      ORDER BY source_id LIMIT $2)`,
    ...(column === undefined ? [] : throughOthers(column).map(page)),
  ];
  return {
    text: `SELECT id FROM (${pages.join('\nUNION\n')}) AS source ORDER BY id LIMIT $2`,
    values: [after, limit, ...(scope === 'all' ? [] : [scope.userId ?? scope.projectId])],
  };
}
