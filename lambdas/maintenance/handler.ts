import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { SNSClient } from '@aws-sdk/client-sns';
import { billingTarget, createConnector, mainTarget, withConnection } from '../../core/database/connector';
import {
  baseSettings,
  billingDatabaseSettings,
  mainDatabaseSettings,
  readEnvironment,
  secretArnSetting,
  setting,
} from '../../core/runtime/environment';
import { OperationError } from '../../core/runtime/errors';
import { checkResidency } from '../../core/residency/check';
import { residencyFindings } from '../../core/residency/contract';
import { operation, type Invocation } from '../../core/runtime/operation';
import { createSecrets } from '../../core/runtime/secrets';
import { createTelemetry, MetricUnit } from '../../core/runtime/telemetry';
import {
  type CheckedMaintenanceRequest,
  contract,
  MAINTENANCE_METRICS,
  type MaintenanceReport,
  type TaskRecord,
} from './contract';
import { askInspect } from './inspected';
import { auditKeys } from './key-audit';
import { reportMonthly } from './monthly-report';
import { RegionalClients } from './regional-clients';
import { listRecords, loggedRecord, newestRecords } from './records';
import { type LogSource, runTasks } from './run';
import { scannedLogs } from './scanned-logs';

const environment = readEnvironment({
  ...baseSettings,
  ...billingDatabaseSettings,
  ...mainDatabaseSettings,
  INSPECT_FUNCTION_NAME: setting.text('the name of the function `inspect`'),
  BILLING_READER_SECRET_ARN: secretArnSetting(),
  MAIN_READER_SECRET_ARN: secretArnSetting(),
  BILLING_INSTANCE_IDENTIFIER: setting.optionalText(),
  MAIN_INSTANCE_IDENTIFIER: setting.optionalText(),
  REPORT_TOPIC_ARN: setting.optionalText(),
});
const telemetry = createTelemetry('maintenance', environment);
const secrets = createSecrets();
// The server's limits on statements are for the application; each task has its own.
const plainly = { plainSession: true };
const connectors = {
  billing: createConnector(billingTarget(environment), secrets, 'maintenance', plainly),
  main: createConnector(mainTarget(environment), secrets, 'maintenance', plainly),
};
const readers = {
  billing: createConnector(
    { ...billingTarget(environment), secretArn: environment.BILLING_READER_SECRET_ARN },
    secrets,
    'maintenance',
    plainly,
  ),
  main: createConnector(
    { ...mainTarget(environment), secretArn: environment.MAIN_READER_SECRET_ARN },
    secrets,
    'maintenance',
    plainly,
  ),
};
const clock = () => new Date();
const inspect = new LambdaClient({ requestHandler: { connectionTimeout: 3_000, socketTimeout: 60_000 } });
const short = { connectionTimeout: 3_000, socketTimeout: 30_000 };
const cloudFormation = new CloudFormationClient({ requestHandler: short });
const connected = {
  billing: { instanceIdentifier: environment.BILLING_INSTANCE_IDENTIFIER, host: environment.BILLING_DATABASE_HOST },
  main: { instanceIdentifier: environment.MAIN_INSTANCE_IDENTIFIER, host: environment.MAIN_DATABASE_HOST },
};
const logs: LogSource = {
  // CloudWatch limits these requests for all callers of the account together.
  client: new CloudWatchLogsClient({ requestHandler: short, maxAttempts: 8 }),
  listGroups: async () =>
    scannedLogs(cloudFormation, {
      environment: environment.ENVIRONMENT_NAME,
      region: await cloudFormation.config.region(),
      databases: connected,
    }),
};
const lookUpRegions = () =>
  checkResidency({
    environment: environment.ENVIRONMENT_NAME,
    clients: new RegionalClients({ requestHandler: short }),
    databases: Object.values(connected),
  });

