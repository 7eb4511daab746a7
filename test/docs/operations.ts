/** What an operator of billing has to be able to do. */
export interface Operation {
  readonly what: string;
  /** What follows `ops`, as the session types it. @default - no command */
  readonly line?: string;
  /** Where there is no command, how it is done, or that it happens by itself. */
  readonly how?: string;
}

const does = (what: string, line: string): Operation => ({ what, line });
const itself = (what: string, how: string): Operation => ({ what, how });

/** By subject; `docs/operations.md` has each with the seconds that it took in the recorded session. */
export const OPERATIONS: Readonly<Record<string, readonly Operation[]>> = {
  Look: [
    does('See databases, backups, events and failing payments on one screen', 'status'),
    does('Check every part, with the fix of what is wrong; gate a deployment', 'doctor'),
    does('List raised alarms', 'alarms'),
    does('Read metrics: received, processed and failed events, lag, ages', 'metrics --service processor'),
    does('Read the log of a function; its errors alone with --errors', 'logs processor --since 1h'),
    does('Find background jobs that did not run', 'failures list backup'),
    does('See what runs long, and pick it up again', 'runs --limit 5'),
    does('Find the consoles of AWS, metrics and Stripe', 'open'),
    does('See what a project took in, by currency', 'revenue project-1'),
    itself('Probe health, scrape Prometheus metrics, ask from an application', '[the HTTP API](api.md)'),
    does('See who did what', 'audit'),
  ],
  Deploy: [
    itself('Configure, deploy, go live, add the endpoint in Stripe', '[deploy](deploy.md)'),
    does('Confirm that stacks, secrets, migrations, endpoint and on-call are set up', 'doctor'),
    itself('Run everything on a laptop, and stop it', '`npm start`, Ctrl-C'),
    itself('Take a deployment back', '[scenarios](scenarios.md#crash-after-deploy)'),
    itself('Scale out, balance load, time out, rotate logs', 'Lambda, SQS and CloudWatch by themselves'),
  ],
  Migrate: [
    does('Create a migration', 'migrate new billing create_receipts'),
    does('See the history', 'migrate status billing'),
    does('Dry run: SQL, locks, blocked time, losses', 'migrate plan billing'),
    does('Apply, after a backup; without one by --without-backup, never in production', 'migrate apply billing'),
    does('Validate record, files and schema', 'migrate validate billing'),
    does('Take the last one back; again for the one before', 'migrate rollback billing --dry-run'),
    does('Mark as rolled back, or as applied', 'migrate resolve billing --rolled-back {last} --dry-run'),
    itself(
      'Never migrate the wrong database',
      'each carries its identity, and the database is an argument that has no default',
    ),
  ],
  'Back up': [
    does('Back up billing now', 'backup billing'),
    does('Back up main now', 'backup main'),
    itself(
      'Archive in parts from a recovery point, as a database above 40 GiB is; with `npm start`, from a copy of the cluster',
      '`ops backup main --in-parts`, then the line that it prints',
    ),
    itself(
      'Back up on schedule: billing every 6 hours for 90 days, main daily for 30',
      'by themselves; alarms when one is late',
    ),
    itself('Keep copies elsewhere', 'object lock, AWS Backup, and a second region, by themselves'),
    does('List backups', 'backups list billing'),
    does('See what one holds', 'backups show billing'),
    does('See what changed in the schema between two', 'backups diff billing'),
    does('Verify one', 'backups verify billing'),
    does('Test a restore and time it, monthly by itself', 'drill billing'),
    does('See past tests', 'drills list billing'),
  ],
  Restore: [
    does('Restore the newest backup, one of a name, or the last before a time', 'restore billing --into billing_check'),
    does('Verify the integrity of a database', 'verify billing --target-database billing_check'),
    does('Recover a corrupted or lost server, or any second of 35 days', 'recover start billing --to 1h'),
    does('See how far that is', 'recover status billing'),
    itself('Move billing to another server while it is in use, with a way back', '[move](move.md)'),
    does('Cut over, without stopping the application by hand', 'recover cut-over billing'),
    does(
      'Find what a deletion took since the newest backup; since an older one by --before',
      'rows report billing billing.subscriptions billing.subscription_items',
    ),
    does(
      'The same to the second, of the last 35 days',
      'rows report billing billing.subscriptions billing.subscription_items --at 1h',
    ),
    does('Remove the instance that was restored for it', 'rows done billing'),
    does('Review only the deleted records', 'rows show billing {report}'),
    does('Merge them into the present state', 'rows merge billing {report} --confirm billing'),
    itself('Restore with psql alone', '[restore with psql](restore-with-psql.md)'),
    itself('Rehearse the recovery of an instance, quarterly by itself', '`ops recover drill billing`'),
    itself('Rebuild in another region', '[losing a region](region-loss.md)'),
    itself('Check that a region may be lost, and rehearse it', '`ops region-loss check`, `ops region-loss drill`'),
  ],
  Webhooks: [
    does('Count what failed, waits or is parked', 'webhooks status'),
    does('List recent events with status and error', 'webhooks list --limit 3'),
    does('See one event', 'webhooks show {event}'),
    does('Find gaps after an outage', 'webhooks gaps --from 1h'),
    does('Replay a range', 'webhooks replay --from 1h'),
    does('Retry single events, or all that failed', 'webhooks retry --failed'),
    does('See what is parked', 'webhooks parked'),
    does('Move parked events back', 'webhooks redrive'),
    does(
      'Dismiss an event that need not be applied',
      'webhooks dismiss evt_unknown --reason "made by a test" --dry-run',
    ),
    does('Send a test event', 'webhooks send customer.subscription.created --user ann --project project-1'),
    itself('Never apply an event twice; verify signatures', 'by themselves'),
    does('Delete old events; nightly by itself', 'cleanup --dry-run'),
  ],
  Reconcile: [
    does('Compare with Stripe, and change nothing; --days-back says how far', 'reconcile --dry-run --settle-seconds 0'),
    does('Compare and correct; daily by itself', 'reconcile --settle-seconds 0'),
    does('See past runs: checked, missed, drift, corrected, errors', 'reconciliations list'),
    does('See what differed', 'reconciliations findings'),
    does('Read objects from Stripe again that events left incomplete; each minute by itself', 'refresh --dry-run'),
  ],
  'Entitlements, cache and bitcoin': [
    does('See what a user may use, and why', 'entitlements show ann --project project-1'),
    does('Compute again, of a user, a project or all', 'entitlements recompute --all'),
    does('Look at an entry of the cache', 'cache show ann --project project-1'),
    does('Drop entries of a user, a project or all', 'cache drop --all'),
    does('Find what is paid and has no owner', 'entitlements unowned'),
    does('Assign it', 'entitlements assign sub_ann --user anna --reason "wrote from the address" --dry-run'),
    does('Change the rules', 'entitlements rules put docs/entitlement-rules.example.json --confirm local'),
    does('See payments in bitcoin', 'bitcoin status'),
    does('Accept one that came too late or too low', 'bitcoin accept btc_order-17 --reason agreed --dry-run'),
    itself('Memory and hit rate of the cache', '`ops open console`: the metrics of ElastiCache'),
  ],
  Databases: [
    does('Sizes of tables and indexes, dead rows', 'sizes billing --limit 5'),
    does('Vacuum, bloat, sizes, indexes; weekly and monthly by themselves', 'maintenance run billing'),
    does('What maintenance found', 'maintenance show billing --limit 1'),
    does('Card numbers where none may be; monthly by itself', 'cards scan billing'),
    does('The monthly report, which is mailed', 'maintenance report'),
    does('Connections, by user and application; who waits for whom', 'connections billing'),
    does('Slowest statements, those that run, wait or block, hit rate', 'queries billing --limit 3'),
    does('Measure what the alarms look at: sizes, ages, failing payments', 'collect'),
    itself('Rebuild bloated indexes without stopping writers', '`ops maintenance run billing --task reindex`'),
    itself('Add an index without stopping writers', '`ops migrate new billing <name> --concurrently`'),
    itself('Connect with psql', '[people](people.md): a token of IAM, through a session host'),
  ],
  Secrets: [
    does('Dry run: roles, what is granted, and revoked from whom', 'access plan billing'),
    does('Close a database to roles without a grant', 'access apply billing --confirm billing'),
    does('Age of each secret', 'secrets list'),
    does('Rotate a password; every 90 days by itself', 'secrets rotate billing --confirm billing'),
    does('Answer an access request', 'export --customer cus_leaving'),
    does('Erase a customer, also from what is restored later', 'erase --customer cus_leaving --confirm cus_leaving'),
    does('Create a key of the API', 'keys create entitlements:read --name academy --project project-1'),
    does('Replace one that leaked', 'keys rotate {key} --overlap-hours 0'),
    does('Store a new secret of Stripe', 'secrets put-stripe signing-secret --confirm local'),
  ],
  Emergencies: [
    itself('Cannot connect', '[scenarios](scenarios.md#cannot-connect)'),
    itself('Application crash', '[scenarios](scenarios.md#crash-after-deploy)'),
    itself('Payment failure', '[scenarios](scenarios.md#payment-failure)'),
    does('Find payouts that failed or are late, and who is restricted', 'payouts list --status failed'),
    does('Pay a failed payout again, once its account is put right', 'payouts retry po_session --dry-run'),
    itself('Data loss, disk full, secret leaked', '[scenarios](scenarios.md#data-loss)'),
    itself('Migration failed', '[runbook](runbook.md#migration-failed)'),
  ],
};

/** The page, with the seconds of each command line that the session recorded. */
export function operationsPage(seconds: ReadonlyMap<string, number>): string {
  const sections = Object.entries(OPERATIONS).map(([subject, operations]) => {
    const rows = operations.map(({ what, line, how }) => {
      const command = line === undefined ? (how ?? '') : `\`ops ${line.replaceAll(/\{(\w+)\}/g, '<$1>')}\``;
      const took = line === undefined ? '' : (seconds.get(line)?.toFixed(1) ?? '');
      return `| ${what} | ${command} | ${took} |`;
    });
    return `## ${subject}\n\n| operation | command | s |\n| --- | --- | --- |\n${rows.join('\n')}`;
  });
  return `# Operations

Everything that an operator of billing has to do, with its command. Seconds are those of the [recorded session](ops-session.md), against the platform that
\`npm start\` runs, the start of \`ops\` included; \`npx tsx test/docs/record-ops-session.ts\` measures again. What needs AWS – alarms, recoveries of
instances – shows there how long its refusal took. Every option: [ops](ops.md).

${sections.join('\n\n')}
`;
}
