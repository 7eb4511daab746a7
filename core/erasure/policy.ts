/** What an erasure does to a column; `keep` with the reason for which it may. */
export type ColumnTreatment =
  | { readonly treatment: 'drop' | 'blank' | 'pseudonymise' | 'reduce' }
  | { readonly treatment: 'keep'; readonly reason: KeepReason };

/** Why a column stays as it is. */
export const KEEP_REASONS = {
  id: 'id at the provider or of the platform: a pseudonym, which tax and accounting records refer to',
  money: 'amounts, currencies and quantities of what was sold: kept for as long as tax law asks',
  time: 'moments of transactions: kept for as long as tax law asks',
  state: 'state of a transaction, one of a few words',
  catalogue: 'what is sold, the same for everybody',
  operation: "the platform's own work: counts, times, versions, hashes",
  staff: 'who of the company did something: the audit trail',
} as const;
export type KeepReason = keyof typeof KEEP_REASONS;

const keep = (reason: KeepReason, names: string): Record<string, ColumnTreatment> =>
  Object.fromEntries(names.split(' ').map((name) => [name, { treatment: 'keep', reason }]));
const treat = (
  treatment: 'drop' | 'blank' | 'pseudonymise' | 'reduce',
  names: string,
): Record<string, ColumnTreatment> => Object.fromEntries(names.split(' ').map((name) => [name, { treatment }]));

const OWNER = { ...treat('pseudonymise', 'user_id'), ...keep('catalogue', 'app_id project_id') };
const OBJECT = { ...keep('id', 'id'), ...keep('operation', 'version'), ...treat('reduce', 'raw') };
const PERIOD = keep('time', 'current_period_start current_period_end');

/**
 * Every column of the billing database, by table, and what an erasure does to it. The migration that makes the triggers has the
 * same treatments, and a test compares both with the catalog: a new column without a treatment fails it.
 *
 * `reduce` keeps of a provider's JSON numbers, flags, ids, codes and the country; see `billing.reduced_json`. `pseudonymise` puts
 * `erased-` and 20 digits of a keyed hash in the place of an id of the application.
 */
