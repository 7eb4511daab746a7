import Stripe from 'stripe';
import * as z from 'zod';
import { STRIPE_API_VERSION } from './event-labels';
import { ConfigurationError } from '../../runtime/errors';

/** The library's own default of 80 s would use up the function's time on a single stuck call. */
const TIMEOUT_MS = 20_000;

/** JSON of the secret that holds the API key. A trailing newline, as editors leave one, would be part of the header. */
export const stripeApiSecret = z.object({
  apiKey: z.string({ error: 'expected an API key, rk_… or sk_…' }).trim().min(1, 'expected an API key, rk_… or sk_…'),
});

/** Secret and restricted keys say which mode they are of. A sandbox counts as test mode. */
const KEY_MODE = /^[rs]k_(live|test)_/;

/**
 * Refuses a key of the other mode: it would compare the database with the wrong half of the account, and "correct" it.
 *
 * @throws ConfigurationError naming the secret and what to put into it, never the key
 */
export function assertKeyMode(
  apiKey: string,
  { livemode, secretArn }: { readonly livemode: boolean; readonly secretArn: string },
): void {
  const wanted = livemode ? 'live' : 'test';
  const actual = KEY_MODE.exec(apiKey)?.[1];
  if (actual === wanted) return;
  throw new ConfigurationError(
    `Secret ${secretArn} holds ${actual === undefined ? "no API key of Stripe's" : `a ${actual} key`}, and this ` +
      `environment takes ${wanted} events: put a restricted key into it that begins with rk_${wanted}_`,
  );
}

/**
 * A client of the Stripe API. It does not retry by itself: the library neither retries 429 nor honours `Retry-After`,
 * so {@link pacedCaller} does both.
 *
 * @param apiBase `https://api.stripe.com`, or wherever a stand-in listens
 */
export function createStripe(apiKey: string, apiBase: string): Stripe {
  const { protocol, hostname, port } = new URL(apiBase);
  return new Stripe(apiKey, {
    // Pinned, so that an upgrade of the account changes nothing here.
    apiVersion: STRIPE_API_VERSION,
    host: hostname,
    ...(port === '' ? {} : { port: Number(port) }),
    protocol: protocol === 'http:' ? 'http' : 'https',
    timeout: TIMEOUT_MS,
    maxNetworkRetries: 0,
    telemetry: false,
  });
}
