import type { APIGatewayProxyResult } from 'aws-lambda';
import fc from 'fast-check';
import Stripe from 'stripe';
import { WEBHOOK_ENDPOINTS } from '../../../core/providers/contract';
import { stripeWebhooks } from '../../../core/providers/stripe/webhooks';
import { respond, type Endpoint } from '../../../lambdas/webhook/respond';
import { stripeEvent, subscription } from '../../factories/stripe-objects';
import { silentLog } from '../../support/log';

const NOW = new Date('2026-11-21T12:00:00Z');
const SECRET = 'whsec_current';
const payload = JSON.stringify(stripeEvent('customer.subscription.created', subscription()));

function sign(body: string, timestamp = Math.floor(NOW.getTime() / 1000)): string {
  return Stripe.webhooks.generateTestHeaderString({ payload: body, secret: SECRET, timestamp });
}

const endpoints = (secrets: Endpoint['secrets'] = () => Promise.resolve({ current: SECRET })) => ({
  [WEBHOOK_ENDPOINTS.stripe.path]: { scheme: stripeWebhooks, secrets } as Endpoint,
});

interface Sent {
  readonly answer: APIGatewayProxyResult;
  readonly queued: string[];
}

async function deliver(
  body: Buffer | string,
  signature: string | undefined,
  encoding: 'base64' | 'utf8' = 'base64',
  resource: string = WEBHOOK_ENDPOINTS.stripe.path,
): Promise<Sent> {
  const queued: string[] = [];
  const { answer } = await respond(
    {
      body: Buffer.from(body).toString(encoding),
      isBase64Encoded: encoding === 'base64',
      headers: signature === undefined ? {} : { 'STRIPE-Signature': signature },
      resource,
    },
    {
      endpoints: endpoints(),
      livemode: false,
      send: async (message) => void queued.push(message),
      clock: () => NOW,
      log: silentLog,
    },
  );
  return { answer, queued };
}

/** Rejected by the sender's fault with one line that names no secret; nothing is queued. */
const REFUSED = {
  answer: { statusCode: 400, body: expect.stringMatching(/^(?!.*whsec_)\{"error":"[^\n]{10,}"\}$/) },
  queued: [],
};

test('a signed event is queued byte for byte, whichever way API Gateway encodes it', async () => {
  for (const encoding of ['base64', 'utf8'] as const) {
    expect(await deliver(payload, sign(payload), encoding)).toMatchObject({
      answer: { statusCode: 200 },
      queued: [payload],
    });
  }
});

test('a body with any byte changed, added or removed is rejected', async () => {
  const bytes = Buffer.from(payload);
  const mutations = fc.oneof(
    fc.record({ at: fc.nat(bytes.length - 1), change: fc.integer({ min: 1, max: 255 }) }).map(({ at, change }) => {
      const mutated = Buffer.from(bytes);
      mutated[at] = ((mutated[at] ?? 0) + change) % 256;
      return mutated;
    }),
    fc
      .record({ at: fc.nat(bytes.length), added: fc.uint8Array({ minLength: 1, maxLength: 9 }) })
      .map(({ at, added }) => Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at)])),
    fc.nat(bytes.length - 1).map((length) => bytes.subarray(0, length)),
  );
  await fc.assert(
    fc.asyncProperty(mutations, async (mutated) => {
      fc.pre(!mutated.equals(bytes));
      expect(await deliver(mutated, sign(payload))).toMatchObject(REFUSED);
    }),
    { numRuns: 500 },
  );
});

test('a signature that was not made for this body is rejected, whatever it looks like', async () => {
  const [time, own = ''] = sign(payload).split(',');
  const signatures = fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    fc.string().map((text) => `${time},v1=${text}`),
    fc.string().map((text) => `${text},${own}`),
    fc
      .array(fc.constantFrom(String(time), 't=', 'v1=', 'v0=', ',', '=', `${own}0`, own.slice(0, -1)))
      .map((parts) => parts.join(',')),
  );
  await fc.assert(
    fc.asyncProperty(signatures, async (signature) => expect(await deliver(payload, signature)).toMatchObject(REFUSED)),
    { numRuns: 500 },
  );
});

