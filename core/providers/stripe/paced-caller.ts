import { setTimeout as wait } from 'node:timers/promises';
import Stripe from 'stripe';
import { OperationError, messageOf } from '../../runtime/errors';
import type { HeldSecret } from '../../runtime/held-secret';

/** Stripe's limit for one endpoint. Higher is answered 429, which also hits the application that serves customers. */
const CALLS_PER_SECOND = 25;
const MAX_ATTEMPTS = 6;
const TOO_MANY_REQUESTS = 429;
const FIRST_BACKOFF_MS = 500;
const LONGEST_BACKOFF_MS = 30_000;

/** What a call returned, and when it was requested. */
export interface Answer<T> {
  readonly value: T;
  /**
   * Seconds since 1970, by Stripe's clock, that the answer is at least as new as. Snapshots are stamped with it, so that
   * they never outrank an event that happened after they were taken.
   */
  readonly requestedAtSeconds: number;
}

export interface CallPolicy {
  /** @default 25, Stripe's limit for one endpoint */
  readonly callsPerSecond?: number;
  /** @default 500; doubled with each attempt */
  readonly firstBackoffMs?: number;
  /** Attempts of one call. Fewer give up sooner, for a caller that comes again anyway. @default 6 */
  readonly maxAttempts?: number;
  /** The key that the client sends; replaced when Stripe refuses it. @default nothing replaces it */
  readonly key?: HeldSecret<string>;
  /** Aborted when no answer is needed any more: pending retries are given up. @default never */
  readonly ended?: AbortSignal;
}

/**
 * Makes calls to Stripe within its rate limit, and retries those that may succeed later. Several calls may be in flight at
 * once; when Stripe answers 429, all of them wait.
 */
export type CallStripe = <T>(call: () => Promise<Stripe.Response<T>>) => Promise<Answer<T>>;

/**
 * @returns a caller that throws OperationError `stripe_unavailable` (retryable) after the last attempt, and
 * `stripe_refused` at once when Stripe rejects the request or the key
 */
export function pacedCaller({
  callsPerSecond = CALLS_PER_SECOND,
  firstBackoffMs = FIRST_BACKOFF_MS,
  maxAttempts = MAX_ATTEMPTS,
  key,
  ended: signal,
}: CallPolicy = {}): CallStripe {
  let nextCallAtMs = 0;

  async function paced<T>(call: () => Promise<Stripe.Response<T>>): Promise<Answer<T>> {
    const nowMs = Date.now();
    const startAtMs = Math.max(nowMs, nextCallAtMs);
    nextCallAtMs = startAtMs + 1000 / callsPerSecond;
    if (startAtMs > nowMs) await wait(startAtMs - nowMs, undefined, { signal });

    const sentAtMs = Date.now();
    const value = await call();
    const tookMs = Date.now() - sentAtMs;
    const answeredAtMs = Date.parse(value.lastResponse.headers.date ?? '');
    const requestedAtMs = Number.isNaN(answeredAtMs) ? sentAtMs : Math.min(sentAtMs, answeredAtMs - tookMs);
    return { value, requestedAtSeconds: Math.floor(requestedAtMs / 1000) };
  }

  return async (call) => {
    let isRenewed = false;
    for (let attempt = 1; ; attempt += 1) {
      const sent = key?.value;
      try {
        return await paced(call);
      } catch (error) {
        if (isRefusedKey(error) && key && sent !== undefined && !isRenewed) {
          // The key was replaced at Stripe while it was in use here.
          isRenewed = await key.replace(sent);
          if (isRenewed) continue;
        }
        if (!mayPass(error)) {
          throw new OperationError('stripe_refused', `Stripe refused the request: ${messageOf(error)}`, {
            cause: error,
          });
        }
        if (attempt === maxAttempts) {
          throw new OperationError(
            'stripe_unavailable',
            `Stripe did not answer in ${maxAttempts} attempts: ${messageOf(error)}; see its status page`,
            { cause: error },
          );
        }
        const backoffMs = retryAfterMs(error) ?? Math.min(firstBackoffMs * 2 ** (attempt - 1), LONGEST_BACKOFF_MS);
        if (isRateLimit(error)) nextCallAtMs = Math.max(nextCallAtMs, Date.now() + backoffMs);
        else await wait(backoffMs, undefined, { signal });
      }
    }
  };
}

function isRateLimit(error: unknown): boolean {
  return error instanceof Stripe.errors.StripeError && error.statusCode === TOO_MANY_REQUESTS;
}

function isRefusedKey(error: unknown): boolean {
  return error instanceof Stripe.errors.StripeAuthenticationError;
}

function mayPass(error: unknown): boolean {
  if (!(error instanceof Stripe.errors.StripeError)) return false;
  if (error instanceof Stripe.errors.StripeConnectionError) return true;
  const status = error.statusCode ?? 0;
  return status === 409 || status === TOO_MANY_REQUESTS || status >= 500;
}

function retryAfterMs(error: unknown): number | undefined {
  if (!(error instanceof Stripe.errors.StripeError)) return undefined;
  const seconds = Number(error.headers?.['retry-after']);
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds * 1000, LONGEST_BACKOFF_MS) : undefined;
}
