import type { ObjectState, Row } from './states';
import {
  INSERT_CUSTOMERS,
  RECORD_REFUNDS,
  REPLACE_SUBSCRIPTION_ITEMS,
  UPSERT_CHARGES,
  UPSERT_INVOICES,
  UPSERT_PURCHASES,
  UPSERT_SUBSCRIPTIONS,
  type Statement,
} from './statements';
import { newestById } from './version';

/** Runs one statement in the caller's transaction; returns the rows. */
export type RunStatement = (statement: Statement, values: unknown[]) => Promise<{ id: string }[]>;

/**
 * Stores the states that are newer than what is there, a statement per kind of object. Part of a transaction of the
 * caller's: events and reconciliation both end here, so a late page of Stripe's list never overwrites a newer event.
 *
 * @returns ids of the objects whose stored state changed
 */
export async function storeStates(run: RunStatement, states: readonly ObjectState[]): Promise<Set<string>> {
  const ofKind = <Kind extends ObjectState['kind']>(kind: Kind) =>
    states.filter((state): state is Extract<ObjectState, { kind: Kind }> => state.kind === kind);
  const changed = new Set<string>();
  const store = async (statement: Statement, rows: Row[]) => {
    if (rows.length === 0) return new Set<string>();
    const stored = new Set((await run(statement, [JSON.stringify(rows)])).map(({ id }) => id));
    for (const id of stored) changed.add(id);
    return stored;
  };

  await insertCustomers(run, states);

  const subscriptions = newestById(
    ofKind('subscription').map(({ row, items }) => ({ id: row.id, version: row.version, row, items })),
  );
  const stored = await store(UPSERT_SUBSCRIPTIONS, rowsOf(subscriptions));
  if (stored.size > 0) {
    const items = subscriptions.filter(({ id }) => stored.has(id)).flatMap((subscription) => subscription.items);
    await run(REPLACE_SUBSCRIPTION_ITEMS, [JSON.stringify(items), [...stored]]);
  }

  await store(UPSERT_INVOICES, newestById(rowsOf(ofKind('invoice'))));
  await store(UPSERT_PURCHASES, newestById(rowsOf(ofKind('purchase'))));

  const charges = ofKind('charge');
  await store(UPSERT_CHARGES, newestById(rowsOf(charges)));
  const refunds = charges
    .filter(({ refundedTotal }) => refundedTotal > 0)
    .map(({ row, refundedTotal, currency }) => ({ charge_id: row.id, refunded_total: refundedTotal, currency }));
  if (refunds.length > 0) await run(RECORD_REFUNDS, [JSON.stringify(refunds)]);

  return changed;
}

function rowsOf(states: readonly { readonly row: Row }[]): Row[] {
  return states.map(({ row }) => row);
}

async function insertCustomers(run: RunStatement, states: readonly ObjectState[]): Promise<void> {
  const firstSeen = new Map<string, string>();
  for (const { row } of states) {
    const seen = String(row.created_at);
    const known = row.customer_id === null ? undefined : firstSeen.get(row.customer_id);
    if (row.customer_id !== null && (known === undefined || seen < known)) firstSeen.set(row.customer_id, seen);
  }
  if (firstSeen.size === 0) return;
  const rows = [...firstSeen].map(([id, first_seen_at]) => ({ id, first_seen_at }));
  await run(INSERT_CUSTOMERS, [JSON.stringify(rows)]);
}