test('a correctly signed body is accepted only within 300 seconds of now, in both directions', async () => {
  const now = Math.floor(NOW.getTime() / 1000);
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(fc.integer({ min: -400, max: 400 }), fc.integer({ min: -now, max: 4_000_000_000 })),
      async (offset) => {
        const sent = await deliver(payload, sign(payload, now + offset));
        expect(sent).toMatchObject(Math.abs(offset) <= 300 ? { answer: { statusCode: 200 } } : REFUSED);
      },
    ),
  );
});

test('a malformed time in the signature is rejected', async () => {
  for (const time of ['NaN', '-1', '1e9', '9'.repeat(20), '']) {
    expect(await deliver(payload, sign(payload).replace(/t=\d+/, `t=${time}`))).toMatchObject(REFUSED);
  }
});

test('a correctly signed body that is not an event is rejected', async () => {
  await fc.assert(
    fc.asyncProperty(fc.json({ maxDepth: 6, stringUnit: 'binary' }), async (json) =>
      expect(await deliver(json, sign(json))).toMatchObject(REFUSED),
    ),
    { numRuns: 300 },
  );
});

const fields = JSON.stringify(stripeEvent('x', {})).slice(1, -1);
test.each([
  ['arrays nested 100,000 levels deep', 400, '['.repeat(100_000) + ']'.repeat(100_000)],
  [
    'an event around an object nested 100,000 levels deep',
    200,
    payload.replace(
      '{"object":"subscription"',
      `{"deep":${'['.repeat(100_000)}${']'.repeat(100_000)},"object":"subscription"`,
    ),
  ],
  ['objects nested and never closed', 400, '{"a":'.repeat(100_000)],
  ['an event without data', 400, `{${fields.replace(/"data":.*$/, '"data":null')}}`],
  ['an event with a prototype', 200, `{${fields},"__proto__":{"id":"evt_x"},"constructor":{"prototype":1}}`],
  [
    'an event created in a year of twenty digits',
    400,
    payload.replace(/"created":\d+,"livemode"/, '"created":99999999999999999999,"livemode"'),
  ],
  ['an event with two ids, the second one malformed', 400, `{${fields},"id":7}`],
  ['a lone surrogate in the type', 200, payload.replace('customer.subscription.created', '\\ud800')],
  ['a byte order mark', 400, `\uFEFF${payload}`],
])('a correctly signed body with %s is answered %i', async (_name, statusCode, body) => {
  const { answer, queued } = await deliver(body, sign(body));

  expect(answer.statusCode).toBe(statusCode);
  expect(queued).toHaveLength(statusCode === 200 ? 1 : 0);
});

test('a live event of a connected account is answered 200 by a test endpoint and not queued', async () => {
  const body = payload.replace('"livemode":false', '"livemode":true,"account":"acct_1"');
  const { answer, queued } = await deliver(body, sign(body));

  expect(JSON.parse(body)).toMatchObject({ livemode: true, account: 'acct_1' });
  expect({ statusCode: answer.statusCode, queued }).toEqual({ statusCode: 200, queued: [] });
});

test('a signed event for a route that no provider has is answered 404 and not queued', async () => {
  const { answer, queued } = await deliver(payload, sign(payload), 'utf8', '/api/v1/webhooks/other');

  expect({ ...answer, queued }).toMatchObject({
    statusCode: 404,
    body: '{"error":"No provider delivers to /api/v1/webhooks/other"}',
    queued: [],
  });
});

describe('a fault of ours', () => {
  test.each([
    ['the queue does not answer', { send: () => Promise.reject(new Error('timeout')) }],
    ['the signing secret cannot be read', { endpoints: endpoints(() => Promise.reject(new Error('denied'))) }],
  ])('is answered 500, so that Stripe delivers again: %s', async (_name, fault) => {
    const { answer, outcome } = await respond(
      {
        body: payload,
        isBase64Encoded: false,
        headers: { 'stripe-signature': sign(payload) },
        resource: WEBHOOK_ENDPOINTS.stripe.path,
      },
      {
        endpoints: endpoints(),
        livemode: false,
        send: () => Promise.resolve(),
        clock: () => NOW,
        log: silentLog,
        ...fault,
      },
    );

    expect({ statusCode: answer.statusCode, outcome }).toEqual({ statusCode: 500, outcome: 'failed' });
    expect(answer.body).not.toMatch(/timeout|denied/);
  });
});
