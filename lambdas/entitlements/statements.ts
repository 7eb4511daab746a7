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
 * A page of ids, in their order: of subscriptions and purchases, and of entitlements' sources that no longer exist.
 *
 * @param after the last id of the page before, or empty
 */
export function pageOfSources(
  scope: RecomputeScope,
  after: string,
  limit: number,
): { readonly text: string; readonly values: unknown[] } {
  const values: unknown[] = [after, limit];
  let owner = '';
  if (scope !== 'all') {
    const [column, value] = scope.userId === undefined ? ['project_id', scope.projectId] : ['user_id', scope.userId];
    values.push(value);
    owner = `AND ${column} = $3`;
  }
  const page = (table: string) => `(SELECT id FROM billing.${table} WHERE id > $1 ${owner} ORDER BY id LIMIT $2)`;
  return {
    text: `
SELECT id FROM (
  ${page('subscriptions')}
  UNION
  ${page('purchases')}
  UNION
  (SELECT source_id FROM billing.entitlements WHERE source_id > $1 ${owner} GROUP BY source_id
   ORDER BY source_id LIMIT $2)
) AS source ORDER BY id LIMIT $2`,
    values,
  };
}
