import type { ArrayElements } from '../database/array-parameter';

/** Types of the columns below, and the JavaScript values that stand for them; `null` stands for NULL in all of them. */
export interface ColumnValues extends ArrayElements {
  /** A safe integer; PostgreSQL rejects one that does not fit. */
  readonly integer: number;
  readonly 'text[]': readonly string[];
}
export type ColumnType = keyof ColumnValues;

/** Columns that a statement takes, in their order, with their types. The first one is the key. */
export type Columns = Readonly<Record<string, ColumnType>>;

/** A row with exactly these columns: one left out or misspelt does not compile. */
export type RowOf<Table extends Columns> = { readonly [Name in keyof Table]: ColumnValues[Table[Name]] | null };

const OWNER_COLUMNS = { app_id: 'text', project_id: 'text', user_id: 'text' } as const;

/** Owner columns that hold a default: what another object names counts more. Null for none. */
const DEFAULTED_COLUMN = { defaulted: 'text[]' } as const;

/** Columns of the table of each kind of object, besides `id`, `version` and `raw`. Money is in the currency's smallest unit. */
export const OBJECT_COLUMNS = {
  customer: {
    first_seen_at: 'timestamptz',
    ...OWNER_COLUMNS,
    ...DEFAULTED_COLUMN,
    email: 'text',
    name: 'text',
    currency: 'text',
    delinquent: 'boolean',
    deleted: 'boolean',
    created_at: 'timestamptz',
  },
  subscription: {
    customer_id: 'text',
    ...OWNER_COLUMNS,
    ...DEFAULTED_COLUMN,
    status: 'text',
    collection_method: 'text',
    days_until_due: 'integer',
    pause_behavior: 'text',
    pause_resumes_at: 'timestamptz',
    currency: 'text',
    current_period_start: 'timestamptz',
    current_period_end: 'timestamptz',
    cancel_at_period_end: 'boolean',
    cancel_at: 'timestamptz',
    canceled_at: 'timestamptz',
    ended_at: 'timestamptz',
    trial_end: 'timestamptz',
    created_at: 'timestamptz',
  },
  invoice: {
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
  },
  purchase: {
    customer_id: 'text',
    ...OWNER_COLUMNS,
    ...DEFAULTED_COLUMN,
    client_reference_id: 'text',
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
  },
  payment_intent: {
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
  },
  charge: {
    customer_id: 'text',
    ...OWNER_COLUMNS,
    payment_intent_id: 'text',
    status: 'text',
    amount: 'bigint',
    amount_captured: 'bigint',
    amount_refunded: 'bigint',
    currency: 'text',
    created_at: 'timestamptz',
  },
  refund: {
    charge_id: 'text',
    payment_intent_id: 'text',
    status: 'text',
    amount: 'bigint',
    currency: 'text',
    reason: 'text',
    failure_reason: 'text',
    created_at: 'timestamptz',
  },
  invoice_payment: {
    invoice_id: 'text',
    payment_intent_id: 'text',
    status: 'text',
    amount_paid: 'bigint',
    currency: 'text',
    created_at: 'timestamptz',
  },
  dispute: {
    charge_id: 'text',
    payment_intent_id: 'text',
    status: 'text',
    amount: 'bigint',
    currency: 'text',
    reason: 'text',
    evidence_due_at: 'timestamptz',
    withdrawn: 'bigint',
    created_at: 'timestamptz',
  },
  early_fraud_warning: {
    charge_id: 'text',
    payment_intent_id: 'text',
    actionable: 'boolean',
    fraud_type: 'text',
    created_at: 'timestamptz',
  },
  account: {
    ...OWNER_COLUMNS,
    charges_enabled: 'boolean',
    payouts_enabled: 'boolean',
    details_submitted: 'boolean',
    restricted: 'boolean',
    account_restricted: 'boolean',
    disabled_reason: 'text',
    requirements_due: 'text[]',
    created_at: 'timestamptz',
  },
  account_restriction: {
    account_id: 'text',
    cause: 'text',
    active: 'boolean',
  },
  payout: {
    /** Connected account that is paid out; null for the platform's own. */
    account_id: 'text',
    status: 'text',
    amount: 'bigint',
    currency: 'text',
    method: 'text',
    automatic: 'boolean',
    arrives_at: 'timestamptz',
    failure_code: 'text',
    failure_message: 'text',
    /** The failed payout that an operator repeated with this one. */
    retry_of: 'text',
    created_at: 'timestamptz',
  },
  transfer: {
    /** Connected account that the money went to. */
    account_id: 'text',
    charge_id: 'text',
    amount: 'bigint',
    amount_reversed: 'bigint',
    currency: 'text',
    created_at: 'timestamptz',
  },
} as const satisfies Readonly<Record<string, Columns>>;

