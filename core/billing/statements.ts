import type { ArrayElementType } from '../database/array-parameter';
import type { Statement } from '../database/transaction';

/** Types of the columns in the statements below: what an array may hold, or what a text of it is cast to. */
type ColumnType = ArrayElementType | 'integer' | 'text[]';
export type Columns = Readonly<Record<string, ColumnType>>;

/**
 * A statement for a whole batch at once. It takes one array for each of its columns, in their order; see
 * row-parameters.ts. Rows come sorted by id, and are stored in that order, so that concurrent batches lock in the same order.
 */
export interface RowsStatement extends Statement {
  readonly columns: Columns;
}

/** The rows of a statement's first parameters, as a table `incoming`. */
function incoming(columns: Columns): string {
  const arrays = Object.values(columns).map((type, index) => `$${index + 1}::${sentAs(type)}[]`);
  return `unnest(${arrays.join(', ')}) AS incoming (${Object.keys(columns).join(', ')})`;
}

/** Columns of `incoming` in their own types. */
function selected(columns: Columns, names = Object.keys(columns)): string {
  return names.map((name) => (sentAs(columns[name]) === columns[name] ? name : `${name}::${columns[name]}`)).join(', ');
}

/** What an array of the type is sent as. PostgreSQL casts: it is the one to say that a value does not fit. */
export function sentAs(type: ColumnType = 'text'): ArrayElementType {
  if (type === 'integer') return 'bigint';
  return type === 'text[]' ? 'text' : type;
}

const OWNER_COLUMNS = { app_id: 'text', project_id: 'text', user_id: 'text' } as const;

/** Columns of a table, besides `id`, `version` and `raw`, with their types; drives the guarded upserts below. */
const SUBSCRIPTION_COLUMNS = {
  customer_id: 'text',
  ...OWNER_COLUMNS,
  status: 'text',
  currency: 'text',
  current_period_start: 'timestamptz',
  current_period_end: 'timestamptz',
  cancel_at_period_end: 'boolean',
  cancel_at: 'timestamptz',
  canceled_at: 'timestamptz',
  ended_at: 'timestamptz',
  trial_end: 'timestamptz',
  created_at: 'timestamptz',
} as const;

const INVOICE_COLUMNS = {
  customer_id: 'text',
  ...OWNER_COLUMNS,
  payment_intent_id: 'text',
  subscription_id: 'text',
  status: 'text',
  currency: 'text',
  total: 'bigint',
  amount_due: 'bigint',
  amount_paid: 'bigint',
  amount_remaining: 'bigint',
  attempt_count: 'integer',
  period_start: 'timestamptz',
  period_end: 'timestamptz',
  paid_at: 'timestamptz',
  created_at: 'timestamptz',
} as const;

const PURCHASE_COLUMNS = {
  customer_id: 'text',
  ...OWNER_COLUMNS,
  kind: 'text',
  item_id: 'text',
  mode: 'text',
  status: 'text',
  payment_status: 'text',
  payment_intent_id: 'text',
  subscription_id: 'text',
  amount_total: 'bigint',
  currency: 'text',
  created_at: 'timestamptz',
} as const;

const CHARGE_COLUMNS = {
  customer_id: 'text',
  ...OWNER_COLUMNS,
  payment_intent_id: 'text',
  status: 'text',
  amount: 'bigint',
  amount_refunded: 'bigint',
  currency: 'text',
  created_at: 'timestamptz',
} as const;

const PAYMENT_INTENT_COLUMNS = {
  customer_id: 'text',
  ...OWNER_COLUMNS,
  status: 'text',
  amount: 'bigint',
  amount_received: 'bigint',
  currency: 'text',
  latest_charge_id: 'text',
  invoice_id: 'text',
  failure_code: 'text',
  failure_message: 'text',
  created_at: 'timestamptz',
} as const;

const REFUND_COLUMNS = {
  charge_id: 'text',
  payment_intent_id: 'text',
  status: 'text',
  amount: 'bigint',
  currency: 'text',
  reason: 'text',
  failure_reason: 'text',
  created_at: 'timestamptz',
} as const;

const CONNECT_ACCOUNT_COLUMNS = {
  ...OWNER_COLUMNS,
  charges_enabled: 'boolean',
  payouts_enabled: 'boolean',
  details_submitted: 'boolean',
  restricted: 'boolean',
  disabled_reason: 'text',
  requirements_due: 'text[]',
  created_at: 'timestamptz',
} as const;

/**
 * The object itself, as Stripe sent it. When the ledger has it from a moment ago, `raw` is null and `raw_event_id` says in
 * which event: it is most of a row, and neither sent nor parsed again.
 */
