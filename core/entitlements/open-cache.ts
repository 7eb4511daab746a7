import { CACHE_METRICS } from '../cache/contract';
import { createCache } from '../cache/connection';
import { MetricUnit, type Telemetry } from '../runtime/telemetry';
import { createEntitlementCache, type EntitlementCache } from './entitlement-cache';

/** A function's cache of entitlements, which reports in log and metrics when the cache is unavailable. */
export function openEntitlementCache(
  url: string,
  { log, metrics }: Pick<Telemetry, 'log' | 'metrics'>,
): EntitlementCache {
  const onUnavailable = (reason: string) => {
    log.warn('The cache of entitlements is unavailable; entries may be out of date until they expire', { reason });
    // A record of its own: the invocation may have added dimensions, under which the alarm would not find the metric.
    metrics.singleMetric().addMetric(CACHE_METRICS.cacheUnavailable, MetricUnit.Count, 1);
  };
  return createEntitlementCache(createCache({ url, onUnavailable }));
}
