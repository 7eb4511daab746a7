import type { DatabaseName } from '../contract';

/** Objects as the provider sent them, with names, addresses and the last digits of cards. */
const RAW = ['raw'] as const;

/** Rows that an operator chose, or in which a scan found a card number: by keys of the application, or by their values. */
const ROWS_NAMED = {
  'operations.maintenance_runs': ['result'],
  'operations.row_recovery_merges': ['chosen'],
} as const;

/**
 * Columns with personal data, or with what authenticates, by `schema.table`. People and the collector read every other column of
 * these tables. A test fails for a JSON column that is neither here nor in {@link IMPERSONAL_JSON}, for one that an erasure drops,
 * blanks or reduces and that is not here, and for a view that reads one of these.
 *
 * Main holds the application's tables: a company writes its own here. What is not listed is readable to `main_readonly`.
 */
export const PERSONAL_COLUMNS: Readonly<Record<DatabaseName, Readonly<Record<string, readonly string[]>>>> = {
  billing: {
    'billing.account_restrictions': RAW,
    'billing.api_keys': ['digest'],
    // Addresses of who failed to authenticate.
    'billing.api_key_failures': ['bucket'],
    // What the application wrote for itself, and why a person took a payment that came too late or too low.
    'billing.bitcoin_payments': ['metadata', 'accepted_reason'],
    'billing.charges': RAW,
    'billing.connect_accounts': RAW,
    'billing.customers': ['email', 'name', 'raw'],
    'billing.disputes': RAW,
    'billing.early_fraud_warnings': RAW,
    // With the key, a guess who was erased could be tested.
    'billing.erased_subjects': ['digest'],
    'billing.erasure_key': ['inner_pad', 'outer_pad'],
    'billing.invoice_payments': RAW,
    'billing.invoices': RAW,
    // An error may quote what was sent.
    'billing.object_refreshes': ['last_error'],
    // A customer who opens a payment link may write anything into `client_reference_id`, which names the owner where nothing else does.
    'billing.owned_purchases': ['raw', 'client_reference_id', 'owner_user_id'],
    'billing.owned_subscriptions': ['raw', 'owner_user_id'],
    'billing.owner_assignment_log': ['reason'],
    'billing.owner_assignments': ['reason'],
    'billing.payment_intents': ['raw', 'failure_message'],
    // What Stripe answered, as in the message of a failed payout.
    'billing.payout_retries': ['error'],
    'billing.payouts': ['raw', 'failure_message'],
    'billing.purchases': ['raw', 'client_reference_id'],
    // Either may hold the value of a personal field.
    'billing.reconciliation_findings': ['local_value', 'stripe_value'],
    'billing.refunds': RAW,
    'billing.subscriptions': RAW,
    'billing.transfers': RAW,
    'billing.webhook_events': ['payload', 'error', 'dismissal_reason'],
    ...ROWS_NAMED,
  },
  main: {
    ...ROWS_NAMED,
    'app.users': ['display_name'],
  },
};

/** JSON columns that hold counts and positions. */
export const IMPERSONAL_JSON: readonly string[] = [
  'billing.erasures.counts',
  'billing.reconciliation_runs.progress',
  'billing.reconciliation_runs.kinds',
];
