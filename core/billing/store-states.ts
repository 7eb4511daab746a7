import { runSteps, type RunStatement, type Step } from '../database/transaction';
import type { ObjectKind, ObjectRow, RefundEntryRow } from './columns';
import type { ObjectState, StateOf } from './object-state';
import { refreshRequests } from './refresh-requests';
import { rowParameters } from './row-parameters';
import {
  INSERT_CUSTOMERS,
  LOAD_EVENTS,
  LOCK_ACCOUNTS,
  RECORD_REFUNDS,
  REPLACE_SUBSCRIPTION_ITEMS,
  REQUEST_REFRESHES,
  RESTRICT_ACCOUNTS,
  UPSERTS,
  type RowsStatement,
} from './statements';
import { chooseNewest, newestStates, type NewestState } from './ties';
import { eventIdsOf } from './version';

/** The ledger of the events that the states come from, in whose transaction they are stored. */
export interface Ledger {
  readonly provider: string;
  /** Path from an event to its object; see `Provider`. */
  readonly objectPath: readonly string[];
  /** Id of the event that holds an object, by the object itself: the database copies it from the ledger's row. */
  readonly eventIds: ReadonlyMap<unknown, string>;
  /** The states that an event of the ledger carries. */
  readonly statesOf: (payload: unknown) => readonly ObjectState[];
}

const NO_LEDGER: Ledger = { provider: '', objectPath: [], eventIds: new Map(), statesOf: () => [] };

export interface StoreOptions {
  /** @default none: the states are snapshots, and every object is sent */
  readonly ledger?: Ledger;
  /** Rejects when the states must not be stored after all; nothing that depends on which were stored is sent before it resolves. */
  readonly confirmed?: Promise<unknown>;
  /** @default nothing */
  readonly afterStore?: AfterStore;
  /** Called when the last statement was sent. @default nothing */
  readonly onSent?: () => void;
}

/**
 * Further work in the transaction that stores states. What it sends before it awaits anything runs behind what stores them;
 * what it resolves to is called with the ids of the objects whose stored state changed, and what that sends before it awaits
 * anything runs behind everything that depends on them: the COMMIT is sent with it. It is called twice where the order of
 * events had to be found out.
 *
 * @param states every state of the batch, including those that turn out to be too old to be stored
 */
export type AfterStore = (
  run: RunStatement,
  states: readonly ObjectState[],
) => Promise<(changed: ReadonlySet<string>) => Promise<void>>;

type NewestByKind = Readonly<Partial<Record<ObjectKind, readonly NewestState[]>>>;

/** What the upserts store. */
interface Newest {
  /** The newest state of each object. */
  readonly newest: NewestByKind;
  readonly ledger: Ledger;
}

interface Batch extends Newest {
  readonly states: readonly ObjectState[];
}

interface StoredBatch extends Batch {
  /** Ids of the objects whose stored state changed. */
  readonly changed: ReadonlySet<string>;
}

type StoreStep<Of extends Newest> = Step<Of> & { readonly statement: RowsStatement };

/** In the order in which they are stored. */
const KINDS: readonly ObjectKind[] = [
  'customer',
  'subscription',
  'invoice',
  'purchase',
  'payment_intent',
  'charge',
  'refund',
  'invoice_payment',
  'dispute',
  'early_fraud_warning',
  'transfer',
  'payout',
];

/** Stored after the others, under a lock of each account. */
const ACCOUNT_KINDS: readonly ObjectKind[] = ['account', 'account_restriction'];

/**
 * The statements that store states, in the order in which they are sent; one that has nothing to store is left out.
 *
 * Customers come first, because other tables refer to them. The order is the same for every batch, so that concurrent
 * batches wait for each other instead of deadlocking.
 */
export const STORE_STEPS: readonly StoreStep<Batch>[] = [
  { statement: INSERT_CUSTOMERS, values: firstSeenCustomers },
  ...KINDS.map(upsertStep),
  { statement: LOCK_ACCOUNTS, values: touchedAccounts },
  ...ACCOUNT_KINDS.map(upsertStep),
  { statement: RECORD_REFUNDS, values: refundEntries },
];

/** What depends on which states were stored: sent when those above are answered. */
export const DEPENDENT_STEPS: readonly StoreStep<StoredBatch>[] = [
  { statement: REPLACE_SUBSCRIPTION_ITEMS, values: storedItems },
  { statement: RESTRICT_ACCOUNTS, values: touchedAccounts },
];

/** Only for objects of which the database knew other events of the same second. */
const RESOLVE_STEPS: readonly StoreStep<Newest>[] = [...KINDS, ...ACCOUNT_KINDS].map(upsertStep);

/**
 * Stores the states that are newer than the stored ones, one statement for each kind of object, in the caller's
 * transaction. Events and reconciliation both end here, so a late page of a provider's list never overwrites a newer event.
 *
 * @returns ids of the objects whose stored state changed
 */
export async function storeStates(
  run: RunStatement,
  states: readonly ObjectState[],
  { ledger = NO_LEDGER, confirmed, afterStore, onSent }: StoreOptions = {},
): Promise<Set<string>> {
  const batch: Batch = { states, newest: newestByKind(states), ledger };
  const [answers, untied] = await Promise.all([
    runSteps<Batch, StoredRow>(run, STORE_STEPS, batch),
    afterStore?.(run, states),
    confirmed,
  ]);
  const stored = answers.flat();
  const versions = new Map(stored.map(({ id, version }) => [id, version]));
  const changed = new Set(versions.keys());
  const newest = await resolveTies(run, batch, versions);
  // What was found behind the states is of the rows as they were for the moment.
  const finish = newest === batch.newest ? untied : await afterStore?.(run, states);
  const dependent = Promise.all([
    requestRefreshes(run, { newest, ledger }, changed),
    runSteps(run, DEPENDENT_STEPS, { ...batch, newest, changed }),
    // Called after the steps were sent, so its statements run behind them.
    finish?.(changed),
  ]);
  onSent?.();
  await dependent;
  return changed;
}

