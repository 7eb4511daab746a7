import { type ClientBase, escapeIdentifier } from 'pg';
import { runInOrder } from '../../core/database/transaction';
import { type EntitlementChange, recomputeEntitlements } from '../../core/entitlements/recompute';
import { type LiveTable, nameOf } from './tables';

/** Tables that entitlements follow from, or are stored in, and the column with the id of the source to recompute. */
const SOURCE_COLUMNS: Readonly<Record<string, string>> = {
  'billing.subscriptions': 'id',
  'billing.subscription_items': 'subscription_id',
  'billing.invoices': 'subscription_id',
  'billing.purchases': 'id',
  'billing.charges': 'id',
  'billing.refunds': 'id',
  'billing.refund_ledger': 'charge_id',
  'billing.disputes': 'id',
  'billing.invoice_payments': 'id',
  'billing.entitlements': 'source_id',
};

/**
 * Recomputes the entitlements of the merged rows, in the transaction that merged them.
 *
 * @param tables of the merge, in its order
 */
export async function recomputeMerged(client: ClientBase, tables: readonly LiveTable[]): Promise<EntitlementChange[]> {
  const merged = tables.flatMap((table, index) => {
    const at = table.columns.findIndex(({ name }) => name === SOURCE_COLUMNS[nameOf(table)]);
    if (at < 0) return [];
    return `SELECT c.${escapeIdentifier(`c${at}`)} AS id FROM pg_temp.chosen_${index} c
      JOIN pg_temp.planned_${index} p ON p.id = c.id AND p.action IN ('insert', 'update')`;
  });
  if (merged.length === 0) return [];
  const ids = await client.query<{ id: string }>(
    `SELECT id FROM (${merged.join(' UNION ')}) AS merged WHERE id IS NOT NULL`,
  );
  const touched = ids.rows.map(({ id }) => id);
  return recomputeEntitlements(runInOrder(client), { sources: touched, payments: touched, disputable: touched });
}
