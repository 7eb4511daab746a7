import * as z from 'zod';
import type { BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment } from '../../core/contract';
import { residencyResult } from '../../core/residency/contract';
import { databaseName, dryRun, isoTime, type OperationContract } from '../../core/runtime/contract';

export interface MaintenanceEnvironment extends BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment {
  /** Name of the function that is asked how backups, drills, events and secrets are. */
  readonly INSPECT_FUNCTION_NAME: string;
  /** Secrets of the logins that look for card numbers: they read every table and nothing else. */
  readonly BILLING_READER_SECRET_ARN: string;
  readonly MAIN_READER_SECRET_ARN: string;
  /** RDS identifiers of the instances; empty where a database does not run on RDS. */
  readonly BILLING_INSTANCE_IDENTIFIER: string;
  readonly MAIN_INSTANCE_IDENTIFIER: string;
  /** Topic that the monthly report is sent to; empty where none is sent. */
  readonly REPORT_TOPIC_ARN: string;
}

/** What is done to a database, in this order. The last two are about no database: their records are in billing. */
export const MAINTENANCE_TASKS = ['sizes', 'vacuum', 'indexes', 'reindex', 'cards', 'logs', 'residency'] as const;
export type MaintenanceTask = (typeof MAINTENANCE_TASKS)[number];
const BILLING_TASKS = ['logs', 'residency'] as const satisfies readonly MaintenanceTask[];

/** Stacks with log groups. */
export const LOGGING_STACKS = ['Data', 'Operations'] as const;
/** How the logical id of the one log begins that is not scanned for cards: the flow log of the network has no text. */
export const UNSCANNED_LOG = 'NetworkFlowLogs';

/** Relations that a list names at most. */
export const MAX_LISTED = 20;
const count = z.int();
const byteCount = z.number().describe('Bytes.');

const tableSize = z.strictObject({
  table: z.string(),
  bytes: z.number().describe('With indexes and what is stored apart.'),
  indexBytes: byteCount,
  rows: z.number().describe('As autovacuum counts them.'),
  deadRows: z.number(),
  weekAgoBytes: z.number().nullable().describe('Null without a sample of that time.'),
  monthAgoBytes: z.number().nullable(),
});
export const sizesResult = z.strictObject({
  databaseBytes: byteCount,
  weekAgoBytes: z.number().nullable().describe('Of the database, a week ago; null without a sample of that time.'),
  monthAgoBytes: z.number().nullable(),
  tables: z.array(tableSize).describe('The largest.'),
});

const skipped = z.strictObject({ relation: z.string(), reason: z.string() });
const bloat = z.strictObject({
  relation: z.string(),
  kind: z.enum(['table', 'index']),
  bytes: byteCount,
  bloatBytes: z.number().describe('Bytes that the rows would not need, estimated from the statistics.'),
  bloatPercent: z.number(),
});
export const vacuumResult = z.strictObject({
  vacuumed: z.array(z.strictObject({ table: z.string(), reason: z.string(), durationMs: z.number() })),
  skipped: z.array(skipped).describe('What needed a vacuum and had none, and why.'),
  bloat: z.array(bloat).describe('The most bloated tables and indexes, after the vacuum.'),
});

export const indexesResult = z.strictObject({
  explained: count.describe('Named statements of the platform whose plans were looked at.'),
  fullReads: z
    .array(z.strictObject({ statement: z.string(), tables: z.array(z.string()) }))
    .describe('Statements that read a whole table, because no index serves them or PostgreSQL uses none.'),
  countedSince: isoTime.nullable().describe('From when on uses of indexes are counted; null when it is unknown.'),
  unused: z
    .array(z.strictObject({ index: z.string(), table: z.string(), bytes: byteCount }))
    .describe(
      'Indexes of a MiB or more that no query used, and that enforce nothing. Empty until uses were counted for four weeks.',
    ),
  duplicate: z
    .array(z.strictObject({ index: z.string(), table: z.string(), coveredBy: z.string(), bytes: byteCount }))
    .describe('Indexes whose columns another index begins with.'),
  missing: z
    .array(
      z.strictObject({ table: z.string(), columns: z.array(z.string()), references: z.string(), bytes: byteCount }),
    )
    .describe(
      'Foreign keys of tables of a MiB or more without an index: each deletion of a referenced row reads the whole table.',
    ),
  invalid: z.array(z.string()).describe('Indexes that a killed CREATE INDEX or REINDEX CONCURRENTLY left behind.'),
});

