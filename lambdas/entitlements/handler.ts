import { cacheUrlSetting } from '../../core/cache/settings';
import { billingTarget, createConnector, withConnection } from '../../core/database/connector';
import { openEntitlementCache } from '../../core/entitlements/open-cache';
import { baseSettings, billingDatabaseSettings, readEnvironment } from '../../core/runtime/environment';
import { operation } from '../../core/runtime/operation';
import { createSecrets } from '../../core/runtime/secrets';
import { createTelemetry, MetricUnit } from '../../core/runtime/telemetry';
import { contract, ENTITLEMENTS_METRICS } from './contract';
import { administerEntitlements } from './core';

const environment = readEnvironment({ ...baseSettings, ...billingDatabaseSettings, CACHE_URL: cacheUrlSetting });
const telemetry = createTelemetry('entitlements', environment);
const connector = createConnector(billingTarget(environment), createSecrets(), 'entitlements');
const cache = openEntitlementCache(environment.CACHE_URL, telemetry);

/** Computes entitlements again, changes their rules or the owner of a purchase, or answers what a user may use. */
export const handler = operation(contract, {
  name: 'Entitlements',
  telemetry,
  // For the batch that is running, and to answer where it stopped.
  reserveMs: 20_000,
  run: (request, { remainingMs }) =>
    administerEntitlements(
      {
        useDatabase: (work) => withConnection(connector, work),
        cache,
        hasCache: environment.CACHE_URL !== '',
        clock: () => new Date(),
        hasTime: () => remainingMs() > 0,
        log: telemetry.log,
      },
      request,
    ),
  // What a user may use is the answer to the caller, not a matter of the log.
  summarise: (report, { action }) => ({
    message: 'Entitlements finished',
    details: { action, ...('changed' in report ? report : {}) },
  }),
  measure: (metrics, report) => {
    if (!('changed' in report)) return;
    const changed = report.dryRun ? 0 : report.changed;
    metrics.addMetric(ENTITLEMENTS_METRICS.changed, MetricUnit.Count, changed);
  },
  failedMetric: ENTITLEMENTS_METRICS.failed,
  durationMetric: ENTITLEMENTS_METRICS.durationMs,
});
