import { cacheUrlSetting } from '../../core/cache/settings';
import { openSignedStore } from '../../core/archive/open-store';
import { archiveSettings } from '../../core/archive/settings';
import {
  billingTarget,
  createConnector,
  type DatabaseTarget,
  mainTarget,
  targetAt,
} from '../../core/database/connector';
import { openErasureLedger } from '../../core/erasure/ledger';
import { erasureSettings } from '../../core/erasure/settings';
import { migrationsFolder } from '../../core/migrations/files';
import { openEntitlementCache } from '../../core/entitlements/open-cache';
import {
  baseSettings,
  billingDatabaseSettings,
  mainDatabaseSettings,
  readEnvironment,
  setting,
} from '../../core/runtime/environment';
import { operation } from '../../core/runtime/operation';
import { createSecrets } from '../../core/runtime/secrets';
import { createTelemetry, MetricUnit } from '../../core/runtime/telemetry';
import { contract, ROW_RECOVERY_METRICS } from './contract';
import { recoverRows } from './core';

const MAX_STORAGE_GIB = 65_536;
const GIB = 1024 ** 3;
/** For a part of 1 GiB of a large table, which is a minute on the smallest server. */
const LAST_PART_MS = 5 * 60_000;

const environment = readEnvironment({
  ...baseSettings,
  ...billingDatabaseSettings,
  ...mainDatabaseSettings,
  ...archiveSettings,
  ...erasureSettings,
  CACHE_URL: cacheUrlSetting,
  STREAMING_LIMIT_GIB: setting.integer(1, MAX_STORAGE_GIB),
});
const telemetry = createTelemetry('row-recovery', environment);
const secrets = createSecrets();
const cache = openEntitlementCache(environment.CACHE_URL, telemetry);
const store = openSignedStore(environment, 'reading');
const connectorOf = (target: DatabaseTarget) =>
  createConnector(target, secrets, 'row-recovery', { plainSession: true });
const erasures = { ledger: openErasureLedger(store, secrets, environment), hooks: environment.ERASURE_HOOKS };
const targets = { billing: billingTarget(environment), main: mainTarget(environment) };

/** Finds rows that were lost since an archive or a moment, and merges chosen ones back; see {@link RowRecoveryRequest}. */
export const handler = operation(contract, {
  name: 'Row recovery',
  telemetry,
  byDatabase: true,
  // To answer that the time was too short, rather than not at all.
  reserveMs: 20_000,
  run: (request, { stop, remainingMs }) =>
    recoverRows(
      {
        connector: connectorOf(targets[request.database]),
        connectorAt: (place) => connectorOf(targetAt(targets[request.database], place)),
        stop,
        pause: AbortSignal.timeout(Math.max(0, remainingMs() - LAST_PART_MS)),
        limitBytes: environment.STREAMING_LIMIT_GIB * GIB,
        store,
        migrationsDirectory: migrationsFolder(__dirname, targets[request.database]),
        erasures,
        log: telemetry.log,
        clock: () => new Date(),
        cache,
      },
      request,
    ),
  measure: (metrics, report) => {
    metrics.addMetric(ROW_RECOVERY_METRICS.succeeded, MetricUnit.Count, 1);
    if ('dryRun' in report && !report.dryRun) {
      metrics.addMetric(ROW_RECOVERY_METRICS.mergedRows, MetricUnit.Count, report.inserted + report.updated);
    }
  },
  failedMetric: ROW_RECOVERY_METRICS.failed,
});