/** Keeps the databases in shape, and reports on the platform once a month; see {@link CheckedMaintenanceRequest}. */
export const handler = operation(contract, {
  name: 'Maintenance',
  telemetry,
  byDatabase: true,
  // For the statement that is ended, the removal of what it left, and the record.
  reserveMs: 30_000,
  run: answer,
  summarise: (report) => ({
    message: 'Maintenance finished',
    details:
      report.action === 'run'
        ? { ...report, tasks: report.tasks.map(loggedRecord) }
        : report.action === 'report'
          ? { action: 'report', decisions: report.decisions, sent: report.sent }
          : { action: 'show' },
  }),
  measure: (metrics, report) => {
    if (report.action !== 'run' || report.dryRun) return;
    metrics.addMetric(MAINTENANCE_METRICS.succeeded, MetricUnit.Count, 1);
    const durationMs = report.tasks.reduce((sum, task) => sum + (task.durationMs ?? 0), 0);
    metrics.addMetric(MAINTENANCE_METRICS.durationMs, MetricUnit.Milliseconds, durationMs);
    for (const { name, unit, value } of findingsOf(report.tasks)) metrics.addMetric(name, unit, value);
  },
  failedMetric: (request) => (request?.action === 'show' ? undefined : MAINTENANCE_METRICS.failed),
});

async function answer(request: CheckedMaintenanceRequest, { remainingMs }: Invocation): Promise<MaintenanceReport> {
  if (request.action === 'report') {
    return reportMonthly(
      {
        environment: environment.ENVIRONMENT_NAME,
        clock,
        ask: askInspect(inspect, environment.INSPECT_FUNCTION_NAME),
        readRecords: (database) => withConnection(connectors[database], newestRecords),
        readKeys: () => withConnection(connectors.billing, (client) => auditKeys(client, clock())),
        sns: new SNSClient({ requestHandler: { connectionTimeout: 3_000, socketTimeout: 10_000 } }),
        topicArn: environment.REPORT_TOPIC_ARN,
        withBilling: (work) => withConnection(connectors.billing, work),
      },
      request,
    );
  }
  const { action, database } = request;
  return withConnection(connectors[database], async (client) => {
    if (action === 'show') return { action, database, tasks: await listRecords(client, request.limit) };
    const { dryRun } = request;
    const tasks = await withConnection(connectors[database], (watcher) =>
      runTasks(
        {
          client,
          watcher,
          clock,
          remainingMs,
          log: telemetry.log,
          withReader: (work) => withConnection(readers[database], work),
          logs,
          lookUpRegions,
        },
        request,
      ),
    );
    const failed = tasks.filter(({ outcome }) => outcome === 'failed');
    if (failed.length > 0) {
      const why = failed.map(({ task, error }) => `${task}: ${error}`).join('; ');
      throw new OperationError('maintenance_incomplete', `Tasks on the ${database} database failed: ${why}`);
    }
    return { action, database, dryRun, tasks };
  });
}

interface Finding {
  readonly name: string;
  readonly unit: (typeof MetricUnit)['Bytes' | 'Count'];
  readonly value: number;
}

function findingsOf(tasks: readonly TaskRecord[]): Finding[] {
  return tasks.flatMap((record): Finding[] => {
    if (record.task === 'vacuum' && record.result) {
      const value = record.result.bloat.reduce((sum, { bloatBytes }) => sum + bloatBytes, 0);
      return [{ name: MAINTENANCE_METRICS.bloatBytes, unit: MetricUnit.Bytes, value }];
    }
    if (record.task === 'indexes' && record.result) {
      const { unused, duplicate, missing, invalid, fullReads } = record.result;
      const value = [unused, duplicate, missing, invalid, fullReads].reduce((sum, list) => sum + list.length, 0);
      return [{ name: MAINTENANCE_METRICS.indexFindings, unit: MetricUnit.Count, value }];
    }
    if (record.task === 'cards' && record.result) {
      return [{ name: MAINTENANCE_METRICS.cardsFound, unit: MetricUnit.Count, value: record.result.found }];
    }
    if (record.task === 'logs' && record.result) {
      return [{ name: MAINTENANCE_METRICS.cardsInLogs, unit: MetricUnit.Count, value: record.result.found }];
    }
    if (record.task === 'residency' && record.result) {
      const value = residencyFindings(record.result).length;
      return [{ name: MAINTENANCE_METRICS.outsideRegions, unit: MetricUnit.Count, value }];
    }
    return [];
  });
}
