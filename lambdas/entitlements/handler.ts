import type { Context } from 'aws-lambda';
import * as z from 'zod';
import { cacheUrlSetting } from '../../core/cache/settings';
import { billingTarget, createConnector, withConnection } from '../../core/database/connector';
import { openEntitlementCache } from '../../core/entitlements/open-cache';
import { readEntitlements, type CurrentEntitlements } from '../../core/entitlements/read';
import { replaceRules, rulesSchema } from '../../core/entitlements/rules';
import { baseSettings, billingDatabaseSettings, readEnvironment, readRequest } from '../../core/runtime/environment';
import { createSecrets } from '../../core/runtime/secrets';
import { createTelemetry, MetricUnit } from '../../core/runtime/telemetry';
import { ENTITLEMENTS_METRICS, type RecomputeScope } from './contract';
import { recompute, type RecomputeSummary } from './core';

/** Milliseconds kept free at the end: for the batch that is running, and to answer where it stopped. */
const RESERVE_MS = 20_000;

const environment = readEnvironment({
  ...baseSettings,
  ...billingDatabaseSettings,
  CACHE_URL: cacheUrlSetting,
});
const { log, metrics } = createTelemetry('entitlements', environment);
const connector = createConnector(billingTarget(environment), createSecrets(), 'entitlements', { pipeline: true });
const cache = openEntitlementCache(environment.CACHE_URL, { log, metrics });

const id = (form: string) => z.string({ error: form }).min(1, form).max(500, form);
const userId = id('expected the id of a user');
const projectId = id('expected the id of a project');
const requestSchema = z.discriminatedUnion(
  'action',
  [
    z.strictObject({
      action: z.literal('recompute'),
      scope: z.union([z.strictObject({ userId }), z.strictObject({ projectId }), z.literal('all')], {
        error: 'expected `all`, {userId} or {projectId}',
      }),
      cursor: z.string({ error: 'expected the cursor of an earlier answer' }).optional(),
    }),
    z.strictObject({ action: z.literal('put-rules'), rules: rulesSchema }),
    z.strictObject({
      action: z.literal('read'),
      userId,
      projectId: z.string({ error: 'expected the id of a project, or empty for none' }).max(500),
    }),
  ],
  { error: 'expected an action: `recompute`, `put-rules` or `read`' },
);

/** Computes entitlements again, changes their rules, or says what somebody may use; see {@link EntitlementsRequest}. */
export async function handler(event: unknown, context: Context): Promise<RecomputeSummary | CurrentEntitlements> {
  const started = performance.now();
  try {
    const request = readRequest(requestSchema, event);
    const hasTime = () => context.getRemainingTimeInMillis() > RESERVE_MS;
    if (request.action === 'read') {
      return await readEntitlements(
        { useDatabase: (work) => withConnection(connector, work), cache, clock: () => new Date() },
        request.userId,
        request.projectId,
      );
    }
    if (request.action === 'recompute') return await recomputeAndCount(request.scope, request.cursor, hasTime);
    await withConnection(connector, (client) => replaceRules(client, request.rules));
    log.info('The rules of entitlements were replaced', { rules: request.rules.length });
    return await recomputeAndCount('all', undefined, hasTime);
  } catch (error) {
    metrics.addMetric(ENTITLEMENTS_METRICS.failed, MetricUnit.Count, 1);
    throw error;
  } finally {
    metrics.addMetric(ENTITLEMENTS_METRICS.durationMs, MetricUnit.Milliseconds, performance.now() - started);
    metrics.publishStoredMetrics();
  }
}

async function recomputeAndCount(
  scope: RecomputeScope,
  cursor: string | undefined,
  hasTime: () => boolean,
): Promise<RecomputeSummary> {
  const summary = await withConnection(connector, (client) =>
    recompute({ client, cache, hasTime, log }, scope, cursor),
  );
  metrics.addMetric(ENTITLEMENTS_METRICS.changed, MetricUnit.Count, summary.changed);
  return summary;
}
