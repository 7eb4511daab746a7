import Stripe from 'stripe';
import { z } from 'zod';

/** The version whose shapes the client library is typed for. Pinned, so that an upgrade of the account changes nothing here. */
const API_VERSION = '2026-10-28.endive';
/** The library's own default of 80 s would use up the function's time on a single stuck call. */
const TIMEOUT_MS = 20_000;

/** JSON of the secret that holds the API key. A trailing newline, as editors leave one, would be part of the header. */
export const stripeApiSecret = z.object({
  apiKey: z.string({ error: 'expected an API key, rk_… or sk_…' }).trim().min(1, 'expected an API key, rk_… or sk_…'),
});

/**
 * A client of the Stripe API. It does not retry by itself: the library neither retries 429 nor honours `Retry-After`,
 * so {@link pacedCaller} does both.
 *
 * @param apiBase `https://api.stripe.com`, or wherever a stand-in listens
 */
export function createStripe(apiKey: string, apiBase: string): Stripe {
  const { protocol, hostname, port } = new URL(apiBase);
  return new Stripe(apiKey, {
    apiVersion: API_VERSION,
    host: hostname,
    ...(port === '' ? {} : { port: Number(port) }),
    protocol: protocol === 'http:' ? 'http' : 'https',
    timeout: TIMEOUT_MS,
    maxNetworkRetries: 0,
    telemetry: false,
  });
}
