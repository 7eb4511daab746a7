import Stripe from 'stripe';
import * as z from 'zod';
import { STRIPE_API_VERSION } from './event-labels';
import { ConfigurationError } from '../../runtime/errors';

/** The library's default of 80 s would spend the function's time on a single stuck call. */
const TIMEOUT_MS = 20_000;

/** JSON of the secret with the API key. It is trimmed: the newline that an editor appends would become part of the header. */
export const stripeApiSecret = z.object({
  apiKey: z.string({ error: 'expected an API key, rk_… or sk_…' }).trim().min(1, 'expected an API key, rk_… or sk_…'),
});

/** Secret and restricted keys carry their mode in their prefix. A sandbox counts as test mode. */
const KEY_MODE = /^[rs]k_(live|test)_/;

/**
 * Rejects a key of the other mode: reconciliation would "correct" the database by the wrong half of the account.
 *
 * @throws ConfigurationError naming the secret and the expected key, never the key itself
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
 * A client of the Stripe API. It does not retry: the library neither retries 429 nor honours `Retry-After`, so
 * {@link pacedCaller} does both.
 *
 * @param apiKey looked at for each request, since the key may be replaced meanwhile
 * @param apiBase `https://api.stripe.com`, or the URL of a stand-in
 */
export function createStripe(apiKey: string | { readonly value: string }, apiBase: string): Stripe {
  const { protocol, hostname, port } = new URL(apiBase);
  const key = typeof apiKey === 'string' ? { value: apiKey } : apiKey;
  // No key of its own: the authenticator sets the header, as the library's does.
  return new Stripe('', {
    authenticator: (request) => {
      request.headers.Authorization = `Bearer ${key.value}`;
      return Promise.resolve();
    },
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
