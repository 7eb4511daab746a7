import { SFNClient } from '@aws-sdk/client-sfn';
import type { DatabaseName } from '../../core/contract';
import type { RestoreDependencies } from '../../core/restore/restore-archive';
import type { RestoreWorkflow } from '../../core/restore/workflow';
import { openSignedStore } from '../../core/archive/open-store';
import { archiveSettings } from '../../core/archive/settings';
import { billingTarget, createConnector, mainTarget } from '../../core/database/connector';
import { openErasureLedger } from '../../core/erasure/ledger';
import { erasureSettings } from '../../core/erasure/settings';
import { migrationsFolder } from '../../core/migrations/files';
import {
  baseSettings,
  billingDatabaseSettings,
  mainDatabaseSettings,
  readEnvironment,
  setting,
} from '../../core/runtime/environment';
import { operation } from '../../core/runtime/operation';
import { createSecrets } from '../../core/runtime/secrets';
import { keepHeapSmall } from '../../core/runtime/sparing-heap';
import { createTelemetry, MetricUnit } from '../../core/runtime/telemetry';
import { contract, RESTORE_METRICS, type RestoreReport, stepContract, type StepReport } from './contract';
import { runRestore } from './core';
import { runStep } from './steps';

const MAX_STORAGE_GIB = 65_536;
const GIB = 1024 ** 3;
/** Without a route to Step Functions, a call must not wait. */
const API_TIMEOUTS = { connectionTimeout: 3_000, socketTimeout: 10_000 };

keepHeapSmall();
const environment = readEnvironment({
  ...baseSettings,
  ...billingDatabaseSettings,
  ...mainDatabaseSettings,
  ...archiveSettings,
  ...erasureSettings,
  STREAMING_LIMIT_GIB: setting.integer(1, MAX_STORAGE_GIB),
  BILLING_RESTORE_WORKFLOW_ARN: setting.text('the ARN of a state machine'),
  MAIN_RESTORE_WORKFLOW_ARN: setting.text('the ARN of a state machine'),
});
const telemetry = createTelemetry('restore', environment);
const secrets = createSecrets();
const store = openSignedStore(environment, 'reading');
const erasures = { ledger: openErasureLedger(store, secrets, environment), hooks: environment.ERASURE_HOOKS };
const sfn = new SFNClient({ requestHandler: API_TIMEOUTS });
const workflows = {
  billing: environment.BILLING_RESTORE_WORKFLOW_ARN,
  main: environment.MAIN_RESTORE_WORKFLOW_ARN,
};
const targets = { billing: billingTarget(environment), main: mainTarget(environment) };

const restore = operation(contract, {
  name: 'Restore',
  telemetry,
  byDatabase: true,
  run: ({ database, ...request }) =>
    runRestore({ ...dependenciesOf(database), workflow: workflowOf(database) }, request),
  measure: (metrics, { outcome, durationMs }) => {
    if (outcome === 'started') return;
    metrics.addMetric(RESTORE_METRICS.succeeded, MetricUnit.Count, 1);
    metrics.addMetric(RESTORE_METRICS.durationMs, MetricUnit.Milliseconds, durationMs);
  },
  failedMetric: RESTORE_METRICS.failed,
});

const step = operation(stepContract, {
  name: 'Restore step',
  telemetry,
  byDatabase: true,
  // To leave a statement to the server, and say so.
  reserveMs: 60_000,
  run: (request, { stop }) => runStep({ ...dependenciesOf(request.database), stop }, request),
  measure: (metrics, report) => {
    if (report.step !== 'release') return;
    metrics.addMetric(RESTORE_METRICS.succeeded, MetricUnit.Count, 1);
    metrics.addMetric(RESTORE_METRICS.durationMs, MetricUnit.Milliseconds, report.durationMs);
  },
  // The workflow repeats a step, and takes this one when that does not help.
  failedMetric: (request) => (request?.step === 'discard' ? RESTORE_METRICS.failed : undefined),
});

/**
 * Restores an archive into a new database and proves it, see {@link RestoreRequest}; or takes one step of a restore that is
 * too large for one call, see {@link StepRequest}.
 */
export const handler = (event: unknown, context: Parameters<typeof restore>[1]): Promise<RestoreReport | StepReport> =>
  typeof event === 'object' && event !== null && 'step' in event ? step(event, context) : restore(event, context);

function dependenciesOf(database: DatabaseName): RestoreDependencies {
  return {
    connector: createConnector(targets[database], secrets, 'restore', { plainSession: true }),
    store,
    migrationsDirectory: migrationsFolder(__dirname, targets[database]),
    erasures,
    log: telemetry.log,
    clock: () => new Date(),
  };
}

function workflowOf(database: DatabaseName): RestoreWorkflow {
  return { sfn, stateMachineArn: workflows[database], limitBytes: environment.STREAMING_LIMIT_GIB * GIB };
}
