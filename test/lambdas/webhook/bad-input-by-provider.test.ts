import type { SQSRecord } from 'aws-lambda';
import Stripe from 'stripe';
import { createReusableConnection, type ReusableConnection } from '../../../core/database/reusable-connection';
import { WEBHOOK_ENDPOINTS } from '../../../core/providers/contract';
import { stripeWebhooks } from '../../../core/providers/stripe/webhooks';
import { tilledWebhooks } from '../../../core/providers/tilled/webhooks';
import { processBatch } from '../../../lambdas/processor/core';
import { respond, type Endpoint } from '../../../lambdas/webhook/respond';
import { paymentIntent, stripeEvent, subscription } from '../../factories/stripe-objects';
import { signAsTilled, tilledEvent, tilledIntent, tilledSubscription } from '../../factories/tilled-objects';
import { useBillingDatabase } from '../../support/billing';
import { silentLog } from '../../support/log';

/**
 * The same bad input for each provider that sends webhooks, from the endpoint to the tables. That of payments in bitcoin, which
 * the API takes, is in `test/lambdas/api/bitcoin.test.ts`.
 */
const { database, rows } = useBillingDatabase();
const NOW = Date.parse('2026-11-21T12:00:00Z');
const NOW_SECONDS = NOW / 1000;

type Body = Readonly<Record<string, unknown>>;

interface Tried {
  readonly provider: 'stripe' | 'tilled';
  readonly secret: string;
  /** Signs as the provider does, at a moment in its own unit. */
  readonly sign: (body: string, secret: string, at: number) => string;
  readonly now: number;
  /** The moment in the unit of the other provider. */
  readonly nowOfOther: number;
  readonly intent: (fields: Body) => Body;
  readonly subscription: (fields: Body) => Body;
}

const PROVIDERS: readonly Tried[] = [
  {
    provider: 'stripe',
    secret: 'whsec_stripe',
    sign: (payload, secret, timestamp) => Stripe.webhooks.generateTestHeaderString({ payload, secret, timestamp }),
    now: NOW_SECONDS,
    nowOfOther: NOW,
    intent: (fields) => stripeEvent('payment_intent.succeeded', paymentIntent(fields)),
    subscription: (fields) => stripeEvent('customer.subscription.updated', subscription(fields)),
  },
  {
    provider: 'tilled',
    secret: 'whsec_tilled',
    sign: signAsTilled,
    now: NOW,
    nowOfOther: NOW_SECONDS,
    intent: (fields) => tilledEvent('payment_intent.succeeded', tilledIntent(fields)) as unknown as Body,
    subscription: (fields) => tilledEvent('subscription.updated', tilledSubscription(fields)) as unknown as Body,
  },
];
const otherOf = ({ provider }: Tried): Tried => PROVIDERS.find((each) => each.provider !== provider)!;

let connection: ReusableConnection;
beforeEach(() => (connection = createReusableConnection(database().connector)));
afterEach(() => connection.close());

