import Stripe from 'stripe';
import { pacedCaller } from '../../../../core/providers/stripe/paced-caller';

/** An empty response as the library returns it. */
function answer(): Stripe.Response<object> {
  return { lastResponse: { headers: {} } } as Stripe.Response<object>;
}

const rateLimit = (headers: Record<string, string> = {}) =>
  Object.assign(new Stripe.errors.StripeRateLimitError({ message: 'Slow down', type: 'invalid_request_error' }), {
    statusCode: 429,
    headers,
  });

test('calls are no faster than the rate limit, however many are made at once', async () => {
  const call = pacedCaller({ callsPerSecond: 100, firstBackoffMs: 1 });
  const started = Date.now();

  await Promise.all(Array.from({ length: 21 }, () => call(async () => answer())));

  // Timers may fire a millisecond early; the twentieth interval of 10 ms ends at 200.
  expect(Date.now() - started).toBeGreaterThanOrEqual(198);
});

test('a call that is rate-limited waits as long as Retry-After says', async () => {
  const call = pacedCaller({ callsPerSecond: 1_000, firstBackoffMs: 1 });
  const started = Date.now();
  let attempts = 0;

  await call(async () => {
    attempts += 1;
    if (attempts === 1) throw rateLimit({ 'retry-after': '0.3' });
    return answer();
  });

  expect(Date.now() - started).toBeGreaterThanOrEqual(298);
});

test('a call made after another was rate-limited waits as well', async () => {
  const call = pacedCaller({ callsPerSecond: 1_000, firstBackoffMs: 1 });
  let limited = false;
  const first = call(async () => {
    if (limited) return answer();
    limited = true;
    throw rateLimit({ 'retry-after': '0.3' });
  });
  await new Promise((resolve) => setTimeout(resolve, 50));
  const started = Date.now();

  await call(async () => answer());
  await first;

  expect(Date.now() - started).toBeGreaterThanOrEqual(200);
});

test('a failed call is not repeated after the caller has ended', async () => {
  const ended = new AbortController();
  const call = pacedCaller({ firstBackoffMs: 60_000, ended: ended.signal });
  let attempts = 0;
  const repeated = call(async () => {
    attempts += 1;
    throw new Stripe.errors.StripeConnectionError({ message: 'Connection refused', type: 'api_error' });
  });
  ended.abort();

  await expect(repeated).rejects.toMatchObject({ name: 'AbortError' });
  expect(attempts).toBe(1);
});

test('a call that fails six times throws a retryable error', async () => {
  const call = pacedCaller({ callsPerSecond: 10_000, firstBackoffMs: 1 });
  let attempts = 0;

  const refused = call(async () => {
    attempts += 1;
    throw rateLimit();
  });

  await expect(refused).rejects.toMatchObject({ code: 'stripe_unavailable', retryable: true });
  expect(attempts).toBe(6);
});