const RAW_COLUMNS = { raw_event_id: 'text', raw: 'jsonb' } as const;
const RAW = `coalesce(raw, (SELECT event.payload #> '{data,object}' FROM billing.webhook_events AS event
                WHERE event.id = raw_event_id))`;

/**
 * Stores each row that is newer than what is there; returns the ids of those that were.
 *
 * @param unchanging columns that are only written with a new row
 */
function guardedUpsert(
  name: string,
  table: string,
  ownColumns: Columns,
  unchanging: readonly string[] = [],
): RowsStatement {
  const stored = { id: 'text', ...ownColumns, version: 'text' } as const;
  const columns = { ...stored, ...RAW_COLUMNS };
  const names = [...Object.keys(stored), 'raw'];
  const assignments = names
    .filter((column) => column !== 'id' && !unchanging.includes(column))
    .map((column) => `${column} = excluded.${column}`);
  return {
    name,
    columns,
    text: `
INSERT INTO ${table} AS stored (${names.join(', ')})
SELECT ${selected(stored)}, ${RAW}
FROM ${incoming(columns)}
ON CONFLICT (id) DO UPDATE SET ${assignments.join(', ')}
WHERE excluded.version > stored.version
RETURNING id`,
  };
}

export const UPSERT_SUBSCRIPTIONS = guardedUpsert(
  'upsert_subscriptions',
  'billing.subscriptions',
  SUBSCRIPTION_COLUMNS,
);
export const UPSERT_INVOICES = guardedUpsert('upsert_invoices', 'billing.invoices', INVOICE_COLUMNS);
export const UPSERT_PURCHASES = guardedUpsert('upsert_purchases', 'billing.purchases', PURCHASE_COLUMNS);
export const UPSERT_CHARGES = guardedUpsert('upsert_charges', 'billing.charges', CHARGE_COLUMNS);
export const UPSERT_PAYMENT_INTENTS = guardedUpsert(
  'upsert_payment_intents',
  'billing.payment_intents',
  PAYMENT_INTENT_COLUMNS,
);
export const UPSERT_REFUNDS = guardedUpsert('upsert_refunds', 'billing.refunds', REFUND_COLUMNS);
export const UPSERT_CONNECT_ACCOUNTS = guardedUpsert(
  'upsert_connect_accounts',
  'billing.connect_accounts',
  CONNECT_ACCOUNT_COLUMNS,
);

const EVENT_COLUMNS = {
  id: 'text',
  type: 'text',
  api_version: 'text',
  livemode: 'boolean',
  source: 'text',
  error: 'text',
  occurred_at: 'timestamptz',
  received_at: 'timestamptz',
  payload: 'jsonb',
} as const;

/**
 * Claims events: inserts those never seen and takes over those that failed before; returns what was claimed. An event
 * that is being applied by another transaction makes this one wait, and is then found processed. Rows are written once, with
 * their final status, because they commit together with their effect.
 */
export const CLAIM_EVENTS: RowsStatement = {
  name: 'claim_events',
  columns: EVENT_COLUMNS,
  text: `
INSERT INTO billing.webhook_events AS stored (${Object.keys(EVENT_COLUMNS).join(', ')}, status, attempts, processed_at)
SELECT ${selected(EVENT_COLUMNS)},
  CASE WHEN error IS NULL THEN 'processed' ELSE 'failed' END, 1, CASE WHEN error IS NULL THEN now() END
FROM ${incoming(EVENT_COLUMNS)}
ON CONFLICT (id) DO UPDATE
SET status = excluded.status, error = excluded.error, attempts = stored.attempts + 1,
    processed_at = excluded.processed_at, payload = excluded.payload
WHERE stored.status <> 'processed'
RETURNING id`,
};

const SEEN_CUSTOMER_COLUMNS = { id: 'text', first_seen_at: 'timestamptz' } as const;

/**
 * Customers are known by id as soon as anything of theirs arrives, in whatever order. Those that are known already, as
 * almost all are, are left out beforehand: an upsert would lock and write to their rows to change nothing.
 */
export const INSERT_CUSTOMERS: RowsStatement = {
  name: 'insert_customers',
  columns: SEEN_CUSTOMER_COLUMNS,
  text: `
INSERT INTO billing.customers AS stored (id, first_seen_at)
SELECT id, first_seen_at FROM ${incoming(SEEN_CUSTOMER_COLUMNS)}
WHERE NOT coalesce((SELECT known.first_seen_at <= incoming.first_seen_at FROM billing.customers AS known
                    WHERE known.id = incoming.id), false)
ON CONFLICT (id) DO UPDATE SET first_seen_at = excluded.first_seen_at
WHERE excluded.first_seen_at < stored.first_seen_at`,
};