/** Delivers to the endpoint of a provider and has the processor apply what was queued. */
async function deliver({ provider }: Tried, body: string, header: string | undefined) {
  const { path, signatureHeader } = WEBHOOK_ENDPOINTS[provider];
  const endpoints: Record<string, Endpoint> = {};
  const add = <Event, Secrets>(at: string, endpoint: Endpoint<Event, Secrets>) => (endpoints[at] = endpoint);
  add(WEBHOOK_ENDPOINTS.stripe.path, { scheme: stripeWebhooks, secrets: async () => ({ current: 'whsec_stripe' }) });
  add(WEBHOOK_ENDPOINTS.tilled.path, { scheme: tilledWebhooks, secrets: async () => ({ current: 'whsec_tilled' }) });
  const queued: SQSRecord[] = [];
  const { answer } = await respond(
    {
      body: Buffer.from(body).toString('base64'),
      isBase64Encoded: true,
      headers: header === undefined ? {} : { [signatureHeader]: header },
      resource: path,
    },
    {
      endpoints,
      livemode: false,
      send: async (message, by) => {
        const attributes = { SentTimestamp: String(NOW), ApproximateReceiveCount: '1' };
        const messageAttributes = by === 'stripe' ? {} : { provider: { stringValue: by, dataType: 'String' } };
        queued.push({ messageId: 'm', body: message, attributes, messageAttributes } as unknown as SQSRecord);
      },
      clock: () => new Date(NOW),
      log: silentLog,
    },
  );
  if (queued.length > 0) await processBatch(queued, { connection, log: silentLog, park: async () => undefined });
  const [event] = await rows(`SELECT provider, status, error FROM billing.webhook_events`);
  const [{ objects }] = await rows(
    `SELECT (SELECT count(*) FROM billing.payment_intents) + (SELECT count(*) FROM billing.subscriptions)
       + (SELECT count(*) FROM billing.purchases) + (SELECT count(*) FROM billing.customers) AS objects`,
  );
  const { error: reason } = JSON.parse(answer.body) as { error?: string };
  return { status: answer.statusCode, reason, event, objects: Number(objects) };
}

const refusals: readonly (readonly [
  what: string,
  header: (tried: Tried, body: string) => string | undefined,
  reason: RegExp,
])[] = [
  ['without a signature', () => undefined, /header is missing$/],
  [
    'signed by another secret',
    ({ sign, now }, body) => sign(body, 'whsec_other', now),
    /does not match this endpoint's/,
  ],
  [
    'signed by the other provider, with this secret',
    (tried, body) => otherOf(tried).sign(body, tried.secret, otherOf(tried).now),
    /malformed; expected t=|in the future; check the sender's clock/,
  ],
  [
    "whose time is in the other provider's unit",
    ({ sign, secret, nowOfOther }, body) => sign(body, secret, nowOfOther),
    /malformed; expected t=|in the future; check the sender's clock/,
  ],
];

describe.each(PROVIDERS)('an event of $provider', (tried) => {
  test.each(refusals)('%s is answered 400 with one line, and leaves no row', async (_what, header, reason) => {
    const body = JSON.stringify(tried.intent({}));
    const answer = await deliver(tried, body, header(tried, body));
    expect(answer).toEqual({ status: 400, reason: expect.stringMatching(reason), event: undefined, objects: 0 });
    expect(answer.reason).not.toMatch(/\n|whsec_/);
  });

  test('without id and type is answered 400 with the fields, and leaves no row', async () => {
    const { id: _id, type: _type, ...rest } = tried.intent({});
    const body = JSON.stringify(rest);
    expect(await deliver(tried, body, tried.sign(body, tried.secret, tried.now))).toEqual({
      status: 400,
      reason: expect.stringMatching(/^The body is not a .*event.*id: expected .*type: expected[^\n]*$/),
      event: undefined,
      objects: 0,
    });
  });

  test.each<[what: string, event: () => Body, error: RegExp]>([
    ['a negative amount', () => tried.intent({ amount: -1 }), /amount: expected an integer of zero or more/],
    ['a fractional amount', () => tried.intent({ amount: 29.5 }), /amount: expected an integer/],
    ['an amount as text', () => tried.intent({ amount: '2900' }), /amount: expected an integer/],
    ['an unknown currency', () => tried.intent({ currency: 'zzz' }), /currency: expected an ISO 4217 currency/],
    [
      'no customer',
      () => tried.subscription({ customer: undefined, customer_id: undefined }),
      /customer(_id)?: expected an id/,
    ],
  ])(
    'with %s is taken, parked with one line that names the field, and stores no object',
    async (_what, event, error) => {
      const body = JSON.stringify(event());
      const { reason: _reason, ...answer } = await deliver(tried, body, tried.sign(body, tried.secret, tried.now));
      expect(answer).toEqual({
        status: 200,
        event: { provider: tried.provider, status: 'failed', error: expect.stringMatching(error) },
        objects: 0,
      });
      expect((answer.event as { error: string }).error).not.toContain('\n');
    },
  );
});