export const reindexResult = z.strictObject({
  removed: z.array(z.string()).describe('Leftovers of a rebuild that was killed.'),
  rebuilt: z.array(z.strictObject({ index: z.string(), bytesBefore: byteCount, bytesAfter: byteCount })),
  skipped: z.array(skipped),
});

export const cardsResult = z.strictObject({
  found: count.describe('Card numbers that were found, by table, column and row.'),
  findings: z
    .array(
      z.strictObject({
        table: z.string(),
        column: z.string(),
        row: z
          .string()
          .describe(
            'Primary key, or `ctid` and where the row is; `erased` after an erasure. Never the number, nor any of its digits.',
          ),
        block: count.describe('Page of the table that the row is in.'),
        brand: z.string(),
        withCode: z.boolean().describe('Whether a card verification code is beside it.'),
        missingSince: isoTime
          .nullable()
          .describe(
            'The first scan that did not see it again, and had not read the whole table since; null when it was seen.',
          ),
      }),
    )
    .describe('The first two thousand; of `show`, the first hundred.'),
  probableIds: count.describe(
    'Numbers in columns of long ids, of which some have the check digit of a card by chance. They raise no alarm.',
  ),
  tables: z.array(
    z.strictObject({
      table: z.string(),
      columns: count.describe('Of text or JSON.'),
      blocks: z.number().describe('Pages of 8 KiB.'),
      scanned: z.number().describe('Pages that this scan read.'),
      nextBlock: z.number().describe('Where the next scan continues.'),
      beganAt: isoTime
        .nullable()
        .describe('The scan that began at its first page; null where a page had to be left out since.'),
      scannedAt: isoTime.nullable().describe('The last scan that read of it; null for none.'),
      wholeAt: isoTime.nullable().describe('The last scan that reached its end; null for none.'),
    }),
  ),
  skipped: z.array(skipped).describe('What was not looked at, and why.'),
});

export const logsResult = z.strictObject({
  found: count.describe('Lines with card numbers, by log, stream and millisecond.'),
  findings: z.array(
    z.strictObject({
      group: z.string().describe('Log group.'),
      stream: z.string().describe('Log stream.'),
      at: isoTime.describe('Of the line. Never the number, nor any of its digits.'),
      brand: z.string(),
      withCode: z.boolean().describe('Whether a card verification code is beside it.'),
      key: z
        .string()
        .nullable()
        .default(null)
        .describe(
          'Key of JSON of a number that stands alone, empty outside of JSON: no finding once the key turns out to hold ids. Null for others.',
        ),
    }),
  ),
  probableIds: count.describe('Numbers in keys of long ids, of which some have the check digit of a card by chance.'),
  numbers: z
    .array(z.strictObject({ group: z.string(), key: z.string(), valid: count, failed: count }))
    .default([])
    .describe(
      'Numbers that stand alone, by the key of JSON, with a valid check digit and without: of all scans, the 500 keys with the most. They tell keys of ids from those of cards. Not in lists.',
    ),
  groups: z.array(
    z.strictObject({
      group: z.string(),
      exists: z.boolean().describe('`false`: there is no such log, so nothing was written to it.'),
      lines: count.describe('Lines that this scan read.'),
      characters: z.number().describe('Of these lines.'),
      scannedUntil: isoTime.nullable().describe('The next scan continues here; null where none read of it.'),
      wholeAt: isoTime.nullable().describe('The last scan that reached its end; null for none.'),
    }),
  ),
  skipped: z.array(skipped).describe('What was not looked at, or not to its end, and why.'),
  uncovered: z
    .array(z.strictObject({ what: z.string(), reason: z.string() }))
    .default([])
    .describe('Logs that no scan reads, and why: of servers and instances that write none to CloudWatch here.'),
});

const outcome = z
  .enum(['running', 'done', 'partial', 'failed', 'interrupted'])
  .describe('`partial`: something was left out, as its result says. `interrupted`: the function was killed.');
export type TaskOutcome = z.infer<typeof outcome>;

const recordOf = <Task extends MaintenanceTask, Result extends z.ZodType>(task: Task, result: Result) =>
  z.strictObject({
    task: z.literal(task),
    startedAt: isoTime,
    durationMs: z.number().nullable(),
    outcome,
    error: z.string().nullable(),
    result: result.nullable().describe('Null where the task did not get that far.'),
  });
