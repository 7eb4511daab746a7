import path from 'node:path';
import * as z from 'zod';
import { cacheUrlSetting } from '../../core/cache/settings';
import { openArchiveStore } from '../../core/archive/open-store';
import { archiveChoice } from '../../core/archive/request';
import { billingTarget, createConnector, mainTarget } from '../../core/database/connector';
import { openEntitlementCache } from '../../core/entitlements/open-cache';
import {
  baseSettings,
  billingDatabaseSettings,
  mainDatabaseSettings,
  readEnvironment,
  readRequest,
  setting,
} from '../../core/runtime/environment';
import { messageOf, OperationError } from '../../core/runtime/errors';
import { createSecrets } from '../../core/runtime/secrets';
import { createTelemetry, MetricUnit } from '../../core/runtime/telemetry';
import { ROW_OPERATORS, ROW_RECOVERY_METRICS, type RowRecoveryMergeReport, type RowRecoveryReport } from './contract';
import { mergeRows } from './merge';
import { reportRows } from './report';
import { REPORT_ID } from './report-format';

const environment = readEnvironment({
  ...baseSettings,
  ...billingDatabaseSettings,
  ...mainDatabaseSettings,
  ARCHIVE_BUCKET: setting.text('the name of the archive bucket'),
  CACHE_URL: cacheUrlSetting,
});
const { log, metrics } = createTelemetry('row-recovery', environment);
const secrets = createSecrets();
const cache = openEntitlementCache(environment.CACHE_URL, { log, metrics });
const store = openArchiveStore(environment.ARCHIVE_BUCKET, 'reading');
const targets = { billing: billingTarget(environment), main: mainTarget(environment) };

const scalar = z.union([z.string(), z.number(), z.boolean()]);

const reportSchema = z.object({
  action: z.literal('report'),
  ...archiveChoice,
  tables: z.array(z.string()).min(1, 'at least one table, as schema.table'),
  where: z
    .array(
      z.object({
        table: z.string().optional(),
        column: z.string({ error: 'the name of a column' }),
        operator: z.enum(ROW_OPERATORS, { error: `one of ${ROW_OPERATORS.join(', ')}` }),
        value: z.union([scalar, z.array(scalar)], { error: 'text, a number, true or false, or a list' }).optional(),
      }),
    )
    .optional(),
});

const mergeSchema = z.object({
  action: z.literal('merge'),
  database: archiveChoice.database,
  reportId: z.string().regex(REPORT_ID, 'the id of a report, such as 20261121T061500Z-1f0c9a3e'),
  choose: z.union([z.literal('all'), z.array(z.string()).min(1)], { error: '`all`, or a list of ids of the report' }),
  confirm: z.string().optional(),
});

const requestSchema = z.discriminatedUnion('action', [reportSchema, mergeSchema], { error: '`report` or `merge`' });

/** Finds rows that were lost since an archive, and merges chosen ones back; see {@link RowRecoveryRequest}. */
export async function handler(event: unknown): Promise<RowRecoveryReport | RowRecoveryMergeReport> {
  const request = readRequest(requestSchema, event);
  metrics.addDimension('database', request.database);
  const connector = createConnector(targets[request.database], secrets, 'row-recovery');
  try {
    const answer =
      request.action === 'report'
        ? await reportRows(
            {
              connector,
              store,
              migrationsDirectory: path.join(__dirname, 'migrations', request.database),
              log,
              now: () => new Date(),
            },
            request,
          )
        : await mergeRows({ connector, store, log, cache }, request);
    metrics.addMetric(ROW_RECOVERY_METRICS.succeeded, MetricUnit.Count, 1);
    if ('dryRun' in answer && !answer.dryRun) {
      metrics.addMetric(ROW_RECOVERY_METRICS.mergedRows, MetricUnit.Count, answer.inserted + answer.updated);
    }
    return answer;
  } catch (error) {
    const code = error instanceof OperationError ? error.code : 'unexpected';
    const { action, database: name } = request;
    log.error('Row recovery failed', { action, database: name, code, error: messageOf(error) });
    metrics.addMetric(ROW_RECOVERY_METRICS.failed, MetricUnit.Count, 1);
    throw error;
  } finally {
    metrics.publishStoredMetrics();
  }
}
