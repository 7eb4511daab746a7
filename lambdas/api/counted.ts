import type { Metrics } from '@aws-lambda-powertools/metrics';
import type { LambdaContext, LambdaEvent } from 'hono/aws-lambda';
import { MetricUnit } from '../../core/runtime/telemetry';
import { API_METRICS, API_ROUTES } from './contract';
import { TOO_MANY_REQUESTS } from './problem';

const PROBES = new Set(API_ROUTES.filter(({ isProbe }) => isProbe).map(({ path }) => path));

type Handler<Result> = (event: LambdaEvent, context?: LambdaContext) => Promise<Result>;

/** Publishes what was answered. Probes are left out: they would hide that nobody else calls, and fail by design. */
export function counted<Result extends { readonly statusCode: number; readonly body?: string }>(
  handle: Handler<Result>,
  metrics: Metrics,
): Handler<Result> {
  return async (event, context) => {
    const result = await handle(event, context);
    if (PROBES.has('path' in event ? event.path : '')) return result;
    metrics.addMetric(API_METRICS.requests, MetricUnit.Count, 1);
    if (isRejected(result)) {
      metrics.addMetric(API_METRICS.rejected, MetricUnit.Count, 1);
    }
    if (result.statusCode === 500 || result.statusCode === 503)
      metrics.addMetric(API_METRICS.failed, MetricUnit.Count, 1);
    metrics.publishStoredMetrics();
    return result;
  };
}

/** A right key above its limit is no sign of a wrong one. */
function isRejected({ statusCode, body = '' }: { readonly statusCode: number; readonly body?: string }): boolean {
  return statusCode === 401 || (statusCode === 429 && !body.includes(`"${TOO_MANY_REQUESTS}"`));
}
