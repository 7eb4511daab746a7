import { RDSClient } from '@aws-sdk/client-rds';
import { SFNClient } from '@aws-sdk/client-sfn';
import { openSignedStore } from '../../core/archive/open-store';
import { archiveSettings } from '../../core/archive/settings';
import type { DatabaseName } from '../../core/contract';
import { billingTarget, createConnector, mainTarget, targetAt } from '../../core/database/connector';
import { assertArchiveCopy, assertHostBeside } from '../../core/database/rds-host';
import { InvalidRequestError } from '../../core/runtime/errors';
import {
  baseSettings,
  billingDatabaseSettings,
  mainDatabaseSettings,
  readEnvironment,
  setting,
} from '../../core/runtime/environment';
import { operation, type Invocation } from '../../core/runtime/operation';
import { createSecrets } from '../../core/runtime/secrets';
import { createTelemetry } from '../../core/runtime/telemetry';
import { BACKUP_METRICS, type BackupReport, contract, stepContract, type StepReport } from './contract';
import type { ExportTarget } from './export-snapshot';
import { publishProtection, publishReport } from './publish';
import type { RdsInstance } from './rds-instance';
import { type BackupDependencies, runBackup } from './core';
import { runStep } from './run-step';
import type { StepDependencies } from './archive-steps';

/** Without a route to RDS or Step Functions, a call must not use up the time for the archive. */
const API_TIMEOUTS = { connectionTimeout: 3_000, socketTimeout: 10_000 };
const LONGEST_RETENTION_DAYS = 3650;
const LONGEST_FREQUENCY_HOURS = 24 * 31;
const MAX_STORAGE_GIB = 65_536;
const GIB = 1024 ** 3;

const environment = readEnvironment({
  ...baseSettings,
  ...billingDatabaseSettings,
  ...mainDatabaseSettings,
  ...archiveSettings,
  BILLING_RETENTION_DAYS: setting.integer(1, LONGEST_RETENTION_DAYS),
  MAIN_RETENTION_DAYS: setting.integer(1, LONGEST_RETENTION_DAYS),
  BILLING_FREQUENCY_HOURS: setting.integer(0, LONGEST_FREQUENCY_HOURS),
  MAIN_FREQUENCY_HOURS: setting.integer(0, LONGEST_FREQUENCY_HOURS),
  BILLING_INSTANCE_IDENTIFIER: setting.optionalText(),
  MAIN_INSTANCE_IDENTIFIER: setting.optionalText(),
  STREAMING_LIMIT_GIB: setting.integer(1, MAX_STORAGE_GIB),
  BILLING_ARCHIVE_WORKFLOW_ARN: setting.optionalText(),
  MAIN_ARCHIVE_WORKFLOW_ARN: setting.optionalText(),
  EXPORT_ROLE_ARN: setting.optionalText(),
  EXPORT_KEY_ARN: setting.optionalText(),
});
const telemetry = createTelemetry('backup', environment);
const secrets = createSecrets();
const rds = new RDSClient({ requestHandler: API_TIMEOUTS });
const sfn = new SFNClient({ requestHandler: API_TIMEOUTS });
const store = openSignedStore(environment, 'writing');
const policies = {
  billing: {
    target: billingTarget(environment),
    retentionDays: environment.BILLING_RETENTION_DAYS,
    frequencyHours: environment.BILLING_FREQUENCY_HOURS || undefined,
    identifier: environment.BILLING_INSTANCE_IDENTIFIER,
    stateMachineArn: environment.BILLING_ARCHIVE_WORKFLOW_ARN,
  },
  main: {
    target: mainTarget(environment),
    retentionDays: environment.MAIN_RETENTION_DAYS,
    frequencyHours: environment.MAIN_FREQUENCY_HOURS || undefined,
    identifier: environment.MAIN_INSTANCE_IDENTIFIER,
    stateMachineArn: environment.MAIN_ARCHIVE_WORKFLOW_ARN,
  },
};

const archive = operation(contract, {
  name: 'Backup',
  telemetry,
  byDatabase: true,
  // To answer after waiting for a snapshot.
  reserveMs: 30_000,
  run: (request, invocation) => runBackup(dependenciesOf(request.database, invocation), request),
  measure: publishReport,
  failedMetric: BACKUP_METRICS.failed,
});

const step = operation(stepContract, {
  name: 'Archive step',
  telemetry,
  byDatabase: true,
  // To end an upload, and say so.
  reserveMs: 10_000,
  run: (request, invocation) => runStep(stepDependenciesOf(request.database, request.host, invocation), request),
  measure: (metrics, report) => {
    if (report.step === 'publish') publishReport(metrics, report.archive);
  },
  // A part is copied again by the workflow, which reports by itself when that does not help.
  failedMetric: (request) => (request?.step === 'part' ? undefined : BACKUP_METRICS.failed),
});

/** Archives one database, see {@link BackupRequest}; or takes one step of a large archive, see {@link StepRequest}. */
export const handler = (event: unknown, context: Parameters<typeof archive>[1]): Promise<BackupReport | StepReport> =>
  typeof event === 'object' && event !== null && 'step' in event ? step(event, context) : archive(event, context);

function stepDependenciesOf(database: DatabaseName, host: string, { stop }: Invocation): StepDependencies {
  const { target, retentionDays, identifier, stateMachineArn } = policies[database];
  if (stateMachineArn === '') {
    throw new InvalidRequestError(
      `step: no workflow archives the ${database} database: ask for a backup, without a step`,
    );
  }
  assertHostBeside(target.host, host, 'host');
  if (identifier !== '') assertArchiveCopy(identifier, host, 'host', process.env.AWS_REGION);
  return {
    connector: createConnector(targetAt(target, { host }), secrets, 'backup', { plainSession: true }),
    store,
    retentionDays,
    log: telemetry.log,
    clock: () => new Date(),
    stop,
  };
}

function dependenciesOf(database: DatabaseName, { remainingMs }: Invocation): BackupDependencies {
  const { target, retentionDays, frequencyHours, identifier, stateMachineArn } = policies[database];
  const instance = identifier === '' ? undefined : { rds, identifier };
  return {
    connector: createConnector(target, secrets, 'backup', { plainSession: true }),
    store,
    retentionDays,
    frequencyHours,
    instance,
    streamingLimitBytes: environment.STREAMING_LIMIT_GIB * GIB,
    workflow: stateMachineArn !== '' ? { instance, sfn, stateMachineArn, frequencyHours } : undefined,
    exportTarget: instance && exportTargetOf(instance),
    log: telemetry.log,
    clock: () => new Date(),
    onProtection: (protection) => publishProtection(telemetry.metrics, protection),
    // Half of the time: the other half is for the archive, should the other backup have been killed.
    lockWaitMs: remainingMs() / 2,
    remainingSeconds: () => Math.floor(remainingMs() / 1000),
  };
}

function exportTargetOf(instance: RdsInstance): ExportTarget | undefined {
  const { ARCHIVE_BUCKET: bucket, EXPORT_ROLE_ARN: roleArn, EXPORT_KEY_ARN: keyArn } = environment;
  return roleArn === '' || keyArn === '' ? undefined : { instance, bucket, roleArn, keyArn };
}
