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
}

const REPORT = { name: 'report', pattern: /Report (\S+),/ };

/** What is typed, in its order. */
export const SESSION: readonly SessionStep[] = [
  {
    says: 'An incident begins. First, one screen.',
    line: 'status',
  },
  {
    says: 'Then everything that can be checked.',
    line: 'doctor',
  },
  {
    says: 'Somebody changes the billing database by hand. Back it up.',
    sql: `COMMENT ON TABLE billing.refunds IS 'checked by the auditors'`,
    line: 'backup billing',
  },
  { says: 'And the main one.', line: 'backup main' },
  { says: 'What can be restored?', line: 'backups list billing' },
  { says: 'What does the newest one hold?', line: 'backups show billing' },
  { says: 'What has changed in the schema since the one before?', line: 'backups diff billing' },
  {
    says: 'Prove that it can be restored.',
    line: 'backups verify billing',
  },
  {
    says: 'Restore it beside the one in use.',
    line: 'restore billing --into billing_check',
  },
  {
    says: 'Prove the restored one.',
    line: 'verify billing --target-database billing_check',
  },
  { says: 'A restore never overwrites.', line: 'restore billing --into billing_check' },
  { says: 'The monthly test of a restore, now.', line: 'drill billing' },
  { says: 'Past tests.', line: 'drills list billing' },
  {
    says: 'Which migrations are there?',
    line: 'migrate status billing',
    capture: { name: 'last', pattern: /schema +(\S+)/ },
  },
  {
    says: 'Begin a new one.',
    line: 'migrate new billing create_receipts',
    inOwnCheckout: true,
  },
  { says: 'What would an apply do?', line: 'migrate plan billing' },
  {
    says: 'Apply, with a backup first where something is pending.',
    line: 'migrate apply billing',
  },
  {
    says: 'Do record, files and schema agree?',
    line: 'migrate validate billing',
  },
  {
    says: 'What would taking the last one back do?',
    line: 'migrate rollback billing --dry-run',
  },
  {
    says: 'The record is corrected only where the schema agrees.',
    line: 'migrate resolve billing --rolled-back {last} --dry-run',
  },
  { says: 'Do events arrive?', line: 'webhooks status' },
  {
    says: 'A test event, signed.',
    line: 'webhooks send customer.subscription.created --user ann --project project-1',
  },
  { says: 'Her payment fails.', line: 'webhooks send invoice.payment_failed --user ann --project project-1' },
  {
    says: 'What arrived?',
    line: 'webhooks list --limit 3',
    capture: { name: 'event', pattern: /(evt_\w+)/ },
  },
  {
    says: 'One of them in detail.',
    line: 'webhooks show {event}',
  },
  { says: 'Did we miss anything that Stripe has?', line: 'webhooks gaps --from 1h' },
  { says: 'Apply what was missed.', line: 'webhooks replay --from 1h' },
  { says: 'Try again whatever failed.', line: 'webhooks retry --failed' },
  { says: 'What is parked?', line: 'webhooks parked' },
  { says: 'Move it back.', line: 'webhooks redrive' },
  {
    says: 'An event that has no use is closed, with a reason.',
    line: 'webhooks dismiss evt_unknown --reason "made by a test" --dry-run',
  },
  {
    says: 'Compare with Stripe, and change nothing.',
    line: 'reconcile --dry-run --settle-seconds 0',
  },
  { says: 'And heal.', line: 'reconcile --settle-seconds 0' },
  { says: 'What did the last nights find?', line: 'reconciliations list' },
  { says: 'In detail.', line: 'reconciliations findings' },
  {
    says: 'A subscription is deleted by accident, after it was archived.',
    line: 'backup billing',
  },
  {
    says: 'What is gone?',
    sql: "DELETE FROM billing.subscriptions WHERE id = 'sub_ann'",
    line: 'rows report billing billing.subscriptions billing.subscription_items',
    capture: REPORT,
  },
  { says: 'Review the rows.', line: 'rows show billing {report}' },
  {
    says: 'Those of one table, by a filter.',
    line: 'rows merge billing {report} --table billing.subscriptions --dry-run',
  },
  { says: 'What would a merge do?', line: 'rows merge billing {report} --dry-run' },
  { says: 'Without the typed name, nothing happens.', line: 'rows merge billing {report}' },
  {
    says: 'With it, the rows are back.',
    line: 'rows merge billing {report} --confirm billing',
  },
  {
    says: 'Who may use what, and why?',
    line: 'entitlements show ann --project project-1',
  },
  {
    says: 'Compute again.',
    line: 'entitlements recompute --all',
  },
  {
    says: 'Is an old answer cached?',
    line: 'cache show ann --project project-1',
  },
  {
    says: 'Drop what is cached of a user, or of all.',
    line: 'cache drop --all',
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
  { says: 'Who paid in bitcoin, and how far is the node?', line: 'bitcoin status' },
  { says: 'This environment takes none.', line: 'bitcoin follow --dry-run' },
  { says: 'Nor is there one to accept.', line: 'bitcoin accept btc_order-17 --reason agreed --dry-run' },
  { says: 'What did a project take in?', line: 'revenue project-1' },
  {
    says: 'A bank returned what a coach was to be paid.',
    sql: `INSERT INTO billing.payouts (id, account_id, status, amount, currency, arrives_at, failure_code, failure_message,
            created_at, version, raw)
          VALUES ('po_session', 'acct_bob', 'failed', 12000, 'eur', now() - interval '1 day', 'account_closed',
            'The bank account has been closed', now() - interval '3 days', '', '{}')`,
    line: 'payouts list --status failed',
  },
  { says: 'Why, and what now?', line: 'payouts show po_session' },
  { says: 'Only what Stripe has as failed is paid again.', line: 'payouts retry po_session --dry-run' },
  { says: 'What fills the disk?', line: 'sizes billing --limit 5' },
  { says: 'Who is connected, who waits?', line: 'connections billing' },
  {
    says: 'Which statements take long, wait or block?',
    line: 'queries billing --limit 3',
  },
  { says: 'What took long, and does anything run?', line: 'runs --limit 5' },
  { says: 'Old events.', line: 'cleanup --dry-run' },
  { says: 'Vacuum, sizes, bloat, indexes.', line: 'maintenance run billing' },
  { says: 'What did maintenance find?', line: 'maintenance show billing --limit 1' },
  { says: 'Is a card number anywhere? The schedule looks once a month.', line: 'cards scan billing' },
  { says: 'The report that is mailed once a month.', line: 'maintenance report' },
  { says: 'Measure what the alarms look at.', line: 'collect' },
  {
    says: 'A customer asks what is stored of them.',
    sql: `INSERT INTO billing.customers (id, first_seen_at, email) VALUES ('cus_leaving', '2026-11-01', 'leaving@example.com')`,
    line: 'export --customer cus_leaving',
  },
  { says: 'And asks to be forgotten.', line: 'erase --customer cus_leaving --dry-run' },
  { says: 'Forget them, for good.', line: 'erase --customer cus_leaving --confirm cus_leaving' },
  {
    says: 'A key of the API for an application.',
    line: 'keys create entitlements:read --name academy --project project-1',
    capture: { name: 'key', pattern: /bok_(\w{12})_/ },
  },
  { says: 'Its secret leaked: replace it.', line: 'keys rotate {key} --overlap-hours 0' },
  { says: 'Which are valid?', line: 'keys list' },
  { says: 'One that nobody needs.', line: 'keys revoke {key}' },
  { says: 'Which roles and privileges would be made, and what revoked from whom?', line: 'access plan billing' },
  { says: 'Make them so, all or none.', line: 'access apply billing --confirm billing' },
  { says: 'How old are the secrets?', line: 'secrets list' },
  {
    says: 'Rotation is on AWS only.',
    line: 'secrets rotate billing --confirm billing',
  },
  {
    says: 'A new signing secret is piped in, or typed without echo. It becomes current once the endpoint accepts it.',
    line: 'secrets put-stripe signing-secret --confirm local',
    piped: 'whsec_session00000000',
  },
  {
    says: 'A key that Stripe does not know never becomes current.',
    line: 'secrets put-stripe api-key --confirm local',
    piped: 'rk_test_unknown0000',
  },
  {
    says: 'Scheduled jobs that failed for good.',
    line: 'failures list backup',
  },
  { says: 'Forget them, once done by hand.', line: 'failures clear backup --confirm backup' },
  { says: 'Where things are.', line: 'open' },
  { says: 'What has a function logged?', line: 'logs processor --since 1h' },
  { says: 'And measured?', line: 'metrics --service processor' },
  { says: 'Alarms are on AWS only.', line: 'alarms' },
  {
    says: 'So are recoveries of whole instances.',
    line: 'recover start billing --to 1h',
  },
  { says: 'their rehearsal,', line: 'recover drill billing' },
  { says: 'their progress,', line: 'recover status billing' },
  { says: 'their cut-over,', line: 'recover cut-over billing' },
  { says: 'their name,', line: 'recover take-name billing' },
  { says: 'their refusal,', line: 'recover refuse billing' },
  { says: 'and their end by force.', line: 'recover abort billing' },
  { says: 'One region is all that there is here: nothing says what another one has.', line: 'region-loss check' },
  {
    says: 'Its loss is rehearsed on AWS, or by a proof.',
    line: 'region-loss drill --into prod2',
  },
  {
    says: 'Rows of a second need an instance that is restored.',
    line: 'rows report billing billing.subscriptions billing.subscription_items --at 1h',
  },
  { says: 'Its removal, too.', line: 'rows done billing' },
  {
    says: 'Billing moves to another server. What does that need?',
    line: 'move plan',
    capture: { name: 'new', pattern: /new server +(\S+)/ },
  },
  { says: 'Copy it, while it is in use.', line: 'move copy' },
  { says: 'How far is the copy behind?', line: 'move catch-up' },
  { says: 'Do both servers hold the same?', line: 'move verify' },
  { says: 'Let the new one take the writes.', line: 'move cut-over --confirm {new}' },
  {
    says: 'How far is the move?',
    line: 'move plan',
    capture: { name: 'old', pattern: /old server +(\S+)/ },
  },
  { says: 'Its end, too early.', line: 'move finish' },
  { says: 'Back to the old server, with what was written since.', line: 'move roll-back --confirm {old}' },
  { says: 'A misspelt command.', line: 'webhooks retyr' },
  { says: 'A misspelt option.', line: 'reconcile --dryrun' },
  { says: 'A time without a zone.', line: 'webhooks gaps --from 2026-11-21T06:00:00' },
  { says: 'Everything that changed something is on record.', line: 'audit' },
];
