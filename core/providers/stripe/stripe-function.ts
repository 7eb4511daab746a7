import type { Context } from 'aws-lambda';
import type { ClientBase } from 'pg';
import type Stripe from 'stripe';
import type * as z from 'zod';
import type { ApplyOptions } from '../../billing/apply-events';
import { stateDefaults } from '../../billing/owner';
import { cacheUrlSetting } from '../../cache/settings';
import { billingTarget, createConnector, withConnection } from '../../database/connector';
import { openEntitlementCache } from '../../entitlements/open-cache';
import { gatherEntitlementUpdates } from '../../entitlements/recompute';
import { baseSettings, billingDatabaseSettings, secretArnSetting, setting } from '../../runtime/environment';
import { createSecrets } from '../../runtime/secrets';
import { createTelemetry, MetricUnit, type Telemetry } from '../../runtime/telemetry';
import { assertKeyMode, createStripe, stripeApiSecret } from './client';
import { pacedCaller, type CallStripe } from './paced-caller';

/**
 * Kept of the function's time to finish the page or batch at hand, and to record or answer where it stopped. Less, and a
 * slow database has the function killed in the middle: nothing is lost by that, but it looks as if it had failed.
 */
const RESERVED_MS = 20_000;

/** Settings of a function that reads from Stripe and stores what it finds; see `StripeFunctionEnvironment`. */
export const stripeFunctionSettings = {
  ...baseSettings,
  ...billingDatabaseSettings,
  STRIPE_API_SECRET_ARN: secretArnSetting(),
  STRIPE_API_BASE: setting.url('the base URL of the Stripe API, such as https://api.stripe.com'),
  LIVEMODE: setting.flag(),
  DEFAULT_APP_ID: setting.optionalText().default(''),
  DEFAULT_PROJECT_ID: setting.optionalText().default(''),
  CACHE_URL: cacheUrlSetting,
};
type Settings = z.infer<z.ZodObject<typeof stripeFunctionSettings>>;

/** What the cores of these functions work with. */
export interface StripeWork {
  /** A connection of the invocation's own to the billing database. */
  readonly client: ClientBase;
  readonly stripe: Stripe;
  readonly call: CallStripe;
  readonly clock: () => Date;
  /** Defaults and entitlements: what is found is stored like what is delivered. */
  readonly apply: Pick<ApplyOptions, 'defaults' | 'afterStore'>;
  /** Aborted when the time is up, but for what it takes to stop in order. */
  readonly stop: AbortSignal;
}

export interface StripeInvocation {
  readonly stop: AbortSignal;
  /**
   * Runs `work` with a connection and a client of Stripe.
   *
   * @throws ConfigurationError when the key is none of this environment's mode; nothing was asked of Stripe
   */
  readonly useStripe: <T>(work: (dependencies: StripeWork) => Promise<T>) => Promise<T>;
}

export interface StripeFunction extends Telemetry {
  /**
   * Runs one invocation. However it ends, the cached entitlements of what it stored are invalidated and its metrics are
   * published, as one record.
   *
   * @param failedMetric counted when the invocation throws
   */
  readonly invoke: <T>(
    context: Context,
    failedMetric: string,
    work: (invocation: StripeInvocation) => Promise<T>,
  ) => Promise<T>;
}

/** What `reconciliation` and `replay` have in common. To be called once, when the function starts. */
export function createStripeFunction(service: string, environment: Settings): StripeFunction {
  const { log, metrics } = createTelemetry(service, environment);
  const secrets = createSecrets();
  const connector = createConnector(billingTarget(environment), secrets, service, { pipeline: true });
  const cache = openEntitlementCache(environment.CACHE_URL, { log, metrics });
  const defaults = stateDefaults(environment);
  const { STRIPE_API_SECRET_ARN: secretArn, STRIPE_API_BASE: apiBase, LIVEMODE: livemode } = environment;

  return {
    log,
    metrics,
    async invoke(context, failedMetric, work) {
      const entitlements = gatherEntitlementUpdates();
      const stop = AbortSignal.timeout(Math.max(0, context.getRemainingTimeInMillis() - RESERVED_MS));
      const apply = { defaults, afterStore: entitlements.afterStore };
      try {
        return await work({
          stop,
          async useStripe(workWithStripe) {
            const { apiKey } = await secrets.read(secretArn, stripeApiSecret);
            assertKeyMode(apiKey, { livemode, secretArn });
            const stripe = createStripe(apiKey, apiBase);
            const ended = new AbortController();
            const call = pacedCaller({ ended: ended.signal });
            try {
              return await withConnection(connector, (client) =>
                workWithStripe({ client, stripe, call, clock: () => new Date(), apply, stop }),
              );
            } finally {
              // Of lists that are read at once, the others may be on their way when one fails or the time is up.
              ended.abort();
            }
          },
        });
      } catch (error) {
        metrics.addMetric(failedMetric, MetricUnit.Count, 1);
        throw error;
      } finally {
        // What was stored before an error stays stored.
        await cache.invalidate(entitlements.changes());
        metrics.publishStoredMetrics();
      }
    },
  };
}
