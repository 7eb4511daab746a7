import { SQSClient } from '@aws-sdk/client-sqs';
import type { Context } from 'aws-lambda';
import { stateDefaults } from '../shared/billing/object-state';
import { cacheUrlSetting } from '../shared/cache/settings';
import { billingTarget, createConnector, withConnection } from '../shared/database/connector';
import { openEntitlementCache } from '../shared/entitlements/open-cache';
import { gatherEntitlementUpdates } from '../shared/entitlements/recompute';
import {
  baseSettings,
  billingDatabaseSettings,
  readEnvironment,
  readRequest,
  secretArnSetting,
  setting,
} from '../shared/environment';
import { createSecrets } from '../shared/secrets';
import { createStripe, stripeApiSecret } from '../shared/stripe/client';
import { pacedCaller } from '../shared/stripe/paced-caller';
import { createTelemetry, MetricUnit } from '../shared/telemetry';
import { REPLAY_METRICS, type EventsReport, type RedriveReport } from './contract';
import type { EventDependencies } from './dependencies';
import { walkRange } from './event-range';
import { redrive } from './redrive';
import { replayRequest } from './request';
import { retryEvents, retryFailed } from './retry';

/** Kept of the function's time to finish the batch at hand and to answer with the request that goes on. */
const RESERVED_MS = 20_000;

const environment = readEnvironment({
  ...baseSettings,
  ...billingDatabaseSettings,
  STRIPE_API_SECRET_ARN: secretArnSetting(),
  STRIPE_API_BASE: setting.url('the base URL of the Stripe API, such as https://api.stripe.com'),
  QUEUE_URL: setting.url('the URL of an SQS queue'),
  DEAD_LETTER_QUEUE_URL: setting.url('the URL of an SQS queue'),
  DEFAULT_APP_ID: setting.optionalText().default(''),
  DEFAULT_PROJECT_ID: setting.optionalText().default(''),
  CACHE_URL: cacheUrlSetting,
});
const { log, metrics } = createTelemetry('replay', environment);
const secrets = createSecrets();
const connector = createConnector(billingTarget(environment), secrets, 'replay');
const defaults = stateDefaults(environment);
const cache = openEntitlementCache(environment.CACHE_URL, { log, metrics });
const sqs = new SQSClient({});

/** Finds gaps in what was received, and applies events again: single ones, all that failed, a range, or what is parked. */
export async function handler(request: unknown, context: Context): Promise<EventsReport | RedriveReport> {
  const entitlements = gatherEntitlementUpdates();
  const apply = { defaults, afterStore: entitlements.afterStore };
  try {
    const wanted = readRequest(replayRequest, request);
    const stop = AbortSignal.timeout(Math.max(0, context.getRemainingTimeInMillis() - RESERVED_MS));
    if (wanted.action === 'redrive') {
      const { QUEUE_URL: queueUrl, DEAD_LETTER_QUEUE_URL: deadLetterQueueUrl } = environment;
      const report = await redrive({ sqs, queueUrl, deadLetterQueueUrl, stop }, wanted);
      log.info('Parked messages were moved back', { ...report });
      metrics.addMetric(REPLAY_METRICS.replayed, MetricUnit.Count, report.moved);
      return report;
    }
    const report = await withEvents({ stop, apply }, (dependencies) => {
      if (wanted.action !== 'retry') return walkRange(dependencies, { dryRun: true, ...wanted });
      const { events, ...options } = wanted;
      return events === 'failed'
        ? retryFailed(dependencies, options)
        : retryEvents(dependencies, { events, ...options });
    });
    const { action, dry_run, checked, outcomes } = report;
    log.info('Events were looked at', { action, dry_run, checked, outcomes });
    metrics.addMetric(REPLAY_METRICS.replayed, MetricUnit.Count, outcomes.processed ?? 0);
    if (action !== 'gaps') metrics.addMetric(REPLAY_METRICS.eventsFailed, MetricUnit.Count, outcomes.failed ?? 0);
    return report;
  } catch (error) {
    metrics.addMetric(REPLAY_METRICS.failed, MetricUnit.Count, 1);
    throw error;
  } finally {
    // What was applied before an error stays applied.
    await cache.invalidate(entitlements.changes());
    metrics.publishStoredMetrics();
  }
}

async function withEvents<T>(
  invocation: Pick<EventDependencies, 'stop' | 'apply'>,
  work: (dependencies: EventDependencies) => Promise<T>,
): Promise<T> {
  const { apiKey } = await secrets.read(environment.STRIPE_API_SECRET_ARN, stripeApiSecret);
  const stripe = createStripe(apiKey, environment.STRIPE_API_BASE);
  return withConnection(connector, (client) =>
    work({ ...invocation, client, stripe, call: pacedCaller(), clock: () => new Date() }),
  );
}
