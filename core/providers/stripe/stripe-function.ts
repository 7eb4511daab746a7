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
import { renewFrom } from '../../runtime/held-secret';
import { createSecrets, type SecretVersion } from '../../runtime/secrets';
import { createTelemetry, type Telemetry } from '../../runtime/telemetry';
import { createTilled, noTilled, tilledApiSecret, type OpenTilled } from '../tilled/client';
import { createStripe } from './client';
import { openStripeKey } from './key';
import { pacedCaller, type CallPolicy, type CallStripe } from './paced-caller';

/**
 * Milliseconds kept of the function's time to finish the current page or batch, and to record or answer where it stopped.
 * Lower, and Lambda ends the function in the middle when the database is slow: nothing is lost, but it counts as failed.
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
/** Settings of such a function that reads from Tilled as well, where the environment takes it; see `TilledApiEnvironment`. */
export const tilledApiSettings = {
  TILLED_API_SECRET_ARN: secretArnSetting().optional(),
  TILLED_API_BASE: setting.url('the base URL of the Tilled API, such as https://api.tilled.com').optional(),
};
type TilledSettings = Partial<z.infer<z.ZodObject<typeof tilledApiSettings>>>;

type Settings = z.infer<z.ZodObject<typeof stripeFunctionSettings>>;

/** Dependencies of the cores of these functions. */
export interface StripeWork {
  /** A connection to the billing database that only this invocation uses. */
  readonly client: ClientBase;
  readonly stripe: Stripe;
  readonly call: CallStripe;
  /** Read when it is asked for: without Tilled's secret, Stripe is read nevertheless. */
  readonly tilled: OpenTilled;
  readonly clock: () => Date;
  /** Defaults and entitlements: objects that are found are stored like those that are delivered. */
  readonly apply: Pick<ApplyOptions, 'defaults' | 'afterStore' | 'dryRun'>;
  /** Aborted when the time is up, early enough to stop in order. */
  readonly stop: AbortSignal;
}

export interface StripeFunction {
  readonly telemetry: Telemetry;
  /** Milliseconds to keep of the function's time; see {@link RESERVED_MS}. */
  readonly reserveMs: number;
  /**
   * Runs `work` with a connection and a client of Stripe. However it ends, the cached entitlements of the rows that it
   * stored are invalidated.
   *
   * @param stop aborted when the time is up
   * @param version of the secret with the key; a cached or current one that Stripe refuses is replaced by the then current one.
   * @default 'cached'
   * @throws ConfigurationError when the key is not of this environment's mode; Stripe was not called
   */
  readonly useStripe: <T>(
    stop: AbortSignal,
    work: (dependencies: StripeWork) => Promise<T>,
    version?: SecretVersion,
  ) => Promise<T>;
}

/**
 * What `reconciliation`, `replay` and `refresh` have in common. Call it once, when the function starts.
 *
 * @param policy how fast and how often Stripe is called. @default Stripe's limit for one endpoint
 */
export function createStripeFunction(
  service: string,
  environment: Settings & TilledSettings,
  policy: Omit<CallPolicy, 'ended' | 'key'> = {},
): StripeFunction {
  const telemetry = createTelemetry(service, environment);
  const secrets = createSecrets();
  const connector = createConnector(billingTarget(environment), secrets, service);
  const cache = openEntitlementCache(environment.CACHE_URL, telemetry);
  const defaults = stateDefaults(environment);
  const { TILLED_API_SECRET_ARN: tilledSecretArn, TILLED_API_BASE: tilledBase } = environment;
  const { STRIPE_API_SECRET_ARN: secretArn, STRIPE_API_BASE: apiBase, LIVEMODE: livemode } = environment;

  return {
    telemetry,
    reserveMs: RESERVED_MS,
    async useStripe(stop, work, version) {
      const key = await openStripeKey(secrets, { secretArn, livemode }, version);
      const stripe = createStripe(key, apiBase);
      const ended = new AbortController();
      const call = pacedCaller({ ...policy, key, ended: ended.signal });
      const tilled: OpenTilled =
        tilledSecretArn === undefined || tilledBase === undefined
          ? noTilled
          : async () => {
              const secret = await secrets.read(tilledSecretArn, tilledApiSecret);
              const renew = renewFrom(secrets, tilledSecretArn, tilledApiSecret);
              return createTilled(secret, { apiBase: tilledBase, renew, stop });
            };
      const entitlements = gatherEntitlementUpdates();
      const apply = { defaults, afterStore: entitlements.afterStore };
      try {
        return await withConnection(connector, (client) =>
          work({ client, stripe, call, tilled, clock: () => new Date(), apply, stop }),
        );
      } finally {
        // Lists are read side by side: when one fails or the time is up, requests for the others may be under way.
        ended.abort();
        // Rows that were stored before an error stay stored.
        await cache.invalidate(entitlements.changes());
      }
    },
  };
}
