/**
 * Every error that the platform throws on purpose. One table decides what follows from an error: whether a caller may
 * repeat the call, how a command exits, what an API answers, and which runbook section continues. `docs/errors.md` is generated
 * from it.
 */

/** Exit status of a command, by what it says about the outcome. */
export const EXIT_STATUS = {
  /** Everything that was asked for is done. */
  done: 0,
  /** The command ran; it reports something that needs attention. */
  finding: 1,
  /** The request is malformed. Nothing was done. */
  usage: 2,
  /** The request is well-formed, but the state of the data forbids it. Nothing was done. */
  refused: 3,
  /** The attempt failed; the report or the log says how far it came. */
  failed: 4,
} as const;

export interface ErrorCodeDefinition {
  /** Whether the same call may succeed later without any change by an operator. */
  readonly retryable: boolean;
  readonly exit: Exclude<keyof typeof EXIT_STATUS, 'done'>;
  /** Status that an HTTP API answers with. */
  readonly httpStatus: number;
  /** One sentence. */
  readonly meaning: string;
  /** Anchor of the heading in `docs/runbook.md` that continues from here. @default none */
  readonly runbook?: string;
}

const define = <Code extends string>(table: Readonly<Record<Code, ErrorCodeDefinition>>) => table;

const refused = (httpStatus: number, meaning: string, runbook?: string): ErrorCodeDefinition => ({
  retryable: false,
  exit: 'refused',
  httpStatus,
  meaning,
  ...(runbook === undefined ? {} : { runbook }),
});
const failed = (httpStatus: number, meaning: string, runbook?: string): ErrorCodeDefinition => ({
  ...refused(httpStatus, meaning, runbook),
  exit: 'failed',
});
const retryable = (definition: ErrorCodeDefinition): ErrorCodeDefinition => ({ ...definition, retryable: true });

