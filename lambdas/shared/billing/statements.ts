/**
 * The statements that apply a batch of events, each for the whole batch at once. Every one takes one parameter: a JSON
 * array of rows. Rows come sorted by id, so that concurrent batches lock in the same order.
 *
 * They run unnamed: RDS Proxy pins a connection that prepares a statement.
 */
export interface Statement {
  readonly name: string;
  readonly text: string;
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

/** Stores each row that is newer than what is there; returns the ids of those that were. */
function guardedUpsert(name: string, table: string, columns: Readonly<Record<string, string>>): Statement {
  const typed = { id: 'text', ...columns, version: 'text', raw: 'jsonb' };
  const names = Object.keys(typed);
  const definitions = Object.entries(typed).map(([column, type]) => `${column} ${type}`);
  const assignments = names.filter((column) => column !== 'id').map((column) => `${column} = excluded.${column}`);
  return {
    name,
    text: `
INSERT INTO ${table} AS stored (${names.join(', ')})
SELECT ${names.join(', ')}
FROM json_to_recordset($1::json) AS incoming (${definitions.join(', ')})
ORDER BY id
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

/**
 * Claims events: inserts those never seen and takes over those that failed before; returns what was claimed. An event
 * that is being applied by another transaction makes this one wait, and is then found processed.
 */
export const CLAIM_EVENTS: Statement = {
  name: 'claim_events',
  text: `
INSERT INTO billing.webhook_events AS stored
  (id, type, api_version, livemode, source, status, attempts, error, occurred_at, received_at, processed_at, payload)
SELECT id, type, api_version, livemode, source, status, 1, error, occurred_at, received_at,
       CASE WHEN status = 'processed' THEN now() END, payload
FROM json_to_recordset($1::json) AS incoming (id text, type text, api_version text, livemode boolean, source text,
  status text, error text, occurred_at timestamptz, received_at timestamptz, payload jsonb)
ORDER BY id
ON CONFLICT (id) DO UPDATE
SET status = excluded.status, error = excluded.error, attempts = stored.attempts + 1,
    processed_at = excluded.processed_at
WHERE stored.status <> 'processed'
RETURNING id`,
};

/** Customers are known by id as soon as anything of theirs arrives, in whatever order. */
export const INSERT_CUSTOMERS: Statement = {
  name: 'insert_customers',
  text: `
INSERT INTO billing.customers AS stored (id, first_seen_at)
SELECT id, first_seen_at FROM json_to_recordset($1::json) AS incoming (id text, first_seen_at timestamptz)
ORDER BY id
ON CONFLICT (id) DO UPDATE SET first_seen_at = excluded.first_seen_at
WHERE excluded.first_seen_at < stored.first_seen_at`,
};

/**
 * Stores what is known of customers themselves. Their rows are there, because INSERT_CUSTOMERS ran before; it is an upsert
 * all the same, which finds each row by its key, where an update would read the whole table to join it.
 */
export const UPSERT_CUSTOMERS: Statement = {
  name: 'upsert_customers',
  text: `
INSERT INTO billing.customers AS stored (id, first_seen_at, app_id, project_id, user_id, email, name, currency, delinquent,
  deleted, created_at, version, raw)
SELECT id, first_seen_at, app_id, project_id, user_id, email, name, currency, delinquent, deleted, created_at, version, raw
FROM json_to_recordset($1::json) AS incoming (id text, first_seen_at timestamptz, app_id text, project_id text,
  user_id text, email text, name text, currency text, delinquent boolean, deleted boolean, created_at timestamptz,
  version text, raw jsonb)
ORDER BY id
ON CONFLICT (id) DO UPDATE
SET app_id = excluded.app_id, project_id = excluded.project_id, user_id = excluded.user_id, email = excluded.email,
    name = excluded.name, currency = excluded.currency, delinquent = excluded.delinquent, deleted = excluded.deleted,
    created_at = excluded.created_at, version = excluded.version, raw = excluded.raw
WHERE excluded.version > stored.version
RETURNING id`,
};

/**
 * Replaces the items of the given subscriptions. Runs after the upsert that locked those subscriptions, as a statement
 * of its own: only then does it see the items that a concurrent batch committed a moment ago.
 *
 * $1: items, $2: ids of the subscriptions whose state was stored.
 */
export const REPLACE_SUBSCRIPTION_ITEMS: Statement = {
  name: 'replace_subscription_items',
  text: `
WITH incoming AS (
  SELECT * FROM json_to_recordset($1::json) AS item (id text, subscription_id text, price_id text, product_id text,
    quantity bigint, unit_amount bigint, currency text, recurring_interval text, current_period_start timestamptz,
    current_period_end timestamptz)
), removed AS (
  DELETE FROM billing.subscription_items AS stored
  WHERE stored.subscription_id = ANY ($2::text[]) AND NOT EXISTS (SELECT FROM incoming WHERE incoming.id = stored.id)
)
INSERT INTO billing.subscription_items (id, subscription_id, price_id, product_id, quantity, unit_amount, currency,
  recurring_interval, current_period_start, current_period_end)
SELECT id, subscription_id, price_id, product_id, quantity, unit_amount, currency, recurring_interval,
  current_period_start, current_period_end
FROM incoming ORDER BY id
ON CONFLICT (id) DO UPDATE SET subscription_id = excluded.subscription_id, price_id = excluded.price_id,
  product_id = excluded.product_id, quantity = excluded.quantity, unit_amount = excluded.unit_amount,
  currency = excluded.currency, recurring_interval = excluded.recurring_interval,
  current_period_start = excluded.current_period_start, current_period_end = excluded.current_period_end`,
};

/** Adds the facts that were not known; one that is there already says the same. */
export const RECORD_REFUNDS: Statement = {
  name: 'record_refunds',
  text: `
INSERT INTO billing.refund_ledger (entry, kind, charge_id, refund_id, refunded_total, amount, currency)
SELECT entry, kind, charge_id, refund_id, refunded_total, amount, currency
FROM json_to_recordset($1::json) AS incoming (entry text, kind text, charge_id text, refund_id text,
  refunded_total bigint, amount bigint, currency text)
ORDER BY entry
ON CONFLICT (entry) DO NOTHING`,
};

/** Every statement that the processor runs for a batch, for those who explain or count them. */
export const BATCH_STATEMENTS: readonly Statement[] = [
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
