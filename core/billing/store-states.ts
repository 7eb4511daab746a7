import type { RunStatement } from '../database/transaction';
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
} from './statements';
import { newestById } from './version';

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

export interface StoreOptions {
  /** Objects that need not be sent, because the ledger has them already. @default none */
  readonly ledgered?: LedgeredObjects;
  /** What follows from the states, told the ids of the objects whose stored state changed. @default nothing */
  readonly afterStore?: (changed: ReadonlySet<string>) => Promise<void> | undefined;
}

/**
 * Stores the states that are newer than what is there, a statement per kind of object. Part of a transaction of the
 * caller's: events and reconciliation both end here, so a late page of Stripe's list never overwrites a newer event.
 *
 * @returns ids of the objects whose stored state changed
 */
export async function storeStates(
  run: RunStatement,
  states: readonly ObjectState[],
  { ledgered = new Map(), afterStore }: StoreOptions = {},
): Promise<Set<string>> {
  const byKind = Map.groupBy(states, ({ kind }) => kind);
  const [, stored] = await Promise.all([
    insertCustomers(run, states),
    Promise.all(UPSERTS.map(([kind, statement]) => upsert(run, statement, byKind.get(kind), ledgered))),
    recordRefunds(run, states),
  ]);
  const changed = new Set(stored.flat());
  await Promise.all([replaceItems(run, byKind.get('subscription'), changed), (async () => afterStore?.(changed))()]);
  return changed;
}

async function upsert(
  run: RunStatement,
  statement: RowsStatement,
  states: readonly ObjectState[] | undefined,
  ledgered: LedgeredObjects,
): Promise<string[]> {
  if (states === undefined) return [];
  const rows = newestById(states.map(({ row }) => row)).map((row) => withObject(row, ledgered));
  return (await run(statement, rowParameters(statement, rows))).map(({ id }) => id);
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
  states: readonly ObjectState[] | undefined,
  changed: ReadonlySet<string>,
): Promise<void> {
  if (states === undefined) return;
  const stored = new Set(newestById(states.map(({ row }) => row)).filter(({ id }) => changed.has(id)));
  if (stored.size === 0) return;
  const subscriptions = states.flatMap((state) =>
    state.kind === 'subscription' && stored.has(state.row) ? [state] : [],
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
  const firstSeen = new Map<string, Date>();
  for (const { row } of states) {
    if (row.customer_id === null) continue;
    const seen = (row.first_seen_at ?? row.created_at) as Date;
    const known = firstSeen.get(row.customer_id);
    if (known === undefined || seen < known) firstSeen.set(row.customer_id, seen);
  }
  if (firstSeen.size === 0) return;
  const rows = [...firstSeen].map(([id, first_seen_at]) => ({ id, first_seen_at }));
  await run(INSERT_CUSTOMERS, rowParameters(INSERT_CUSTOMERS, rows));
}
