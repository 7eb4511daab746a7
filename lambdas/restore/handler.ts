import { openSignedStore } from '../../core/archive/open-store';
import { archiveSettings } from '../../core/archive/settings';
import { billingTarget, createConnector, mainTarget } from '../../core/database/connector';
import { migrationsFolder } from '../../core/migrations/files';
import {
  baseSettings,
  billingDatabaseSettings,
  mainDatabaseSettings,
  readEnvironment,
} from '../../core/runtime/environment';
import { operation } from '../../core/runtime/operation';
import { createSecrets } from '../../core/runtime/secrets';
import { keepHeapSmall } from '../../core/runtime/sparing-heap';
import { createTelemetry, MetricUnit } from '../../core/runtime/telemetry';
import { contract, RESTORE_METRICS } from './contract';
import { runRestore } from './core';

keepHeapSmall();
const environment = readEnvironment({
  ...baseSettings,
  ...billingDatabaseSettings,
  ...mainDatabaseSettings,
  ...archiveSettings,
});
const telemetry = createTelemetry('restore', environment);
const secrets = createSecrets();
const store = openSignedStore(environment, 'reading');
const targets = { billing: billingTarget(environment), main: mainTarget(environment) };

/** Restores an archive into a new database and proves it; see {@link RestoreRequest}. */
export const handler = operation(contract, {
  name: 'Restore',
  telemetry,
  byDatabase: true,
  run: ({ database, ...request }) =>
    runRestore(
      {
        connector: createConnector(targets[database], secrets, 'restore', { plainSession: true }),
        store,
        migrationsDirectory: migrationsFolder(__dirname, targets[database]),
        log: telemetry.log,
        clock: () => new Date(),
      },
      request,
    ),
  measure: (metrics, { durationMs }) => {
    metrics.addMetric(RESTORE_METRICS.succeeded, MetricUnit.Count, 1);
    metrics.addMetric(RESTORE_METRICS.durationMs, MetricUnit.Milliseconds, durationMs);
  },
  failedMetric: RESTORE_METRICS.failed,
});