export const ERASURE_POLICY: Readonly<Record<string, Readonly<Record<string, ColumnTreatment>>>> = {
  'billing.webhook_events': {
    ...keep('id', 'provider id object_id'),
    ...keep('state', 'type api_version livemode source status'),
    ...keep('operation', 'attempts'),
    ...keep('time', 'occurred_at received_at processed_at'),
    ...keep('staff', 'dismissed_by'),
    ...treat('blank', 'error dismissal_reason'),
    ...treat('reduce', 'payload'),
  },
  'billing.customers': {
    ...OBJECT,
    ...OWNER,
    ...treat('drop', 'email name'),
    ...keep('money', 'currency'),
    ...keep('state', 'delinquent deleted defaulted'),
    ...keep('time', 'first_seen_at created_at'),
  },
  'billing.subscriptions': {
    ...OBJECT,
    ...OWNER,
    ...PERIOD,
    ...keep('id', 'customer_id'),
    ...keep('money', 'currency'),
    ...keep('state', 'defaulted status collection_method days_until_due pause_behavior cancel_at_period_end'),
    ...keep('time', 'pause_resumes_at cancel_at canceled_at ended_at trial_end created_at'),
  },
  'billing.subscription_items': {
    ...PERIOD,
    ...keep('id', 'id subscription_id'),
    ...keep('catalogue', 'price_id product_id recurring_interval position'),
    ...keep('money', 'quantity unit_amount currency'),
  },
  'billing.invoices': {
    ...OBJECT,
    ...OWNER,
    ...keep('id', 'customer_id payment_intent_id subscription_id'),
    ...keep('money', 'currency total amount_due amount_paid amount_remaining'),
    ...keep('state', 'status attempt_count'),
    ...keep('time', 'period_start period_end paid_at created_at'),
  },
  'billing.purchases': {
    ...OBJECT,
    ...OWNER,
    ...treat('pseudonymise', 'client_reference_id'),
    ...keep('id', 'customer_id payment_intent_id subscription_id'),
    ...keep('catalogue', 'kind item_id'),
    ...keep('money', 'amount_total currency'),
    ...keep('state', 'defaulted mode status payment_status'),
    ...keep('time', 'created_at'),
  },
  'billing.payment_intents': {
    ...OBJECT,
    ...OWNER,
    ...treat('drop', 'failure_message'),
    ...keep('id', 'customer_id latest_charge_id invoice_id'),
    ...keep('money', 'amount amount_received currency'),
    ...keep('state', 'status failure_code'),
    ...keep('time', 'created_at'),
  },
  'billing.charges': {
    ...OBJECT,
    ...OWNER,
    ...keep('id', 'customer_id payment_intent_id'),
    ...keep('money', 'amount amount_captured amount_refunded currency'),
    ...keep('state', 'status'),
    ...keep('time', 'created_at'),
  },
  'billing.refunds': {
    ...OBJECT,
    ...keep('id', 'charge_id payment_intent_id'),
    ...keep('money', 'amount currency'),
    ...keep('state', 'status reason failure_reason'),
    ...keep('time', 'created_at'),
  },
  'billing.refund_ledger': {
    ...keep('id', 'entry charge_id refund_id'),
    ...keep('money', 'refunded_total amount currency'),
    ...keep('state', 'kind'),
    ...keep('time', 'recorded_at'),
  },
  'billing.invoice_payments': {
    ...OBJECT,
    ...keep('id', 'invoice_id payment_intent_id'),
    ...keep('money', 'amount_paid currency'),
    ...keep('state', 'status'),
    ...keep('time', 'created_at'),
  },
  'billing.disputes': {
    ...OBJECT,
    ...keep('id', 'charge_id payment_intent_id'),
    ...keep('money', 'amount withdrawn currency'),
    ...keep('state', 'status reason'),
    ...keep('time', 'evidence_due_at created_at'),
  },
  'billing.early_fraud_warnings': {
    ...OBJECT,
    ...keep('id', 'charge_id payment_intent_id'),
    ...keep('state', 'actionable fraud_type'),
    ...keep('time', 'created_at'),
  },
  'billing.disputed_subscriptions': keep('id', 'subscription_id dispute_id'),
  'billing.connect_accounts': {
    ...OBJECT,
    ...OWNER,
    ...keep('state', 'charges_enabled payouts_enabled details_submitted restricted account_restricted restriction'),
    ...keep('state', 'disabled_reason requirements_due'),
    ...keep('time', 'created_at'),
  },
  'billing.account_restrictions': { ...OBJECT, ...keep('id', 'account_id'), ...keep('state', 'cause active') },
  'billing.owner_assignments': {
    ...OWNER,
    ...treat('blank', 'reason'),
    ...keep('id', 'object_id'),
    ...keep('staff', 'assigned_by'),
    ...keep('time', 'assigned_at'),
  },
  'billing.owner_assignment_log': {
    ...OWNER,
    ...treat('blank', 'reason'),
    ...keep('id', 'id object_id'),
    ...keep('staff', 'assigned_by'),
    ...keep('time', 'assigned_at'),
  },
  'billing.entitlements': {
    ...treat('pseudonymise', 'user_id'),
    ...keep('catalogue', 'project_id feature source'),
    ...keep('id', 'source_id'),
    ...keep('time', 'valid_from valid_until'),
  },
  'billing.entitlement_versions': {
    ...treat('pseudonymise', 'user_id'),
    ...keep('catalogue', 'project_id'),
    ...keep('operation', 'version changed_at'),
  },
  'billing.entitlement_rules': keep(
    'catalogue',
    'id app_id project_id source price_id product_id grace purchase_kind item_id features grace_send_invoice while_paused on_dispute',
  ),
  'billing.reconciliation_findings': {
    ...treat('drop', 'local_value stripe_value'),
    ...keep('id', 'id run_id object_id'),
    ...keep('state', 'kind object_type field corrected'),
  },
  'billing.reconciliation_runs': keep(
    'operation',
    'id status dry_run window_start started_at finished_at events_checked events_missed subscriptions_checked purchases_checked drift_detected corrected error progress invocations charges_checked errors kinds',
  ),
  'billing.reconciliation_listed_objects': keep('id', 'run_id kind object_id'),
  'billing.object_refreshes': {
    ...treat('drop', 'last_error'),
    ...keep('id', 'id provider object_kind object_id account'),
    ...keep('operation', 'reason requests requested_at attempts done_at'),
  },
  'billing.payouts': {
    ...OBJECT,
    ...treat('drop', 'failure_message'),
    ...keep('id', 'account_id retry_of'),
    ...keep('money', 'amount currency'),
    ...keep('state', 'status method automatic failure_code'),
    ...keep('time', 'arrives_at created_at'),
  },
  'billing.transfers': {
    ...OBJECT,
    ...keep('id', 'account_id charge_id'),
    ...keep('money', 'amount amount_reversed currency'),
    ...keep('time', 'created_at'),
  },
  'billing.payout_retries': {
    ...treat('drop', 'error'),
    ...keep('id', 'payout_id new_payout_id'),
    ...keep('operation', 'attempt status requested_at finished_at'),
    ...keep('staff', 'requested_by'),
  },
  'billing.bitcoin_payments': {
    ...OWNER,
    ...treat('reduce', 'metadata'),
    ...treat('blank', 'accepted_reason'),
    ...keep('staff', 'accepted_by'),
    ...keep('id', 'id network address script'),
    ...keep('catalogue', 'kind item_id'),
    ...keep('money', 'amount asked_amount received in_blocks'),
    ...keep('state', 'status confirmations review_height'),
    ...keep('time', 'expires_at created_at first_seen_at settled_at status_changed_at accepted_at'),
  },
  'billing.bitcoin_transactions': {
    ...keep('id', 'payment_id txid conflict'),
    ...keep('money', 'amount'),
    ...keep('state', 'state block_height'),
    ...keep('time', 'arrived_at first_seen_at changed_at'),
  },
  'billing.bitcoin_inputs': keep('id', 'outpoint txid'),
  'billing.bitcoin_status_changes': keep('state', 'id payment_id changed_at height old_status new_status'),
  'billing.bitcoin_blocks': keep('operation', 'height hash'),
  'billing.bitcoin_chain': keep('operation', 'singleton network height hash block_at scanned_at node_height node_at'),
  'billing.bitcoin_reorganisations': keep('operation', 'id depth fork_height noticed_at transactions'),
  'billing.api_keys': {
    ...keep('operation', 'id digest scopes projects created_at expires_at revoked_at rotated_to last_used_at'),
    ...keep('staff', 'name created_by revoked_by'),
  },
  'billing.api_key_failures': keep('operation', 'bucket failures window_started_at'),
  'billing.api_key_requests': keep('operation', 'key_id minute taken'),
  'billing.job_successes': keep('operation', 'job succeeded_at'),
  'billing.erasure_key': keep('operation', 'is_only inner_pad outer_pad'),
  'billing.erasures': keep('operation', 'id erased_at finished_at main_at reports_at counts'),
  'billing.erased_subjects': keep('operation', 'digest kind erased_at'),
  'billing.erased_objects': { ...keep('id', 'id'), ...keep('operation', 'spread sought seekers') },
  'operations.database_identity': keep('operation', 'name stamped_at only_row'),
  'operations.drills': keep(
    'operation',
    'started_at outcome archive_slot row_count duration_ms restored_bytes live_bytes projected_ms target_ms error',
  ),
  'operations.maintenance_runs': {
    ...treat('blank', 'result'),
    ...keep('operation', 'id task started_at finished_at outcome error'),
  },
  'operations.migrations': keep('operation', 'id name run_on'),
  'operations.migration_checksums': keep('operation', 'name sha256'),
  'operations.moves': keep(
    'operation',
    'id role source target stage started_at stage_at verified_at cut_over_at refused_at pause_ms identities known_differences',
  ),
  'operations.move_beats': keep('operation', 'side beat at'),
  'operations.row_recovery_merges': {
    ...treat('blank', 'chosen'),
    ...keep('operation', 'id report_id merged_at inserted updated skipped'),
    ...keep('staff', 'merged_by'),
  },
};
