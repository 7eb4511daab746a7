import * as z from 'zod';
import { type ArchiveEnvironment, signatureState } from '../../core/archive/contract';
import { databaseName, isoTime, type OperationContract } from '../../core/runtime/contract';
import { limit, queries, server, sessions, tables } from './database/contract';
import type { BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment } from '../../core/contract';

export interface InspectEnvironment
  extends BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment, ArchiveEnvironment {
  /** Hours between two archives of the database, by its backup policy. */
  readonly BILLING_FREQUENCY_HOURS: string;
  readonly MAIN_FREQUENCY_HOURS: string;
  /** Queue of verified events that the processor takes from. */
  readonly QUEUE_URL: string;
  /** Queue of events that failed every attempt. */
  readonly DEAD_LETTER_QUEUE_URL: string;
  /** The secrets that Stripe issues: looked up for their age, never read. */
  readonly STRIPE_API_SECRET_ARN: string;
  readonly STRIPE_SIGNING_SECRET_ARN: string;
}

/**
 * Hours after which a job that is due is missing: for its start, its run and a retry. Fewer page for a retry; more hide a
 * missing backup for longer.
 */
export const GRACE_HOURS = 2;
/** Drills are monthly: the longest month, and a long weekend to look into one that did not start. */
export const DRILL_LIMIT_DAYS = 35;
/** Hours from which a complete reconciliation is too old: it is daily. */
export const RECONCILIATION_LIMIT_HOURS = 24 + GRACE_HOURS;
/**
 * Days after which a secret is changed, by security policy. Shorter means more chances for a rotation to fail; longer
 * leaves a leaked secret valid for longer.
 */
export const SECRET_ROTATION_DAYS = 90;
/** Secrets Manager rotates within the day on which a rotation is due, and tries again on the next. */
export const ROTATION_GRACE_DAYS = 2;

const EVENT_STATUSES = ['received', 'processing', 'processed', 'ignored', 'failed', 'dismissed'] as const;

const eventRow = z.strictObject({
  id: z.string(),
  provider: z.string(),
  type: z.string(),
  status: z.enum(EVENT_STATUSES),
  attempts: z.int(),
  error: z.string().nullable(),
  source: z.string().describe('`webhook`, or what found an event that was never delivered.'),
  apiVersion: z.string().nullable(),
  occurredAt: isoTime.describe('ISO time at which the provider made it.'),
  receivedAt: isoTime,
  processedAt: isoTime.nullable(),
});

const archiveRow = z.strictObject({
  slot: isoTime.describe('ISO time that names the archive.'),
  finishedAt: isoTime,
  schemaVersion: z.string().nullable().describe('The last migration, of another tool where it has a record.'),
  tables: z.int(),
  rows: z.int(),
  bytes: z.number().describe('Bytes of COPY text.'),
  compressedBytes: z.number().describe('Bytes in S3.'),
  durationMs: z.number(),
  signature: signatureState,
  manifestSha256: z.string().describe('SHA-256 of the manifest.'),
});

const events = {
  request: z.strictObject({
    action: z.literal('events').describe('Lists events of the ledger, the newest first.'),
    status: z.enum(EVENT_STATUSES).optional().describe('Only events of this status. Default: all.'),
    type: z.string().min(1).optional().describe('Only events of this type, such as `invoice.paid`. Default: all.'),
    since: isoTime.optional().describe('Only events that were received from this ISO time on. Default: all.'),
    limit,
  }),
  report: z.strictObject({
    action: z.literal('events'),
    events: z.array(eventRow),
  }),
};

const event = {
  request: z.strictObject({
    action: z.literal('event').describe('Answers all that the ledger has of an event.'),
    id: z.string().min(1).describe('Id of the event.'),
    payload: z
      .boolean()
      .default(false)
      .describe('With what was delivered, which holds personal data. Default: without.'),
  }),
  report: z.strictObject({
    action: z.literal('event'),
    event: eventRow
      .extend({
        objectId: z.string().nullable().describe('Id of the object that it is about.'),
        livemode: z.boolean(),
        dismissedBy: z.string().nullable(),
        dismissalReason: z.string().nullable(),
        payload: z.unknown().describe('As delivered; null unless asked for.'),
      })
      .nullable()
      .describe('Null when the ledger has no event of the id.'),
  }),
};

