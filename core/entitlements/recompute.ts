import type { ObjectState } from '../billing/object-state';
import type { AfterStore } from '../billing/store-states';
import { runSteps, type RunStatement, type Statement, type Step } from '../database/transaction';
import {
  FIND_BILLED,
  FIND_OWNED,
  FIND_PAID,
  LINK_DISPUTES,
  LOCK_RULES,
  LOCK_SOURCES,
  LOCK_TURNS,
  REPLACE_ENTITLEMENTS,
  REPLACE_SUBSCRIPTION_ENTITLEMENTS,
} from './statements';

/** A user's entitlements in one project changed; `version` is the new one. */
export interface EntitlementChange {
  readonly userId: string;
  readonly projectId: string;
  readonly version: number;
}

/** What entitlements are computed again for. Ids that touch nothing have no effect. */
export interface ChangedObjects {
  /** Subscriptions and purchases, where it is not known which. @default none */
  readonly sources?: Iterable<string>;
  /** Subscriptions. @default none */
  readonly subscriptions?: Iterable<string>;
  /** Purchases, charges, refunds, disputes and invoice payments. @default none */
  readonly payments?: Iterable<string>;
  /** Disputes, invoice payments and paid invoices. @default none */
  readonly disputable?: Iterable<string>;
  /** Subscriptions of changed invoices: computed again where what was paid decides. @default none */
  readonly billed?: Iterable<string>;
  /** Customers: whose their purchases are may have changed. @default none */
  readonly customers?: Iterable<string>;
  /** Subscriptions and customers that the changed objects are or belong to; see {@link LOCK_SOURCES}. @default none */
  readonly turns?: Iterable<string>;
}

type Changed = Readonly<Record<keyof ChangedObjects, readonly string[]>>;

/** A step that is left out when nothing that it looks at has changed. */
const stepFor = (statement: Statement, ...changed: readonly (keyof ChangedObjects)[]): Step<Changed> => ({
  statement,
  values: (all) => (changed.every((what) => all[what].length === 0) ? undefined : changed.map((what) => all[what])),
});

/**
 * Objects above which everything is locked by one lock. A lock for each takes a place in memory that the whole server shares: with
 * some thousands more, none is left, and other sessions fail as well. With less, few objects make all others wait.
 */
const MOST_LOCKS = 1_000;

const areMany = ({ payments, turns }: Changed): boolean => payments.length + turns.length > MOST_LOCKS;

const LOCK_STEPS: readonly Step<Changed>[] = [
  { statement: LOCK_RULES, values: (all) => (areMany(all) ? [] : undefined) },
  {
    statement: LOCK_SOURCES,
    values: (all) => (all.payments.length > 0 && !areMany(all) ? [all.turns, all.payments] : undefined),
  },
  { statement: LOCK_TURNS, values: (all) => (all.payments.length > 0 || areMany(all) ? undefined : [all.turns]) },
  stepFor(LINK_DISPUTES, 'disputable'),
];
/** What certainly has to be computed again, and what else may have to: usually nothing. */
const REPLACE_STEPS = [
  stepFor(REPLACE_SUBSCRIPTION_ENTITLEMENTS, 'subscriptions'),
  stepFor(REPLACE_ENTITLEMENTS, 'sources'),
];
const FIND_STEPS = [stepFor(FIND_BILLED, 'billed'), stepFor(FIND_PAID, 'payments'), stepFor(FIND_OWNED, 'customers')];

/**
 * Brings entitlements in line with the stored state, for the sources that the changed objects touch, in a few statements
 * whatever their number. Runs in the transaction that stored the objects, behind it: the result depends on the stored
 * state, never on the order in which events came.
 *
 * @returns the users whose entitlements changed; invalidate their caches after the commit
 */
export async function recomputeEntitlements(run: RunStatement, objects: ChangedObjects): Promise<EntitlementChange[]> {
  const touched = distinct(objects);
  const found = await findTouched(run, touched);
  return replaceEntitlements(run, { ...touched, sources: [...touched.sources, ...found] });
}

/**
 * Makes other transactions wait that touch the same sources, and finds what else is to be computed again.
 *
 * @returns ids of subscriptions and purchases; usually none
 */
async function findTouched(run: RunStatement, objects: ChangedObjects): Promise<string[]> {
  const touched = distinct(objects);
  if (Object.values(touched).every((ids) => ids.length === 0)) return [];
  const [, found] = await Promise.all([runSteps(run, LOCK_STEPS, touched), runSteps(run, FIND_STEPS, touched)]);
  return found.flat().map(({ id }) => id);
}