export type ObjectKind = keyof typeof OBJECT_COLUMNS;

/** Table of each kind of object, in the schema `billing`. */
export const OBJECT_TABLES: Readonly<Record<ObjectKind, string>> = {
  customer: 'customers',
  subscription: 'subscriptions',
  invoice: 'invoices',
  purchase: 'purchases',
  payment_intent: 'payment_intents',
  charge: 'charges',
  refund: 'refunds',
  invoice_payment: 'invoice_payments',
  dispute: 'disputes',
  early_fraud_warning: 'early_fraud_warnings',
  account: 'connect_accounts',
  account_restriction: 'account_restrictions',
  payout: 'payouts',
  transfer: 'transfers',
};

/** The state of one object. `version` orders the states of an object, see version.ts. */
export type ObjectRow<Kind extends ObjectKind = ObjectKind> = RowOf<(typeof OBJECT_COLUMNS)[Kind]> & {
  readonly id: string;
  readonly version: string;
  /** The object as the provider sent it, without what must not be stored. */
  readonly raw: unknown;
};

export const ITEM_COLUMNS = {
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
  /** Place in the provider's list: tells an item that was removed from one beyond the end of a list that was cut off. */
  position: 'integer',
} as const satisfies Columns;

export type SubscriptionItemRow = RowOf<typeof ITEM_COLUMNS>;

export const ACCOUNT_ID_COLUMNS = { id: 'text' } as const satisfies Columns;

/** Facts of the refund ledger. The same fact has the same `entry`, whichever event it comes from. */
export const REFUND_ENTRY_COLUMNS = {
  entry: 'text',
  /** `refunded`, `returned` or `reported`; see {@link RefundEntryRow}. */
  kind: 'text',
  charge_id: 'text',
  refund_id: 'text',
  /** What the charge reported as refunded in total; only of kind `reported`. */
  refunded_total: 'bigint',
  /** Positive when refunded, negative when returned; not of kind `reported`. */
  amount: 'bigint',
  currency: 'text',
} as const satisfies Columns;

export type RefundEntryRow = RowOf<typeof REFUND_ENTRY_COLUMNS> & {
  readonly kind: 'refunded' | 'returned' | 'reported';
};

/** Customers are known by id as soon as anything of theirs arrives. */
export const SEEN_CUSTOMER_COLUMNS = { id: 'text', first_seen_at: 'timestamptz' } as const satisfies Columns;

/** The ledger's row of an event, besides the provider, which is one for a whole batch. */
export const EVENT_COLUMNS = {
  id: 'text',
  type: 'text',
  /** Id of the object that the event is about; null where the provider names none. */
  object_id: 'text',
  api_version: 'text',
  livemode: 'boolean',
  source: 'text',
  /** `processed`, `ignored` or `failed`. */
  status: 'text',
  error: 'text',
  occurred_at: 'timestamptz',
  received_at: 'timestamptz',
  payload: 'jsonb',
} as const satisfies Columns;

/** An object that has to be read from the provider again; see the table `object_refreshes`. */
export const REFRESH_COLUMNS = {
  object_id: 'text',
  object_kind: 'text',
  account: 'text',
  reason: 'text',
} as const satisfies Columns;