const archive = {
  request: z.strictObject({
    action: z.literal('archive').describe('Answers what an archive holds.'),
    database: databaseName,
    slot: z.union([z.literal('latest'), isoTime]).describe('ISO time that names the archive, or `latest`.'),
  }),
  report: z.strictObject({
    action: z.literal('archive'),
    database: databaseName,
    archive: archiveRow
      .extend({
        startedAt: isoTime,
        serverVersion: z.string(),
        objects: z.int().describe('Objects in S3 that it consists of.'),
        contents: z.array(z.strictObject({ table: z.string(), rows: z.int(), bytes: z.number() })),
      })
      .nullable()
      .describe('Null when there is no complete archive of the name.'),
  }),
};

const archives = {
  request: z.strictObject({
    action: z.literal('archives').describe('Lists the archives of a database, the newest first.'),
    database: databaseName,
    limit,
  }),
  report: z.strictObject({
    action: z.literal('archives'),
    database: databaseName,
    archives: z.array(archiveRow),
    incomplete: z.array(isoTime).describe('Slots that have objects but no manifest: running or failed backups.'),
    unreadable: z
      .array(z.strictObject({ slot: isoTime, problem: z.string() }))
      .describe('Slots whose manifest cannot be read, and why.'),
  }),
};

const drills = {
  request: z.strictObject({
    action: z.literal('drills').describe('Lists the restore drills of a database, the newest first.'),
    database: databaseName,
    limit,
  }),
  report: z.strictObject({
    action: z.literal('drills'),
    database: databaseName,
    drills: z.array(
      z.strictObject({
        startedAt: isoTime,
        outcome: z.string().describe('As in the record of a drill.'),
        slot: isoTime.nullable(),
        rows: z.int().nullable(),
        durationMs: z.number().nullable(),
        targetMs: z.number(),
        error: z.string().nullable(),
      }),
    ),
  }),
};

const reconciliations = {
  request: z.strictObject({
    action: z.literal('reconciliations').describe('Lists the reconciliations, the newest first.'),
    limit,
  }),
  report: z.strictObject({
    action: z.literal('reconciliations'),
    runs: z.array(
      z.strictObject({
        runId: z.string(),
        status: z.string().describe('`running`, `interrupted`, `complete` or `failed`.'),
        dryRun: z.boolean(),
        startedAt: isoTime,
        finishedAt: isoTime.nullable(),
        eventsMissed: z.int(),
        driftDetected: z.int(),
        corrected: z.int(),
        errors: z.int(),
        error: z.string().nullable(),
      }),
    ),
  }),
};

const findings = {
  request: z.strictObject({
    action: z.literal('findings').describe('Lists what a reconciliation found to differ from the provider.'),
    runId: z
      .string()
      .regex(/^\d{1,18}$/, 'expected the id of a run')
      .optional()
      .describe('Id of the run. Default: the last one that was no dry run.'),
    limit,
  }),
  report: z.strictObject({
    action: z.literal('findings'),
    runId: z.string().nullable().describe('Null when there is no such run.'),
    total: z.int().describe('All findings of the run, also those beyond the limit.'),
    findings: z.array(
      z.strictObject({
        kind: z.string(),
        objectType: z.string(),
        objectId: z.string(),
        field: z.string().nullable(),
        localValue: z.string().nullable(),
        remoteValue: z.string().nullable(),
        corrected: z.boolean(),
      }),
    ),
  }),
};

const secretNames = z.enum(['billing-database', 'main-database', 'stripe-api', 'stripe-signing']);