export const taskRecord = z.discriminatedUnion('task', [
  recordOf('sizes', sizesResult),
  recordOf('vacuum', vacuumResult),
  recordOf('indexes', indexesResult),
  recordOf('reindex', reindexResult),
  recordOf('cards', cardsResult),
  recordOf('logs', logsResult),
  recordOf('residency', residencyResult),
]);
/** What a task leaves on record in its database. */
export type TaskRecord = Readonly<z.infer<typeof taskRecord>>;
export type ResultOf<Task extends MaintenanceTask> = NonNullable<Extract<TaskRecord, { task: Task }>['result']>;

const limitForm = 'expected a whole number from 1 to 100';
export const maintenanceRequest = z.discriminatedUnion('action', [
  z
    .strictObject({
      action: z.literal('run').describe('Runs tasks on a database.'),
      database: databaseName,
      tasks: z
        .array(z.enum(MAINTENANCE_TASKS))
        .min(1)
        .default(['sizes', 'vacuum', 'indexes'])
        .describe(
          'Default: all but `reindex`, which rebuilds bloated indexes, `cards`, which looks for card numbers, `logs`, which looks for them in the logs of the stacks, and `residency`, which looks up in which regions data is (the last two of billing only: their records are there). These run only when they are named.',
        ),
      dryRun,
    })
    .superRefine(({ database, tasks }, context) => {
      for (const task of database === 'billing' ? [] : BILLING_TASKS.filter((each) => tasks.includes(each))) {
        context.addIssue({
          code: 'custom',
          path: ['tasks'],
          message: `\`${task}\` is a task of billing, which keeps its record`,
        });
      }
    }),
  z.strictObject({
    action: z.literal('show').describe('Lists what maintenance did to a database, the newest first.'),
    database: databaseName,
    limit: z.int(limitForm).min(1, limitForm).max(100, limitForm).default(10).describe('Records to list at most.'),
  }),
  z.strictObject({
    action: z.literal('report').describe('Writes the monthly report.'),
    send: z.boolean().default(false).describe('`true` also sends it to the topic of reports.'),
  }),
]);
export type MaintenanceRequest = Readonly<z.input<typeof maintenanceRequest>>;
/** A request whose form was checked and whose defaults are filled in. */
export type CheckedMaintenanceRequest = Readonly<z.infer<typeof maintenanceRequest>>;

export const runReport = z.strictObject({
  action: z.literal('run'),
  database: databaseName,
  dryRun: z.boolean(),
  tasks: z.array(taskRecord),
});
export const showReport = z.strictObject({
  action: z.literal('show'),
  database: databaseName,
  tasks: z.array(taskRecord),
});
export const monthlyReport = z.strictObject({
  action: z.literal('report'),
  subject: z.string(),
  text: z.string(),
  decisions: count.describe('Questions under "To decide".'),
  sent: z.boolean(),
});

/** Vacuums, measures and checks the databases, and reports on them once a month. */
export const contract = {
  request: maintenanceRequest,
  report: z.discriminatedUnion('action', [runReport, showReport, monthlyReport]),
  effect: { run: 'changes', show: 'reads', report: 'adds' },
} as const satisfies OperationContract;
export type MaintenanceReport = Readonly<z.infer<typeof contract.report>>;

export const MAINTENANCE_METRICS = {
  /** 1 for each run whose tasks all ended. Dimension `database`. */
  succeeded: 'MaintenanceSucceeded',
  /** 1 for each run, or report, that hit an error. Dimension `database`, except of a report. */
  failed: 'MaintenanceFailed',
  /** Bytes of tables and indexes that a rebuild would free, estimated. Dimension `database`. */
  bloatBytes: 'BloatBytes',
  /** Unused, duplicate, missing and invalid indexes, and statements that read a whole table. Dimension `database`. */
  indexFindings: 'IndexFindings',
  /** Card numbers that a scan found. Dimension `database`. */
  cardsFound: 'CardNumbersFound',
  /** Lines of logs in which a scan found card numbers. Dimension `database`, which is billing. */
  cardsInLogs: 'CardNumbersInLogs',
  /** Resources and copies in a region that is not allowed, or in an unknown one. Dimension `database`, which is billing. */
  outsideRegions: 'DataOutsideRegions',
  durationMs: 'MaintenanceDuration',
} as const;
