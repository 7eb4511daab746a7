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
import { contract, DRILL_METRICS } from './contract';
import { runDrill } from './core';

const MINUTE_MS = 60_000;
const LONGEST_TARGET_MINUTES = 10_080;

keepHeapSmall();
const environment = readEnvironment({
  ...baseSettings,
  ...billingDatabaseSettings,
  ...mainDatabaseSettings,
  ...archiveSettings,
  ...erasureSettings,
  BILLING_RESTORE_TARGET_MINUTES: setting.integer(1, LONGEST_TARGET_MINUTES),
  MAIN_RESTORE_TARGET_MINUTES: setting.integer(1, LONGEST_TARGET_MINUTES),
});
const telemetry = createTelemetry('drill', environment);
const secrets = createSecrets();
const store = openSignedStore(environment, 'reading');
const erasures = { ledger: openErasureLedger(store, secrets, environment), hooks: environment.ERASURE_HOOKS };
const policies = {
  billing: { target: billingTarget(environment), targetMs: environment.BILLING_RESTORE_TARGET_MINUTES * MINUTE_MS },
  main: { target: mainTarget(environment), targetMs: environment.MAIN_RESTORE_TARGET_MINUTES * MINUTE_MS },
};

/** Proves that the newest archive can be restored in time; see {@link DrillRequest}. */
export const handler = operation(contract, {
  name: 'Drill',
  telemetry,
  byDatabase: true,
  run: ({ database }) =>
    runDrill({
      connector: createConnector(policies[database].target, secrets, 'drill', { plainSession: true }),
      store,
      migrationsDirectory: migrationsFolder(__dirname, policies[database].target),
      targetMs: policies[database].targetMs,
      erasures,
      log: telemetry.log,
      clock: () => new Date(),
    }),
  measure: (metrics, { durationMs, targetPercent }) => {
    metrics.addMetric(DRILL_METRICS.succeeded, MetricUnit.Count, 1);
    if (durationMs !== null) metrics.addMetric(DRILL_METRICS.durationMs, MetricUnit.Milliseconds, durationMs);
    if (targetPercent !== null) metrics.addMetric(DRILL_METRICS.targetPercent, MetricUnit.Percent, targetPercent);
  },
  failedMetric: DRILL_METRICS.failed,
});
