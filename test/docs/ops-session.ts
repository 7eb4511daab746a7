/** One step of the recorded session. */
export interface SessionStep {
  /** What happens, as a sentence. */
  readonly says: string;
  /** What follows `ops`; `{name}` is what an earlier step captured. @default - nothing is typed */
  readonly line?: string;
  /** A statement that is run in the billing database before. @default - none */
  readonly sql?: string;
  /** Part of the output that later lines need: the first group. @default - none */
  readonly capture?: { readonly name: string; readonly pattern: RegExp };
  /** What is piped into the command. @default - nothing */
  readonly piped?: string;
  /** Typed in a checkout of its own, which is removed again. @default false */
  readonly inOwnCheckout?: boolean;
  /** The operation of the guides that it is. @default - none */
  readonly operation?: string;
}

const REPORT = { name: 'report', pattern: /Report (\S+),/ };

/** What is typed, in its order. */
export const SESSION: readonly SessionStep[] = [
  {
    says: 'An incident begins. First, one screen.',
    line: 'status',
    operation: 'Health of databases, backups, events, money (G0–G4)',
  },
  {
    says: 'Then everything that can be checked.',
    line: 'doctor',
    operation: 'Health check of every part (G1, G3, G4)',
  },
  { says: 'Back up the billing database.', line: 'backup billing', operation: 'Backup of the billing database (G0)' },
  { says: 'And the main one.', line: 'backup main', operation: 'Backup of the main database (G0, G4)' },
  { says: 'What can be restored?', line: 'backups list billing', operation: 'List of backups (G0)' },
  {
    says: 'Restore it beside the one in use.',
    line: 'restore billing --into billing_check',
    operation: 'Restore from a backup (G0, G1, G4)',
  },
  {
    says: 'Prove the restored one.',
    line: 'verify billing --target-database billing_check',
    operation: 'Verify the integrity after a restore (G0)',
  },
  { says: 'A restore never overwrites.', line: 'restore billing --into billing_check' },
  { says: 'The monthly test of a restore, now.', line: 'drill billing', operation: 'Restore test, timed (G4)' },
  { says: 'Past tests.', line: 'drills list billing' },
  {
    says: 'Which migrations are there?',
    line: 'migrate status billing',
    capture: { name: 'last', pattern: /schema +(\S+)/ },
    operation: 'Status of migrations (G0, G1)',
  },
  {
    says: 'Begin a new one.',
    line: 'migrate new billing create_receipts',
    inOwnCheckout: true,
    operation: 'Create a migration (G1, G3)',
  },
  { says: 'What would an apply do?', line: 'migrate plan billing', operation: 'Plan of migrations (G0)' },
  {
    says: 'Apply, with a backup first where something is pending.',
    line: 'migrate apply billing',
    operation: 'Apply migrations with a backup first (G0, G1, G4)',
  },
  {
    says: 'Do record, files and schema agree?',
    line: 'migrate validate billing',
    operation: 'Validate the schema (G2)',
  },
  {
    says: 'What would taking the last one back do?',
    line: 'migrate rollback billing --dry-run',
    operation: 'Rollback of a migration (G1, G2, G3)',
  },
  {
    says: 'The record is corrected only where the schema agrees.',
    line: 'migrate resolve billing --rolled-back {last} --dry-run',
    operation: 'Mark a migration as rolled back (G0)',
  },
  { says: 'Do events arrive?', line: 'webhooks status', operation: 'Webhooks that failed or wait (G0, G2)' },
  {
    says: 'A test event, signed.',
    line: 'webhooks send customer.subscription.created --user ann --project project-1',
    operation: 'Send a test event (G2, G3)',
  },
  { says: 'Her payment fails.', line: 'webhooks send invoice.payment_failed --user ann --project project-1' },
  { says: 'What arrived?', line: 'webhooks list --limit 3', operation: 'Recent events with their status (G2)' },
  { says: 'Did we miss anything that Stripe has?', line: 'webhooks gaps --from 1h', operation: 'Gap detection (G0)' },
  { says: 'Apply what was missed.', line: 'webhooks replay --from 1h', operation: 'Replay of a time range (G0, G2)' },
  { says: 'Try again whatever failed.', line: 'webhooks retry --failed', operation: 'Retry of failed events (G2, G3)' },
  { says: 'What is parked?', line: 'webhooks parked' },
  { says: 'Move it back.', line: 'webhooks redrive', operation: 'Parked events back to the queue (G0, G2)' },
  {
    says: 'An event that has no use is closed, with a reason.',
    line: 'webhooks dismiss evt_unknown --reason "made by a test" --dry-run',
  },
  {
    says: 'Compare with Stripe, and change nothing.',
    line: 'reconcile --dry-run --settle-seconds 0',
    operation: 'Reconciliation, dry (G3)',
  },
  { says: 'And heal.', line: 'reconcile --settle-seconds 0', operation: 'Reconciliation, run by hand (G3)' },
  { says: 'What did the last nights find?', line: 'reconciliations list', operation: 'Past reconciliations (G3)' },
  { says: 'In detail.', line: 'reconciliations findings' },
  {
    says: 'A subscription is deleted by accident, after it was archived.',
    line: 'backup billing',
    operation: 'Snapshot of the present state before anything else (G0)',
  },
  {
    says: 'What is gone?',
    sql: "DELETE FROM billing.subscriptions WHERE id = 'sub_ann'",
    line: 'rows report billing billing.subscriptions billing.subscription_items',
    capture: REPORT,
    operation: 'Find deleted rows in a backup (G0)',
  },
  { says: 'What would a merge do?', line: 'rows merge billing {report} --dry-run' },
  { says: 'Without the typed name, nothing happens.', line: 'rows merge billing {report}' },
  {
    says: 'With it, the rows are back.',
    line: 'rows merge billing {report} --confirm billing',
    operation: 'Merge only the deleted rows back (G0)',
  },
  {
    says: 'Who may use what, and why?',
    line: 'entitlements show ann --project project-1',
    operation: 'Entitlements of a user (G1)',
  },
  {
    says: 'Compute again.',
    line: 'entitlements recompute --all',
    operation: 'Recompute entitlements, invalidate the cache (G1, G3)',
  },
  { says: 'The rules.', line: 'entitlements rules get' },
  { says: 'What would a file of rules change?', line: 'entitlements rules diff docs/entitlement-rules.example.json' },
  {
    says: 'Put them in force.',
    line: 'entitlements rules put docs/entitlement-rules.example.json --confirm local',
  },
  { says: 'What belongs to nobody?', line: 'entitlements unowned' },
  {
    says: 'What was paid for without naming its user is given to them.',
    line: 'entitlements assign sub_ann --user anna --reason "wrote from the address" --dry-run',
  },
  { says: 'Read objects that an event left incomplete from Stripe again.', line: 'refresh --dry-run' },
  { says: 'What fills the disk?', line: 'sizes billing --limit 5', operation: 'Table sizes (G0, G1, G4)' },
  { says: 'Who is connected, who waits?', line: 'connections billing', operation: 'Connections and locks (G0, G4)' },
  { says: 'Old events.', line: 'cleanup --dry-run', operation: 'Clean up old webhook events (G3)' },
  { says: 'Measure what the alarms look at.', line: 'collect', operation: 'Metrics by hand (G0, G4)' },
  { says: 'How old are the secrets?', line: 'secrets list', operation: 'Age of secrets (G0)' },
  {
    says: 'Rotation is on AWS only.',
    line: 'secrets rotate billing --confirm billing',
    operation: 'Rotate a password (G0)',
  },
  {
    says: 'A new signing secret is piped in, or typed without echo.',
    line: 'secrets put-stripe signing-secret --confirm local',
    piped: 'not a secret',
  },
  {
    says: 'Scheduled jobs that failed for good.',
    line: 'failures list backup',
    operation: 'Background jobs that did not run (G4)',
  },
  { says: 'Forget them, once done by hand.', line: 'failures clear backup --confirm backup' },
  { says: 'Where things are.', line: 'open' },
  { says: 'Logs are files here.', line: 'logs processor --since 1h', operation: 'Logs (G1, G4)' },
  { says: 'Alarms are on AWS only.', line: 'alarms', operation: 'Alarms (G0, G4)' },
  {
    says: 'So are recoveries of whole instances.',
    line: 'recover start billing --to 1h',
    operation: 'Recover a whole instance (G0, G4)',
  },
  { says: 'Their progress,', line: 'recover status billing' },
  { says: 'their cut-over,', line: 'recover cut-over billing' },
  { says: 'their name,', line: 'recover take-name billing' },
  { says: 'and their refusal.', line: 'recover refuse billing' },
  { says: 'A misspelt command.', line: 'webhooks retyr' },
  { says: 'A misspelt option.', line: 'reconcile --dryrun' },
  { says: 'A time without a zone.', line: 'webhooks gaps --from 2026-11-21T06:00:00' },
  { says: 'Everything that changed something is on record.', line: 'audit', operation: 'Audit of operators (G0)' },
];
