import * as z from 'zod';
import type { ArchiveEnvironment } from '../../core/archive/contract';
import type { BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment } from '../../core/contract';
import type { ErasureEnvironment } from '../../core/erasure/contract';
import { databaseName, isoTime, type OperationContract } from '../../core/runtime/contract';

export interface DrillEnvironment
  extends BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment, ArchiveEnvironment, ErasureEnvironment {
  /** Minutes in which a restored billing database must be verified and ready. */
  readonly BILLING_RESTORE_TARGET_MINUTES: string;
  /** Minutes in which a restored main database must be verified and ready. */
  readonly MAIN_RESTORE_TARGET_MINUTES: string;
  /** GiB of COPY text above which the function does not restore an archive itself: a workflow does. */
  readonly STREAMING_LIMIT_GIB: string;
  /** Workflow that restores a larger archive. */
  readonly BILLING_RESTORE_WORKFLOW_ARN: string;
  readonly MAIN_RESTORE_WORKFLOW_ARN: string;
}

export const drillRequest = z.strictObject({ database: databaseName });
/** Asks for a drill: the newest archive is restored into a scratch database, verified, timed, and dropped again. */
export type DrillRequest = Readonly<z.infer<typeof drillRequest>>;

const drillOutcome = z
  .enum(['passed', 'slow', 'failed', 'interrupted'])
  .describe(
    "`slow`: the restore is sound, but took longer than the target, or would at the live database's size. `interrupted`: the function was killed; the next drill found what it had left behind.",
  );
/** How a drill ended. */
export type DrillOutcome = z.infer<typeof drillOutcome>;

export const drillRecord = z.strictObject({
  database: databaseName,
  startedAt: isoTime.describe('ISO time at which the drill began; names the record.'),
  outcome: drillOutcome,
  slot: isoTime.nullable().describe('ISO time that names the archive.'),
  tables: z.int().nullable().describe('Tables that were restored.'),
  rows: z.int().nullable().describe('Rows that were restored.'),
  durationMs: z.number().nullable().describe('Milliseconds from the request to a verified database.'),
  restoredBytes: z.number().nullable().describe('Bytes of the restored database, with its indexes.'),
  bytesPerSecond: z.number().nullable().describe('Bytes of the restored database per second of the restore.'),
  liveBytes: z.number().nullable().describe('Bytes of the live database at the time of the drill.'),
  projectedMs: z
    .number()
    .nullable()
    .describe("Milliseconds that the restore would take at the live database's size and the rate of this drill."),
  targetMs: z.number().describe('Milliseconds in which a restored database must be ready.'),
  targetPercent: z.number().nullable().describe('The longer of duration and projection, in percent of the target.'),
  deviations: z
    .int()
    .nullable()
    .default(null)
    .describe(
      'Parts of the archived schema that the server did not take, and a pending migration of the deployed code that failed. The log of the function names each: of `drill`, or of `restore` when a workflow made the drill. Null when unknown.',
    ),
  schemaDifferences: z
    .int()
    .nullable()
    .default(null)
    .describe(
      'Objects whose definition reads otherwise than the archived one. The same log names each. Null when unknown.',
    ),
  error: z.string().nullable().describe('Code and message of the error that ended the drill.'),
});
/** What a drill leaves on record, in the bucket and in the database. A field that was not reached is null. */
export type DrillRecord = Readonly<z.infer<typeof drillRecord>>;

/** How many parts of a restored database are not as archived. */
export type RestoredFindings = Pick<DrillRecord, 'deviations' | 'schemaDifferences'>;

/** How much a drill did not restore as archived, and where to read on; null when it has no findings. */
export function findingsOf({ deviations, schemaDifferences }: RestoredFindings): string | null {
  if (!deviations && !schemaDifferences) return null;
  return `${deviations} not as archived, ${schemaDifferences} to compare: see docs/runbook.md#restore-drill-findings`;
}

export const drillReport = z.strictObject({
  ...drillRecord.shape,
  outcome: z
    .enum([...drillOutcome.options, 'started'])
    .describe(
      'As on record; `started`: the archive is too large for one call, so a workflow drills it, which takes hours and continues after this answer. It records the drill at its end.',
    ),
  execution: z
    .string()
    .optional()
    .describe('ARN of the execution of the workflow, after `started`: `ops runs` follows it.'),
});
/** How a drill ended, or what was started for it. */
export type DrillReport = Readonly<z.infer<typeof drillReport>>;

/** Proves that the newest archive can be restored in time. */
export const contract = {
  request: drillRequest,
  report: drillReport,
  effect: 'adds',
} as const satisfies OperationContract;

const ofWorkflow = {
  database: databaseName,
  startedAt: isoTime.describe('ISO time at which the workflow was started; names the drill and its database.'),
};
const stepReport = {
  name: z.string().describe('Database that is gone.'),
  record: drillRecord,
};

/** How the workflow that restores large archives ends a drill. Each step may be repeated; no operator takes them. */
export const stepContract = {
  request: z.discriminatedUnion('step', [
    z.strictObject({
      ...ofWorkflow,
      step: z.literal('record'),
      slot: isoTime.describe('ISO time that names the archive.'),
      manifestSha256: z.string().describe('Digest of the manifest that was restored.'),
      finishedAt: isoTime.describe('ISO time at which the database was proven.'),
    }),
    z.strictObject({
      ...ofWorkflow,
      step: z.literal('fail'),
      error: z.string().describe('Name of the error that ended the drill.'),
      cause: z.string().describe('What the error says.'),
      execution: z.string().describe('ARN of the execution.'),
    }),
  ]),
  report: z.discriminatedUnion('step', [
    z.strictObject({ ...stepReport, step: z.literal('record') }),
    z.strictObject({ ...stepReport, step: z.literal('fail') }),
  ]),
  effect: 'adds',
} as const satisfies OperationContract;
export type DrillStepRequest = z.infer<(typeof stepContract)['request']>;
export type DrillStepReport = z.infer<(typeof stepContract)['report']>;

/** Folder of the records in the archive bucket: `drills/<database>/<time>.json`. The function writes nowhere else. */
export const DRILL_PREFIX = 'drills/';

export const DRILL_METRICS = {
  /** A drill that restored and verified its archive, also a slow one. */
  succeeded: 'DrillSucceeded',
  failed: 'DrillFailed',
  durationMs: 'DrillDuration',
  /** Deviations and schema differences of a drill that restored its archive; not published when they are unknown. */
  findings: 'DrillFindings',
  /** Above 100, the restore target would be missed. */
  targetPercent: 'DrillTargetPercent',
} as const;
