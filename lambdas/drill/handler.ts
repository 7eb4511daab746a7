import { SFNClient } from '@aws-sdk/client-sfn';
import { openSignedStore } from '../../core/archive/open-store';
import { archiveSettings } from '../../core/archive/settings';
import type { DatabaseName } from '../../core/contract';
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
import { contract, DRILL_METRICS, type DrillReport, stepContract, type DrillStepReport } from './contract';
import { runDrill } from './core';
import type { DrillDependencies } from './findings';
import { addFinishedDrill } from './metrics';
import { endDrill } from './steps';

const MINUTE_MS = 60_000;
const LONGEST_TARGET_MINUTES = 10_080;
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
  BILLING_RESTORE_TARGET_MINUTES: setting.integer(1, LONGEST_TARGET_MINUTES),
  MAIN_RESTORE_TARGET_MINUTES: setting.integer(1, LONGEST_TARGET_MINUTES),
  STREAMING_LIMIT_GIB: setting.integer(1, MAX_STORAGE_GIB),
  BILLING_RESTORE_WORKFLOW_ARN: setting.text('the ARN of a state machine'),
  MAIN_RESTORE_WORKFLOW_ARN: setting.text('the ARN of a state machine'),
});
const telemetry = createTelemetry('drill', environment);
const secrets = createSecrets();
const store = openSignedStore(environment, 'reading');
const erasures = { ledger: openErasureLedger(store, secrets, environment), hooks: environment.ERASURE_HOOKS };
const sfn = new SFNClient({ requestHandler: API_TIMEOUTS });
const limitBytes = environment.STREAMING_LIMIT_GIB * GIB;
const policies = {
  billing: {
    target: billingTarget(environment),
    targetMs: environment.BILLING_RESTORE_TARGET_MINUTES * MINUTE_MS,
    workflowArn: environment.BILLING_RESTORE_WORKFLOW_ARN,
  },
  main: {
    target: mainTarget(environment),
    targetMs: environment.MAIN_RESTORE_TARGET_MINUTES * MINUTE_MS,
    workflowArn: environment.MAIN_RESTORE_WORKFLOW_ARN,
  },
};

const drill = operation(contract, {
  name: 'Drill',
  telemetry,
  byDatabase: true,
  run: ({ database }) =>
    runDrill({
      ...dependenciesOf(database),
      workflow: { sfn, stateMachineArn: policies[database].workflowArn, limitBytes },
    }),
  measure: (metrics, report) => {
    if (report.outcome !== 'started') addFinishedDrill(metrics, report);
  },
  failedMetric: DRILL_METRICS.failed,
});

const step = operation(stepContract, {
  name: 'Drill step',
  telemetry,
  byDatabase: true,
  run: (request) => endDrill(dependenciesOf(request.database), request),
  // Of the record: a drill that passed did, though the workflow ends because its database could not be dropped.
  measure: (metrics, { record }) => {
    if (record.outcome === 'failed') metrics.addMetric(DRILL_METRICS.failed, MetricUnit.Count, 1);
    else addFinishedDrill(metrics, record);
  },
  // The workflow repeats a step, and takes this one when that does not help.
  failedMetric: (request) => (request?.step === 'fail' ? DRILL_METRICS.failed : undefined),
});

/**
 * Proves that the newest archive can be restored in time, see {@link DrillRequest}; or ends a drill that a workflow made, see
 * {@link DrillStepRequest}.
 */
export const handler = (event: unknown, context: Parameters<typeof drill>[1]): Promise<DrillReport | DrillStepReport> =>
  typeof event === 'object' && event !== null && 'step' in event ? step(event, context) : drill(event, context);

function dependenciesOf(database: DatabaseName): DrillDependencies {
  const { target, targetMs } = policies[database];
  return {
    connector: createConnector(target, secrets, 'drill', { plainSession: true }),
    store,
    migrationsDirectory: migrationsFolder(__dirname, target),
    erasures,
    targetMs,
    log: telemetry.log,
    clock: () => new Date(),
  };
}
