import type { LedgerEntry, ObjectState, Row } from './object-state';
import { rowParameters } from './row-parameters';
import {
  INSERT_CUSTOMERS,
  RECORD_REFUNDS,
  REPLACE_SUBSCRIPTION_ITEMS,
  UPSERT_CUSTOMERS,
  UPSERT_CHARGES,
  UPSERT_CONNECT_ACCOUNTS,
  UPSERT_INVOICES,
  UPSERT_PAYMENT_INTENTS,
  UPSERT_PURCHASES,
  UPSERT_REFUNDS,
  UPSERT_SUBSCRIPTIONS,
  type RowsStatement,
  type Statement,
} from './statements';
import { newestById } from './version';

/** Runs one statement in the caller's transaction; returns the rows. */
export type RunStatement = (statement: Statement, values: unknown[]) => Promise<{ id: string }[]>;

/**
 * How each kind is stored, in the order in which it is. The order is the same for every batch, so that concurrent ones
 * wait for each other instead of deadlocking.
 */
const UPSERTS = [
  ['customer', UPSERT_CUSTOMERS],
  ['subscription', UPSERT_SUBSCRIPTIONS],
  ['invoice', UPSERT_INVOICES],
  ['purchase', UPSERT_PURCHASES],
  ['payment_intent', UPSERT_PAYMENT_INTENTS],
  ['charge', UPSERT_CHARGES],
  ['refund', UPSERT_REFUNDS],
  ['account', UPSERT_CONNECT_ACCOUNTS],
] as const satisfies readonly (readonly [ObjectState['kind'], RowsStatement])[];

/** The event in whose ledger row, written before in the same transaction, an object is found; by the object itself. */
export type LedgeredObjects = ReadonlyMap<unknown, string>;

/**
 * Stores the states that are newer than what is there, a statement per kind of object. Part of a transaction of the
 * caller's: events and reconciliation both end here, so a late page of Stripe's list never overwrites a newer event.
 *
 * @param ledgered objects that need not be sent, because the ledger has them already
 * @returns ids of the objects whose stored state changed
 */
export async function storeStates(
  run: RunStatement,
  states: readonly ObjectState[],
  ledgered: LedgeredObjects = new Map(),
): Promise<Set<string>> {
  const changed = new Set<string>();
  await insertCustomers(run, states);
  const byKind = Map.groupBy(states, ({ kind }) => kind);
  for (const [kind, statement] of UPSERTS) {
    const ofKind = byKind.get(kind);
    if (ofKind === undefined) continue;
    const rows = newestById(ofKind.map(({ row }) => row));
    const sent = rows.map((row) => withObject(row, ledgered));
    const stored = (await run(statement, rowParameters(statement, sent))).map(({ id }) => id);
    for (const id of stored) changed.add(id);
    if (kind === 'subscription' && stored.length > 0) await replaceItems(run, ofKind, stored, rows);
  }
  await recordRefunds(run, states);
  return changed;
}

function withObject(row: Row, ledgered: LedgeredObjects): Record<string, unknown> {
  const eventId = ledgered.get(row.raw);
  return eventId === undefined
    ? { ...row, raw: JSON.stringify(row.raw) }
    : { ...row, raw: null, raw_event_id: eventId };
}

/** Items are replaced with their subscription: those of the state that was stored, of no other. */
async function replaceItems(
  run: RunStatement,
  states: readonly ObjectState[],
  storedIds: readonly string[],
  newest: readonly Row[],
): Promise<void> {
  const stored = new Set(storedIds);
  const storedRows = new Set(newest.filter(({ id }) => stored.has(id)));
  const subscriptions = states.flatMap((state) =>
    state.kind === 'subscription' && storedRows.has(state.row) ? [state] : [],
  );
  const whole = subscriptions.filter(({ partialItems }) => !partialItems).map(({ row }) => row.id);
  const items = subscriptions.flatMap((subscription) => subscription.items);
  await run(REPLACE_SUBSCRIPTION_ITEMS, [...rowParameters(REPLACE_SUBSCRIPTION_ITEMS, items), whole]);
}

async function recordRefunds(run: RunStatement, states: readonly ObjectState[]): Promise<void> {
  const entries = states.flatMap((state): readonly LedgerEntry[] => {
    if (state.kind === 'refund') return state.entries;
    if (state.kind !== 'charge' || state.refundedTotal === 0) return [];
    const { row, refundedTotal, currency } = state;
    return [
      {
        entry: `${row.id}:${refundedTotal}`,
        kind: 'reported',
        charge_id: row.id,
        refund_id: null,
        refunded_total: refundedTotal,
        amount: null,
        currency,
      },
    ];
  });
  if (entries.length === 0) return;
  await run(
    RECORD_REFUNDS,
    rowParameters(
      RECORD_REFUNDS,
      entries.map((entry) => ({ ...entry })),
    ),
  );
}

async function insertCustomers(run: RunStatement, states: readonly ObjectState[]): Promise<void> {
  const firstSeen = new Map<string, string>();
  for (const { row } of states) {
    if (row.customer_id === null) continue;
    const seen = String(row.first_seen_at ?? row.created_at);
    const known = firstSeen.get(row.customer_id);
    if (known === undefined || seen < known) firstSeen.set(row.customer_id, seen);
  }
  if (firstSeen.size === 0) return;
  const rows = [...firstSeen].map(([id, first_seen_at]) => ({ id, first_seen_at }));
  await run(INSERT_CUSTOMERS, rowParameters(INSERT_CUSTOMERS, rows));
}
