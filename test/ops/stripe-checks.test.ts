import type { Context } from '../../ops/context';
import { checkStripe } from '../../ops/doctor/stripe-checks';

interface Endpoint {
  readonly url: string;
  readonly enabled: boolean;
  readonly missing: readonly string[];
}

const endpoint = (host: string, missing: readonly string[], enabled = true): Endpoint => ({
  url: `https://${host}/webhooks/stripe`,
  enabled,
  missing,
});

/** What the check says of the endpoints that Stripe lists. */
async function judged(...endpoints: readonly Endpoint[]) {
  const report = { action: 'check', apiVersion: '2026-10-29', permissions: [], endpoints };
  const [, finding] = await checkStripe({ invoke: async () => report } as unknown as Context);
  return [finding?.state, finding?.detail];
}

test('of several endpoints, the one that lacks the fewest types is named with what it lacks', async () => {
  const connected = endpoint('connect.example.com', ['invoice.paid', 'charge.refunded']);
  expect(await judged(connected, endpoint('own.example.com', ['payout.failed']))).toEqual([
    'wrong',
    'https://own.example.com/webhooks/stripe lacks 1 type: payout.failed',
  ]);
  expect(await judged(connected, endpoint('own.example.com', []))).toEqual([
    'good',
    'https://own.example.com/webhooks/stripe gets every type',
  ]);
});

test('an endpoint that Stripe disabled is named where no other is enabled', async () => {
  const disabled = endpoint('own.example.com', [], false);
  expect(await judged(disabled)).toEqual(['wrong', 'https://own.example.com/webhooks/stripe is disabled']);
  expect(await judged(disabled, endpoint('new.example.com', []))).toEqual([
    'good',
    'https://new.example.com/webhooks/stripe gets every type',
  ]);
});