interface StoredRow {
  readonly id: string;
  readonly version: string;
}

function newestByKind(states: readonly ObjectState[]): NewestByKind {
  const byKind: Partial<Record<ObjectKind, ObjectState[]>> = {};
  for (const state of states) (byKind[state.kind] ??= []).push(state);
  return mapKinds(byKind, newestStates);
}

function mapKinds<From, To>(
  byKind: Readonly<Partial<Record<ObjectKind, From>>>,
  map: (value: From) => To,
): Partial<Record<ObjectKind, To>> {
  return Object.fromEntries(Object.entries(byKind).map(([kind, value]) => [kind, map(value)]));
}

/**
 * Where the database knew other events of the same second, finds out which came last and stores that. Most batches
 * have no such object, and then nothing is sent.
 *
 * @param versions those that the upserts returned, by the object's id: they name the events of both sides
 * @returns the newest states, with those that were found out
 */
async function resolveTies(
  run: RunStatement,
  { newest, ledger }: Newest,
  versions: ReadonlyMap<string, string>,
): Promise<NewestByKind> {
  const isTied = ({ state: { row } }: NewestState) => (versions.get(row.id) ?? row.version) !== row.version;
  const all = Object.values(newest).flat();
  const tied = all.filter(isTied);
  const elsewhere = tied.flatMap(({ state: { row } }) => {
    const known = new Set(eventIdsOf(row.version));
    return eventIdsOf(versions.get(row.id) ?? '').filter((id) => !known.has(id));
  });
  let resolved = newest;
  if (tied.length > 0) {
    const rows = await run<{ payload: unknown }>(LOAD_EVENTS, [ledger.provider, elsewhere]);
    const loaded = rows.flatMap(({ payload }) => ledger.statesOf(payload));
    const resolve = (known: NewestState): NewestState => {
      if (!isTied(known)) return known;
      const { kind, row } = known.state;
      const others = loaded.filter((other) => other.kind === kind && other.row.id === row.id);
      const chosen = chooseNewest([...known.contenders, ...others]);
      // The ledger no longer has an event that is older than its retention.
      const found = new Set(chosen.contenders.flatMap((contender) => eventIdsOf(contender.row.version)));
      const complete = eventIdsOf(versions.get(row.id) ?? '').every((id) => found.has(id));
      return { ...chosen, decided: chosen.decided && complete };
    };
    resolved = mapKinds(newest, (ofKind) => ofKind.map(resolve));
    const onlyTied = mapKinds(newest, (ofKind) => ofKind.filter(isTied).map(resolve));
    await runSteps(run, RESOLVE_STEPS, { newest: onlyTied, ledger });
  }
  return resolved;
}

/** Most batches have nothing to ask for, and then nothing is sent. Nor is it for snapshots, which are read as a whole. */
async function requestRefreshes(
  run: RunStatement,
  { newest, ledger }: Newest,
  changed: ReadonlySet<string>,
): Promise<void> {
  if (ledger === NO_LEDGER) return;
  const stored = Object.values(newest).flatMap((ofKind) => ofKind.filter(({ state }) => changed.has(state.row.id)));
  const rows = refreshRequests(stored);
  if (rows.length > 0) await run(REQUEST_REFRESHES, [...rowParameters(REQUEST_REFRESHES, rows), ledger.provider]);
}

function upsertStep(kind: ObjectKind): StoreStep<Newest> {
  const statement = UPSERTS[kind];
  return {
    statement,
    values({ newest, ledger }) {
      const rows = newest[kind]?.map(({ state: { row } }) => ({ ...row, ...objectColumns(row, ledger) })) ?? [];
      if (rows.length === 0) return undefined;
      return [...rowParameters(statement, rows), ledger.provider, ledger.objectPath];
    },
  };
}

function objectColumns({ raw }: ObjectRow, { eventIds }: Ledger) {
  const eventId = eventIds.get(raw);
  return eventId === undefined
    ? { raw: JSON.stringify(raw), raw_event_id: null }
    : { raw: null, raw_event_id: eventId };
}

/** Items are replaced together with their subscription: those of the state that was stored, and of no other. */
function storedItems({ newest, changed }: StoredBatch): unknown[] | undefined {
  const stored = (newest.subscription ?? []).flatMap(({ state }) =>
    state.kind === 'subscription' && changed.has(state.row.id) ? [state] : [],
  );
  if (stored.length === 0) return undefined;
  const items = stored.flatMap((subscription) => subscription.items);
  return [
    ...rowParameters(REPLACE_SUBSCRIPTION_ITEMS, items),
    stored.map(({ row }) => row.id),
    stored.map(({ partialItems }) => partialItems),
  ];
}

function touchedAccounts({ states }: Batch): unknown[] | undefined {
  const ids = states.flatMap(({ kind, row }) => {
    if (kind === 'account') return [row.id];
    return kind === 'account_restriction' && row.account_id !== null ? [row.account_id] : [];
  });
  if (ids.length === 0) return undefined;
  return rowParameters(
    LOCK_ACCOUNTS,
    [...new Set(ids)].map((id) => ({ id })),
  );
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