/** Computes sources again behind {@link findTouched}, whose result is among them. */
async function replaceEntitlements(
  run: RunStatement,
  { subscriptions, sources }: Pick<ChangedObjects, 'subscriptions' | 'sources'>,
): Promise<EntitlementChange[]> {
  const certain = new Set(subscriptions);
  const others = [...(sources ?? [])].filter((id) => !certain.has(id));
  const changes = await runSteps<Changed, ChangedRow>(run, REPLACE_STEPS, distinct({ subscriptions, sources: others }));
  return changes.flat().map((row) => ({
    userId: row.user_id,
    projectId: row.project_id,
    version: Number(row.version),
  }));
}

function distinct(objects: ChangedObjects): Changed {
  const ids = (what: keyof ChangedObjects) => [...new Set(objects[what])].toSorted();
  return {
    sources: ids('sources'),
    subscriptions: ids('subscriptions'),
    payments: ids('payments'),
    disputable: ids('disputable'),
    billed: ids('billed'),
    customers: ids('customers'),
    turns: ids('turns'),
  };
}

interface ChangedRow {
  readonly user_id: string;
  readonly project_id: string;
  /** A bigint, which the driver returns as text. */
  readonly version: string;
}

export interface EntitlementUpdates {
  /** Runs in the transaction that stores the states. */
  readonly afterStore: AfterStore;
  /**
   * All changes, when the transactions are committed. Those of a transaction of which the connection was lost before the answer
   * are missing: if it was committed all the same, a cached entry lives on for its time.
   */
  readonly changes: () => EntitlementChange[];
}

/**
 * Recomputes entitlements in the transactions of one call and collects the changes, so that caches are invalidated after
 * the commit. Changes of a transaction that was rolled back may be among them: invalidating those costs a cache miss.
 */
export function gatherEntitlementUpdates(): EntitlementUpdates {
  const newest = new Map<string, EntitlementChange>();
  return {
    async afterStore(run, states) {
      const found = await findTouched(run, touchedBy(states));
      return async (changedIds) => {
        const { subscriptions, sources } = touchedBy(states, changedIds);
        for (const change of await replaceEntitlements(run, { subscriptions, sources: [...sources, ...found] })) {
          const key = JSON.stringify([change.userId, change.projectId]);
          if (change.version > (newest.get(key)?.version ?? 0)) newest.set(key, change);
        }
      };
    },
    changes: () => [...newest.values()],
  };
}

/** What the states of a batch touch. @param changedIds objects whose stored state changed; @default all that may have */
function touchedBy(states: readonly ObjectState[], changedIds?: ReadonlySet<string>) {
  const touched = {
    sources: [] as string[],
    subscriptions: [] as string[],
    payments: [] as string[],
    disputable: [] as string[],
    billed: [] as string[],
    customers: [] as string[],
    turns: [] as string[],
  };
  for (const { kind, row } of states) {
    // A late event stores nothing, but the ledger now knows more of the subscription or invoice; see billing.items_seen_paid().
    if (changedIds?.has(row.id) === false && kind !== 'subscription' && kind !== 'invoice') continue;
    switch (kind) {
      case 'subscription':
        touched.subscriptions.push(row.id);
        touched.turns.push(row.id, ...(row.user_id === null && row.customer_id !== null ? [row.customer_id] : []));
        break;
      case 'purchase':
        touched.sources.push(row.id, ...idOf(row.subscription_id));
        touched.payments.push(row.id);
        touched.turns.push(...idOf(row.subscription_id), ...(row.user_id === null ? idOf(row.customer_id) : []));
        break;
      case 'invoice':
        touched.billed.push(...idOf(row.subscription_id));
        touched.turns.push(...idOf(row.subscription_id));
        if (row.status === 'paid') touched.disputable.push(row.id);
        break;
      case 'customer':
        touched.customers.push(row.id);
        touched.turns.push(row.id);
        break;
      case 'dispute':
      case 'invoice_payment':
        touched.disputable.push(row.id);
        touched.payments.push(row.id);
        break;
      case 'charge':
      case 'refund':
        touched.payments.push(row.id);
        break;
      default:
    }
  }
  return touched;
}

function idOf(id: string | null): string[] {
  return id === null ? [] : [id];
}