/** By code, in the order of the rooms that throw them. */
export const ERROR_CODES = define({
  // Runtime
  configuration: failed(
    500,
    'A setting or a secret of the function is missing or malformed; a deployment corrects it.',
  ),
  invalid_request: {
    ...refused(400, 'The request is malformed; the message names each field and the form that it should have.'),
    exit: 'usage',
  },
  not_admitted: refused(
    500,
    'The function was invoked by an alias whose callers may not ask this. The API asks only what its routes need.',
  ),
  secret_unavailable: retryable(
    failed(503, 'Secrets Manager did not return the secret, or the secret is not JSON.', 'password-not-rotated'),
  ),
  unexpected: failed(500, 'An error that the platform does not know; its message and stack are in the log.'),

  // Databases and migrations
  database_unavailable: retryable(
    failed(503, 'The database server did not accept the connection.', 'database-connections'),
  ),
  database_busy: retryable(
    failed(
      503,
      'Other sessions kept the locks that the operation needs; the message names the oldest transactions.',
      'lock-wait',
    ),
  ),
  wrong_database: refused(409, 'No database of that name is there, or it carries another identity than asked for.'),
  foreign_database: refused(409, 'The database has tables but no identity, so it belongs to another application.'),
  unmigrated_database: refused(409, 'The database has no record of its migrations; apply them first.'),
  migration_files_unreadable: failed(500, 'The migration files are missing from the function; deploy it again.'),
  migration_name_malformed: failed(500, 'A migration file is not named `NNNN_verb_object.sql`.'),
  migration_duplicate: failed(500, 'Two migration files have the same number.'),
  migration_malformed: refused(
    422,
    'A migration file could end half applied: it controls transactions, lacks the mark for what runs without one, or is cut off.',
    'migration-failed',
  ),
  migration_irreversible: refused(
    409,
    'The migration has no down part; a restore takes its place.',
    'migration-failed',
  ),
  migration_not_last: refused(409, 'Another migration than the named one is the next, or the last applied one.'),
  migration_not_resolved: refused(
    409,
    'The schema is not the one that the record of migrations would claim.',
    'migration-failed',
  ),
  access_refused: failed(500, 'PostgreSQL refused a change of roles or privileges; none was made.'),
  migration_gap: refused(409, 'A migration is missing between others, among the files or in the database.'),
  migration_edited: refused(409, 'A migration file was edited after it was applied.'),
  migration_failed: failed(
    500,
    'A migration failed and was rolled back; those before it stay applied.',
    'migration-failed',
  ),
  schema_newer_than_code: refused(409, 'The database has a migration that this version of the code does not carry.'),

  // Moving to another server
  move_underway: refused(
    409,
    'The database is being moved to another server: schema, roles and privileges stay as they are until the end.',
  ),
  move_out_of_order: refused(409, 'Another step of the move comes first; the message names it.'),
  move_not_ready: refused(409, 'A check of the move failed; the message says what to do. Nothing was changed.'),
  move_not_equal: failed(500, 'The servers do not hold the same rows or the same schema. Writes stay where they were.'),
  move_stuck: retryable(
    failed(
      503,
      'A step of the move timed out; the message names what it waited for, and whether it was undone or has to be repeated.',
    ),
  ),

  // Archives and backups
  store_unavailable: retryable(failed(503, 'S3 did not carry out a request on the archive bucket.', 'backup-failed')),
  archive_malformed: failed(500, 'A manifest in the archive bucket cannot be read.', 'restore-drill-failed'),
  archive_unsupported: refused(409, 'The archive has a format that this version of the code does not read.'),
  archive_foreign: refused(409, 'The manifest describes another database or time than its place in the bucket says.'),
  archive_unauthenticated: refused(
    409,
    'The manifest carries no valid signature of this environment, or is not the one that the request names.',
    'archive-not-authentic',
  ),
  signing_key_unavailable: retryable(
    failed(503, 'KMS did not sign a manifest, or did not return the public key.', 'backup-failed'),
  ),
  clocks_differ: failed(
    500,
    'The clocks of function, S3 and database server differ, so that no archive is expired by any of them.',
    'backup-housekeeping-failed',
  ),
  unsupported_content: refused(409, 'The database holds content that an archive cannot carry.', 'backup-failed'),
  backup_running: retryable(refused(409, 'Another backup of the same database is running.')),
  database_too_large: refused(
    409,
    'The database exceeds the streaming limit, and can be neither restored to be archived nor exported.',
    'backup-too-large',
  ),
  database_in_use: refused(
    409,
    'Other sessions use a copy that is to be archived part by part, and therefore has to stand still.',
    'large-archive-failed',
  ),
  database_changed: failed(
    500,
    'Something wrote to a copy while it was archived part by part; nothing was published.',
    'large-archive-failed',
  ),
  archive_incomplete: failed(
    500,
    'Parts of an archive are missing, or are not what was copied; nothing was published.',
    'large-archive-failed',
  ),
  no_snapshot: failed(409, 'The instance has no complete snapshot to archive or to export.', 'backup-too-large'),
  snapshot_stale: retryable(
    failed(
      503,
      'The newest snapshot of the instance is older than two recovery points may lie apart; nothing was archived.',
      'recovery-points-stale',
    ),
  ),
  snapshot_quota: refused(409, 'The account has reached its quota of manual RDS snapshots.', 'backup-failed'),
  snapshot_failed: failed(502, 'RDS gave up the snapshot that was to precede a migration.', 'backup-failed'),
  workflow_unavailable: retryable(failed(503, 'Step Functions did not start a workflow.', 'backup-failed')),
  rds_unavailable: retryable(failed(503, 'RDS did not carry out a request.')),
  schema_changing: retryable(refused(409, 'A migration changed the tables while the backup began.', 'backup-failed')),
  snapshot_lost: retryable(
    failed(
      503,
      'The connection that kept the moment of the backup open was lost; nothing was published.',
      'backup-failed',
    ),
  ),
  privilege_missing: refused(403, 'The role of the function lacks a privilege; the message names it.', 'backup-failed'),
  server_unsupported: refused(
    409,
    'The version of the PostgreSQL server is newer, or older, than this work needs, or a setting of it forbids the work.',
  ),
  schema_malformed: failed(
    500,
    'The schema of an archive is cut off, or is no text of pg_dump.',
    'restore-drill-failed',
  ),
  schema_dump_failed: failed(500, 'pg_dump could not read the schema of the database.', 'backup-failed'),
  copy_failed: retryable(
    failed(500, 'The database, or the time of a call, ended the copy of a table.', 'backup-failed'),
  ),

  // Restores
  archive_not_found: refused(404, 'No archive matches the request.', 'backup-missing'),
  archive_damaged: failed(
    500,
    'An object of the archive is missing or is not what was written.',
    'restore-drill-failed',
  ),
  archive_inconsistent: failed(500, 'The restored data breaks a key, a count or an invariant.', 'restore-drill-failed'),
  disk_full: failed(507, 'The server has no disk left for what is loaded into it.', 'database-size'),
  extension_missing: refused(409, 'The target server lacks an extension that the archived database uses.'),
  schema_not_applied: failed(500, 'A statement of the archived schema failed.', 'restore-drill-failed'),
  archive_too_large: refused(
    409,
    'A large archive cannot be compared part by part; the message says why, and how to compare with it nevertheless.',
    'row-recovery-failed',
  ),
  drill_running: refused(
    409,
    'A drill of a large archive is under way, or was stopped a moment ago; the message names its database.',
    'restore-drill-failed',
  ),
  database_unproven: refused(409, 'A database that is being restored is not proven yet, so it keeps its passing name.'),
  target_exists: refused(409, 'The target database exists, and a restore never overwrites one.'),

  erasure_ledger_unreadable: retryable(
    failed(
      503,
      'The ledger of erasures, or its key, cannot be read, so people who were erased might come back; nothing was handed over.',
      'erasure-ledger-not-readable',
    ),
  ),

  // Erasures
  subject_not_found: refused(404, 'Neither database knows a customer or a user of this id.'),
  subject_active: refused(
    409,
    'A subscription of the person still runs, or an account is still paid out to; the message names it. End it first.',
  ),
  hooks_invalid: refused(
    422,
    'The settings of what to erase from the main database do not fit its tables; the message names the column and the fix.',
  ),

  // Row recovery
  report_not_found: refused(404, 'No report has the id.'),
  report_damaged: failed(500, 'An object of the report is missing or is not what was written; make a new report.'),
  schema_differs: refused(409, 'The live table has other columns than the archive or the report.'),
  no_primary_key: refused(422, 'The table has no primary key, so its rows cannot be compared.'),
  comparison_too_long: refused(
    422,
    'The comparison, or one part of it, takes longer than a call of the function: name fewer tables, or conditions that an index serves; the message says which.',
  ),
  erased_meanwhile: retryable(
    refused(
      409,
      'A person was erased while the report was made, or before it was merged, which might have held their rows; nothing was stored.',
    ),
  ),
  row_too_large: refused(422, 'A row is larger than a report can hold.'),
  changed_since_report: refused(409, 'A chosen row was changed or deleted after the report was made.'),
  merge_refused: refused(409, 'A constraint or a trigger of the live table rejects the rows.'),

  // Entitlements
  source_not_found: refused(404, 'No subscription or checkout session has the id.', 'unowned-purchases'),
  source_belongs_to_subscription: refused(409, 'The session started a subscription, which is what is assigned.'),

  // Stripe and events
  stripe_refused: failed(502, 'Stripe rejected the request.', 'reconciliation-failed'),
  stripe_unavailable: retryable(failed(503, 'Stripe did not answer in several attempts.', 'reconciliation-failed')),
  tilled_refused: failed(502, 'Tilled rejected the request.', 'reconciliation-failed'),
  tilled_unavailable: retryable(failed(503, 'Tilled did not answer in several attempts.', 'reconciliation-failed')),
  payout_unknown: refused(404, 'Neither an event nor Stripe told of the payout.', 'payout-failed'),
  payout_not_failed: refused(409, 'Only a failed payout that paid something out can be repeated.', 'payout-failed'),
  account_restricted: refused(
    409,
    'The connected account is restricted: its owner gives Stripe what is missing before it is paid.',
    'connect-account-restricted',
  ),
  queue_refused: failed(502, 'SQS rejected the message.', 'webhook-errors'),
  queue_unavailable: retryable(failed(503, 'SQS did not take the message in several attempts.', 'webhook-errors')),
  redrive_failed: retryable(failed(502, 'SQS rejected some parked messages; they stay parked.', 'events-parked')),
  reconciliation_running: retryable(refused(409, 'Another reconciliation is running.')),
  reconciliation_incomplete: failed(
    502,
    'Some objects or events could not be read or applied.',
    'reconciliation-failed',
  ),
  reconciliation_unrecorded: failed(500, 'The database did not record the run.', 'reconciliation-failed'),

  // Bitcoin
  node_unreachable: retryable(
    failed(503, 'The Bitcoin node did not answer, or is still starting.', 'bitcoin-node-unreachable'),
  ),
  node_refused: failed(
    502,
    'The Bitcoin node rejected the credentials or a call, or is no Bitcoin node.',
    'confirmations-failed',
  ),
  chain_diverged: refused(
    409,
    "The node's chain has none of the blocks that were looked at last.",
    'bitcoin-reorganisation',
  ),
  confirmations_running: retryable(refused(409, 'Another run is looking at the chain.')),

  // Canary
  endpoint_refused: retryable(failed(502, 'The public endpoint did not answer the canary 200.', 'canary-failed')),
  event_not_recorded: retryable(
    failed(504, "The canary's event was acknowledged, and is not in the ledger.", 'canary-failed'),
  ),

  // Keys
  key_not_found: refused(404, 'No key has the id.'),
  key_not_active: refused(409, 'The key is expired, revoked or replaced, and cannot be replaced again.'),
  // Maintenance
  maintenance_running: retryable(refused(409, 'Another maintenance of the same database is running.')),
  maintenance_incomplete: failed(
    500,
    'A task of maintenance failed; the others ran, and each is recorded.',
    'maintenance-failed',
  ),
  report_unsent: retryable(failed(502, 'The monthly report was not sent to its topic.', 'maintenance-failed')),

  // Audit
  action_recorded: refused(409, 'The end of this action is recorded already, and records are never changed.'),

  // Collector
  collection_incomplete: retryable(failed(503, 'Some gauges could not be measured.', 'collector-incomplete')),
  instance_unknown: failed(502, 'RDS reports no size for the instance.', 'collector-incomplete'),
  instance_class_unknown: failed(500, 'The memory of the instance class is not in the table.', 'collector-incomplete'),
  secret_undated: failed(502, 'Secrets Manager lists no current version of the secret.', 'collector-incomplete'),
});

export type ErrorCode = keyof typeof ERROR_CODES;

/** The name of an error with this code, as Lambda reports it in `errorType`: `store_unavailable` is `StoreUnavailable`. */
export function errorName(code: ErrorCode): string {
  return code.replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** The code behind an `errorType` of Lambda's; `undefined` for what the platform did not throw, such as a timeout. */
export function errorCodeOf(name: string): ErrorCode | undefined {
  return (Object.keys(ERROR_CODES) as ErrorCode[]).find((code) => errorName(code) === name);
}

/** Names of the errors after which the same call may succeed, for the retries of a workflow. */
export function retryableErrorNames(): string[] {
  return (Object.keys(ERROR_CODES) as ErrorCode[]).filter((code) => ERROR_CODES[code].retryable).map(errorName);
}