const status = {
  request: z.strictObject({
    action: z
      .literal('status')
      .describe('Answers how databases, backups, events, reconciliation, money and secrets are.'),
  }),
  report: z.strictObject({
    action: z.literal('status'),
    at: isoTime,
    databases: z.array(
      z.strictObject({
        database: databaseName,
        sizeBytes: z.number().nullable(),
        connectionsPercent: z.number().nullable().describe('Of the connections that ordinary users may have.'),
        schemaVersion: z.string().nullable().describe('The last applied migration.'),
        newestArchive: isoTime.nullable().describe('ISO time of the newest archive or export.'),
        archiveLimitSeconds: z
          .number()
          .describe('Age from which the newest archive is too old: its frequency and two hours.'),
        lastDrill: z.strictObject({ startedAt: isoTime, outcome: z.string() }).nullable(),
      }),
    ),
    events: z
      .strictObject({
        failed: z.int().describe('Events of the ledger that could not be applied.'),
        unfinished: z.int().describe('Events of the ledger that were received and not yet applied.'),
        lastHour: z.int().describe('Events that happened at the provider in the last hour.'),
        newestAt: isoTime.nullable().describe('ISO time at which the newest one was received; null before the first.'),
      })
      .nullable(),
    queues: z
      .strictObject({
        waiting: z.int().describe('Messages that wait for the processor or are with it.'),
        parked: z.int().describe('Messages that failed every attempt.'),
      })
      .nullable(),
    reconciliation: z
      .strictObject({ startedAt: isoTime, status: z.string(), completeAt: isoTime.nullable() })
      .nullable()
      .describe('The last run, and the start of the last one that was complete and no dry run.'),
    money: z
      .strictObject({
        failedSubscriptionsPercent: z.number(),
        refundsToday: z.array(
          z.strictObject({
            currency: z.string(),
            refunds: z.int(),
            amount: z.string().describe('In the smallest unit.'),
          }),
        ),
      })
      .nullable(),
    secrets: z.array(z.strictObject({ secret: secretNames, changedAt: isoTime.nullable() })),
    problems: z.array(z.string()).describe('What could not be looked up, and why. The rest of the answer holds.'),
  }),
};

/** Each kind of question with the form of its answer. */
export const INSPECTIONS = {
  status,
  events,
  event,
  archives,
  archive,
  drills,
  reconciliations,
  findings,
  tables,
  sessions,
  queries,
  server,
} as const;

export type InspectionName = keyof typeof INSPECTIONS;
export type InspectionReport<Name extends InspectionName> = z.infer<(typeof INSPECTIONS)[Name]['report']>;
export type InspectionRequest<Name extends InspectionName> = z.infer<(typeof INSPECTIONS)[Name]['request']>;

export const inspectRequest = z.discriminatedUnion('action', [
  status.request,
  events.request,
  event.request,
  archives.request,
  archive.request,
  drills.request,
  reconciliations.request,
  findings.request,
  tables.request,
  sessions.request,
  queries.request,
  server.request,
]);
/** A request whose form was checked and whose defaults are filled in. */
export type CheckedInspectRequest = Readonly<z.infer<typeof inspectRequest>>;

const inspectReport = z.discriminatedUnion('action', [
  status.report,
  events.report,
  event.report,
  archives.report,
  archive.report,
  drills.report,
  reconciliations.report,
  findings.report,
  tables.report,
  sessions.report,
  queries.report,
  server.report,
]);
export type InspectReport = Readonly<z.infer<typeof inspectReport>>;

/** Answers questions about the state of the platform, for operators. Every session with a database is read-only. */
export const contract = {
  request: inspectRequest,
  report: inspectReport,
  effect: {
    status: 'reads',
    events: 'reads',
    event: 'reads',
    archives: 'reads',
    archive: 'reads',
    drills: 'reads',
    reconciliations: 'reads',
    findings: 'reads',
    tables: 'reads',
    sessions: 'reads',
    queries: 'reads',
    server: 'reads',
  },
} as const satisfies OperationContract;
