import { runSteps, type RunStatement, type Step } from '../database/transaction';
import type { ObjectKind, ObjectRow, RefundEntryRow } from './columns';
import type { ObjectState, StateOf } from './object-state';
import { rowParameters } from './row-parameters';
import {
  INSERT_CUSTOMERS,
  RECORD_REFUNDS,
  REPLACE_SUBSCRIPTION_ITEMS,
  UPSERTS,
  type RowsStatement,
} from './statements';
import { newestById } from './version';

/** Objects that ledger rows of the same transaction hold: the database copies them from there. */
export interface LedgeredObjects {
  readonly provider: string;
  /** Path from an event to its object; see `Provider`. */
  readonly objectPath: readonly string[];
  /** Id of the event that holds an object, by the object itself. */
  readonly eventIds: ReadonlyMap<unknown, string>;
}

const NO_LEDGERED_OBJECTS: LedgeredObjects = { provider: '', objectPath: [], eventIds: new Map() };

export interface StoreOptions {
  /** @default none; every object is sent */
  readonly ledgered?: LedgeredObjects;
  /** Runs behind the last step, given the ids of the objects whose stored state changed. @default nothing */
  readonly afterStore?: (changed: ReadonlySet<string>) => Promise<void> | undefined;
}

interface Batch {
  readonly states: readonly ObjectState[];
  readonly ledgered: LedgeredObjects;
}

interface StoredBatch extends Batch {
  /** Ids of the objects whose stored state changed. */
  readonly changed: ReadonlySet<string>;
}

type StoreStep<Of extends Batch> = Step<Of> & { readonly statement: RowsStatement };

/**
 * The statements that store states, in the order in which they are sent; one that has nothing to store is left out.
 *
 * Customers come first, because other tables refer to them. The order is the same for every batch, so that concurrent
 * batches wait for each other instead of deadlocking.
 */
export const STORE_STEPS: readonly StoreStep<Batch>[] = [
  { statement: INSERT_CUSTOMERS, values: firstSeenCustomers },
  upsertStep('customer'),
  upsertStep('subscription'),
  upsertStep('invoice'),
  upsertStep('purchase'),
  upsertStep('payment_intent'),
  upsertStep('charge'),
  upsertStep('refund'),
  upsertStep('invoice_payment'),
  upsertStep('dispute'),
  upsertStep('early_fraud_warning'),
  upsertStep('account'),
  { statement: RECORD_REFUNDS, values: refundEntries },
];

/** What depends on which states were stored: sent when those above are answered. */
export const DEPENDENT_STEPS: readonly StoreStep<StoredBatch>[] = [
  { statement: REPLACE_SUBSCRIPTION_ITEMS, values: storedItems },
];

/**
 * Stores the states that are newer than the stored ones, one statement for each kind of object, in the caller's
 * transaction. Events and reconciliation both end here, so a late page of a provider's list never overwrites a newer event.
 *
 * @returns ids of the objects whose stored state changed
 */
export async function storeStates(
  run: RunStatement,
  states: readonly ObjectState[],
  { ledgered = NO_LEDGERED_OBJECTS, afterStore }: StoreOptions = {},
): Promise<Set<string>> {
  const batch = { states, ledgered };
  const stored = await runSteps(run, STORE_STEPS, batch);
  const changed = new Set(stored.flat().map(({ id }) => id));
  await Promise.all([
    runSteps(run, DEPENDENT_STEPS, { ...batch, changed }),
    // Called after the steps were sent, so its statements run behind them.
    (async () => afterStore?.(changed))(),
  ]);
  return changed;
}

function upsertStep(kind: ObjectKind): StoreStep<Batch> {
  const statement = UPSERTS[kind];
  return {
    statement,
    values({ states, ledgered }) {
      const rows = newestById(ofKind(states, kind).map(({ row }) => row));
      if (rows.length === 0) return undefined;
      const withObjects = rows.map((row) => ({ ...row, ...objectColumns(row, ledgered) }));
      return [...rowParameters(statement, withObjects), ledgered.provider, ledgered.objectPath];
    },
  };
}

function objectColumns({ raw }: ObjectRow, { eventIds }: LedgeredObjects) {
  const eventId = eventIds.get(raw);
  return eventId === undefined
    ? { raw: JSON.stringify(raw), raw_event_id: null }
    : { raw: null, raw_event_id: eventId };
}

/** Items are replaced together with their subscription: those of the state that was stored, and of no other. */
function storedItems({ states, changed }: StoredBatch): unknown[] | undefined {
  const subscriptions = ofKind(states, 'subscription');
  const storedRows = new Set(newestById(subscriptions.map(({ row }) => row)).filter(({ id }) => changed.has(id)));
  if (storedRows.size === 0) return undefined;
  const stored = subscriptions.filter(({ row }) => storedRows.has(row));
  const items = stored.flatMap((subscription) => subscription.items);
  const whole = stored.filter(({ partialItems }) => !partialItems).map(({ row }) => row.id);
  return [...rowParameters(REPLACE_SUBSCRIPTION_ITEMS, items), whole];
}

function refundEntries({ states }: Batch): unknown[] | undefined {
  const entries = states.flatMap((state): readonly RefundEntryRow[] => {
    if (state.kind === 'refund') return state.entries;
    return state.kind === 'charge' && state.refundedTotal > 0 ? [reportedTotal(state)] : [];
  });
  return entries.length === 0 ? undefined : rowParameters(RECORD_REFUNDS, entries);
}

function reportedTotal({ row, refundedTotal, currency }: StateOf<'charge'>): RefundEntryRow {
  return {
    entry: `${row.id}:${refundedTotal}`,
    kind: 'reported',
    charge_id: row.id,
    refund_id: null,
    refunded_total: refundedTotal,
    amount: null,
    currency,
  };
}

function firstSeenCustomers({ states }: Batch): unknown[] | undefined {
  const firstSeen = new Map<string, Date>();
  for (const state of states) {
    const { id, seenAt } = customerOf(state);
    if (id === null || seenAt === null) continue;
    const known = firstSeen.get(id);
    if (known === undefined || seenAt < known) firstSeen.set(id, seenAt);
  }
  if (firstSeen.size === 0) return undefined;
  const rows = [...firstSeen].map(([id, first_seen_at]) => ({ id, first_seen_at }));
  return rowParameters(INSERT_CUSTOMERS, rows);
}

/** The customer that an object is or belongs to, and since when the customer is known by it. */
function customerOf({ kind, row }: ObjectState): { readonly id: string | null; readonly seenAt: Date | null } {
  if (kind === 'customer') return { id: row.id, seenAt: row.first_seen_at };
  return 'customer_id' in row ? { id: row.customer_id, seenAt: row.created_at } : { id: null, seenAt: null };
}

function ofKind<Kind extends ObjectKind>(states: readonly ObjectState[], kind: Kind): StateOf<Kind>[] {
  return states.filter((state): state is StateOf<Kind> => state.kind === kind);
}
