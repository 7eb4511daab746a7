import type { DatabaseName } from '../contract';

/** Objects as the provider sent them, with names, addresses and the last digits of cards. */
const RAW = ['raw'] as const;

/**
 * Columns with personal data, or with what authenticates, by `schema.table`. People and the collector read every other column of
 * these tables. A test fails for a JSON column that is neither here nor in {@link IMPERSONAL_JSON}.
 *
 * Main holds the application's tables: a company writes its own here. What is not listed is readable to `main_readonly`.
 */
export const PERSONAL_COLUMNS: Readonly<Record<DatabaseName, Readonly<Record<string, readonly string[]>>>> = {
  billing: {
    'billing.account_restrictions': RAW,
    'billing.api_keys': ['digest'],
    // Addresses of who failed to authenticate.
    'billing.api_key_failures': ['bucket'],
    // What the application wrote for itself.
    'billing.bitcoin_payments': ['metadata'],
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
    'billing.owned_purchases': RAW,
    'billing.owned_subscriptions': RAW,
    'billing.payment_intents': RAW,
    'billing.payouts': RAW,
    'billing.purchases': RAW,
    // Either may hold the value of a personal field.
    'billing.reconciliation_findings': ['local_value', 'stripe_value'],
    'billing.refunds': RAW,
    'billing.subscriptions': RAW,
    'billing.transfers': RAW,
    'billing.webhook_events': ['payload'],
  },
  main: {
    'app.users': ['display_name'],
  },
};

/** JSON columns that hold counts and positions. */
export const IMPERSONAL_JSON: readonly string[] = [
  'billing.erasures.counts',
  'billing.reconciliation_runs.progress',
  'billing.reconciliation_runs.kinds',
  'operations.maintenance_runs.result',
];