const CUSTOMER_COLUMNS = {
  first_seen_at: 'timestamptz',
  ...OWNER_COLUMNS,
  email: 'text',
  name: 'text',
  currency: 'text',
  delinquent: 'boolean',
  deleted: 'boolean',
  created_at: 'timestamptz',
} as const;

/**
 * Stores what is known of customers themselves. Their rows are there, because INSERT_CUSTOMERS ran before; it is an upsert
 * all the same, which finds each row by its key, where an update would read the whole table to join it.
 */
export const UPSERT_CUSTOMERS = guardedUpsert('upsert_customers', 'billing.customers', CUSTOMER_COLUMNS, [
  'first_seen_at',
]);

const ITEM_COLUMNS = {
  id: 'text',
  subscription_id: 'text',
  price_id: 'text',
  product_id: 'text',
  quantity: 'bigint',
  unit_amount: 'bigint',
  currency: 'text',
  recurring_interval: 'text',
  current_period_start: 'timestamptz',
  current_period_end: 'timestamptz',
} as const;
const ITEM_NAMES = Object.keys(ITEM_COLUMNS);
const itemOf = (table: string) => `(${ITEM_NAMES.map((column) => `${table}.${column}`).join(', ')})`;

/**
 * Replaces the items of the given subscriptions; items that stay as they are, as most do, are not written. Runs after the
 * upsert that locked those subscriptions, as a statement of its own: only then does it see the items that a concurrent
 * batch committed a moment ago.
 *
 * After the items: ids of the subscriptions that were stored and whose list of items is whole; of others nothing is
 * removed. Their items are looked up one subscription at a time: a plan that was made while the table was empty, and is kept
 * with the connection, would otherwise read the whole table for every batch as it fills.
 */
export const REPLACE_SUBSCRIPTION_ITEMS: RowsStatement = {
  name: 'replace_subscription_items',
  columns: ITEM_COLUMNS,
  text: `
WITH incoming AS MATERIALIZED (
  SELECT ${selected(ITEM_COLUMNS)} FROM ${incoming(ITEM_COLUMNS)}
), superseded AS MATERIALIZED (
  SELECT stored.id, whole.subscription_id FROM unnest($${ITEM_NAMES.length + 1}::text[]) AS whole (subscription_id)
  CROSS JOIN LATERAL (SELECT item.id FROM billing.subscription_items AS item
                      WHERE item.subscription_id = whole.subscription_id OFFSET 0) AS stored
  WHERE NOT EXISTS (SELECT FROM incoming WHERE incoming.id = stored.id)
), removed AS (
  -- The subscription again: a concurrent batch may have moved the item to another meanwhile.
  DELETE FROM billing.subscription_items AS stored USING superseded
  WHERE stored.id = superseded.id AND stored.subscription_id = superseded.subscription_id
)
INSERT INTO billing.subscription_items (${ITEM_NAMES.join(', ')})
SELECT ${ITEM_NAMES.join(', ')} FROM incoming
WHERE NOT coalesce((SELECT ${itemOf('stored')} IS NOT DISTINCT FROM ${itemOf('incoming')}
                    FROM billing.subscription_items AS stored WHERE stored.id = incoming.id), false)
ON CONFLICT (id) DO UPDATE SET
  ${ITEM_NAMES.slice(1)
    .map((column) => `${column} = excluded.${column}`)
    .join(', ')}`,
};

const REFUND_ENTRY_COLUMNS = {
  entry: 'text',
  kind: 'text',
  charge_id: 'text',
  refund_id: 'text',
  refunded_total: 'bigint',
  amount: 'bigint',
  currency: 'text',
} as const;

/** Adds the facts that were not known; one that is there already says the same. */
export const RECORD_REFUNDS: RowsStatement = {
  name: 'record_refunds',
  columns: REFUND_ENTRY_COLUMNS,
  text: `
INSERT INTO billing.refund_ledger (${Object.keys(REFUND_ENTRY_COLUMNS).join(', ')})
SELECT ${selected(REFUND_ENTRY_COLUMNS)} FROM ${incoming(REFUND_ENTRY_COLUMNS)}
ON CONFLICT (entry) DO NOTHING`,
};

/** Every statement that the processor runs for a batch, for those who explain or count them. */
export const BATCH_STATEMENTS: readonly RowsStatement[] = [
  CLAIM_EVENTS,
  INSERT_CUSTOMERS,
  UPSERT_CUSTOMERS,
  UPSERT_SUBSCRIPTIONS,
  REPLACE_SUBSCRIPTION_ITEMS,
  UPSERT_INVOICES,
  UPSERT_PURCHASES,
  UPSERT_PAYMENT_INTENTS,
  UPSERT_CHARGES,
  UPSERT_REFUNDS,
  RECORD_REFUNDS,
  UPSERT_CONNECT_ACCOUNTS,
];
