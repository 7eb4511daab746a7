import * as z from 'zod';
import { FUNCTION_LOGINS } from '../../core/access/contract';
import type { ArchiveEnvironment } from '../../core/archive/contract';
import { databaseName, isoTime, type OperationContract } from '../../core/runtime/contract';
import { archive, archives, drills, schemaChanges } from './archive/contract';
import { records } from './audit/contract';
import { bitcoin } from './bitcoin/contract';
import { queries, server, sessions, tables } from './database/contract';
import { event, events, figures, findings, payouts, reconciliations } from './ledger/contract';
import { activity, alarms } from './pipeline/contract';
import {
  API_ALIAS,
  type BaseEnvironment,
  type BillingDatabaseEnvironment,
  type MainDatabaseEnvironment,
} from '../../core/contract';

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
  /** JSON: secrets of the logins of functions, by database and login, looked up likewise. @default none */
  readonly LOGIN_SECRETS?: string;
}

/**
 * Days after which a secret is changed, by security policy. Shorter means more chances for a rotation to fail; longer
 * leaves a leaked secret valid for longer.
 */
export const SECRET_ROTATION_DAYS = 90;
/** Secrets Manager rotates within the day on which a rotation is due, and tries again on the next. */
export const ROTATION_GRACE_DAYS = 2;

/** `…-database` is that of the owner of the tables. */
const secretNames = z.union([
  z.enum(['billing-database', 'main-database', 'stripe-api', 'stripe-signing']),
  z.templateLiteral([databaseName, '-login-', z.enum(FUNCTION_LOGINS)]),
]);

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
        lastDrill: z
          .strictObject({
            startedAt: isoTime,
            outcome: z.string(),
            findings: z
              .string()
              .nullable()
              .describe('How much a drill that passed or was slow did not restore as archived; null for nothing.'),
          })
          .nullable(),
        madeAt: isoTime.nullable().describe('ISO time of its first migration: what never ran is due from then on.'),
        maintenance: z
          .array(z.strictObject({ task: z.string(), at: isoTime }))
          .describe('Tasks that have run to their end, each with the start of the last such run.'),
      }),
    ),
    events: z
      .strictObject({
        failed: z.int().describe('Events of the ledger that could not be applied.'),
        unfinished: z.int().describe('Events of the ledger that were received and not yet applied.'),
        lastHour: z.int().describe('Events that happened at the provider in the last hour, without the canary.'),
        newestAt: isoTime
          .nullable()
          .describe('ISO time at which the newest one happened at the provider; null before the first.'),
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
    erasures: z
      .strictObject({ open: z.int(), since: isoTime })
      .optional()
      .describe('How many erasures of people began and are not finished, and when the oldest began; absent for none.'),
    secrets: z.array(z.strictObject({ secret: secretNames, changedAt: isoTime.nullable() })),
    problems: z
      .array(z.string())
      .describe(
        'What could not be looked up, and why: `billing`, `main`, `archives of <database>`, `ledger`, `queues` or `secret <name>`, a colon, the reason. Of these, null means unknown. The rest of the answer holds.',
      ),
  }),
};

/** Each kind of question with the form of its answer. */
export const INSPECTIONS = {
  status,
  activity,
  alarms,
  events,
  event,
  archives,
  archive,
  'schema-changes': schemaChanges,
  drills,
  reconciliations,
  findings,
  figures,
  payouts,
  tables,
  sessions,
  queries,
  server,
  bitcoin,
  records,
} as const;

export type InspectionName = keyof typeof INSPECTIONS;
export type InspectionReport<Name extends InspectionName> = z.infer<(typeof INSPECTIONS)[Name]['report']>;
export type InspectionRequest<Name extends InspectionName> = z.infer<(typeof INSPECTIONS)[Name]['request']>;

export const inspectRequest = z.discriminatedUnion('action', [
  status.request,
  activity.request,
  alarms.request,
  events.request,
  event.request,
  archives.request,
  archive.request,
  schemaChanges.request,
  drills.request,
  reconciliations.request,
  findings.request,
  figures.request,
  payouts.request,
  tables.request,
  sessions.request,
  queries.request,
  server.request,
  bitcoin.request,
  records.request,
]);
/** A request whose form was checked and whose defaults are filled in. */
export type CheckedInspectRequest = Readonly<z.infer<typeof inspectRequest>>;

const inspectReport = z.discriminatedUnion('action', [
  status.report,
  activity.report,
  alarms.report,
  events.report,
  event.report,
  archives.report,
  archive.report,
  schemaChanges.report,
  drills.report,
  reconciliations.report,
  findings.report,
  figures.report,
  payouts.report,
  tables.report,
  sessions.report,
  queries.report,
  server.report,
  bitcoin.report,
  records.report,
]);
export type InspectReport = Readonly<z.infer<typeof inspectReport>>;

/** What the Stability page and the health routes show: never a payload, nor statements and sessions of a database. */
const requestOfApi = z.discriminatedUnion('action', [
  status.request,
  activity.request,
  alarms.request,
  events.request,
  event.request.omit({ payload: true }),
  archives.request,
  drills.request,
  reconciliations.request,
  findings.request,
  payouts.request.pick({ action: true, open: true, limit: true }),
  bitcoin.request,
]);

/** Answers questions about the state of the platform, for operators. Every session with a database is read-only. */
export const contract = {
  request: inspectRequest,
  report: inspectReport,
  effect: {
    status: 'reads',
    activity: 'reads',
    alarms: 'reads',
    events: 'reads',
    event: 'reads',
    archives: 'reads',
    archive: 'reads',
    'schema-changes': 'reads',
    drills: 'reads',
    reconciliations: 'reads',
    findings: 'reads',
    figures: 'reads',
    payouts: 'reads',
    tables: 'reads',
    sessions: 'reads',
    queries: 'reads',
    server: 'reads',
    bitcoin: 'reads',
    records: 'reads',
  },
  aliases: { [API_ALIAS]: requestOfApi },
} as const satisfies OperationContract;
