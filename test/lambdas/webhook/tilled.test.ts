import type { SecretsProvider } from '@aws-lambda-powertools/parameters/secrets';
import Stripe from 'stripe';
import type { ZodType } from 'zod';
import { WEBHOOK_ENDPOINTS, type WebhookEndpoint } from '../../../core/providers/contract';
import { stripeWebhooks } from '../../../core/providers/stripe/webhooks';
import { tilledWebhooks } from '../../../core/providers/tilled/webhooks';
import { createSecrets } from '../../../core/runtime/secrets';
import { respond, type Endpoint } from '../../../lambdas/webhook/respond';
import { signAsTilled, TILLED_EPOCH, tilledEvent, tilledIntent } from '../../factories/tilled-objects';
import { silentLog } from '../../support/log';

const NOW = TILLED_EPOCH + 1_500;
const SECRET = 'whsec_tilled';
const payload = JSON.stringify(tilledEvent('payment_intent.succeeded', tilledIntent()));
const { stripe, tilled } = WEBHOOK_ENDPOINTS;
const signed = signAsTilled(payload, SECRET, NOW);
const stripeSigned = Stripe.webhooks.generateTestHeaderString({
  payload,
  secret: SECRET,
  timestamp: Math.floor(NOW / 1000),
});

async function deliver(
  header: string | undefined,
  body = payload,
  { path, signatureHeader }: WebhookEndpoint = tilled,
  secrets: object = { current: SECRET },
) {
  const store = { get: async () => secrets } as unknown as SecretsProvider;
  const read = <Schema extends ZodType>(schema: Schema) => createSecrets(store).read('arn:secret', schema);
  const endpoints: Record<string, Endpoint> = {};
  const add = <Event, Secrets>(at: WebhookEndpoint, endpoint: Endpoint<Event, Secrets>) => {
    endpoints[at.path] = endpoint;
  };
  add(stripe, { scheme: stripeWebhooks, secrets: async () => read(stripeWebhooks.secrets) });
  add(tilled, { scheme: tilledWebhooks, secrets: async () => read(tilledWebhooks.secrets) });
  const queued: [string, string][] = [];
  const logged: unknown[] = [];
  const { answer } = await respond(
    {
      body: Buffer.from(body).toString('base64'),
      isBase64Encoded: true,
      headers: header === undefined ? {} : { [signatureHeader.toUpperCase()]: header },
      resource: path,
    },
    {
      endpoints,
      livemode: false,
      send: async (message, provider) => void queued.push([message, provider]),
      clock: () => new Date(NOW),
      log: { ...silentLog, error: (message, details) => void logged.push([message, details]) },
    },
  );
  const { error: reason } = JSON.parse(answer.body) as { error?: string };
  return { status: answer.statusCode, reason, queued, logged };
}

test.each([
  ['signed by the current secret', signed, { current: SECRET }],
  ['with one right signature among several', signed.replace('v1=', `v1=${'0'.repeat(64)},v1=`), { current: SECRET }],
  ['with a signature of an unknown scheme besides', `${signed},v2=future,v0=past`, { current: SECRET }],
  ['signed by the previous secret, which is rolled', signed, { current: 'whsec_new', previous: SECRET }],
  ['signed at the end of the tolerance', signAsTilled(payload, SECRET, NOW - 300_000), { current: SECRET }],
])('an event %s is queued byte for byte, under the name of its provider', async (_case, header, secrets) => {
  expect(await deliver(header, payload, tilled, secrets)).toMatchObject({ status: 200, queued: [[payload, 'tilled']] });
});

const MALFORMED = 'The tilled-signature header is malformed; expected t=<milliseconds>,v1=…';
const UNMATCHED = "The signature does not match this endpoint's signing secret";

test.each<[what: string, header: string | undefined, body: string, reason: string]>([
  ['that is unsigned', undefined, payload, 'The tilled-signature header is missing'],
  ['signed by another secret', signAsTilled(payload, 'whsec_other', NOW), payload, UNMATCHED],
  ['whose body was changed', signed, payload.replace('2900', '9900'), UNMATCHED],
  ['whose time was changed', signed.replace(`t=${NOW}`, `t=${NOW + 1}`), payload, UNMATCHED],
  ['with signatures of unknown schemes only', signed.replace('v1=', 'v2='), payload, UNMATCHED],
  ['signed as Stripe signs', stripeSigned, payload, MALFORMED],
  ['whose time is in seconds', signAsTilled(payload, SECRET, Math.floor(NOW / 1000)), payload, MALFORMED],
  ['with two times', `t=${NOW},${signed}`, payload, MALFORMED],
  [
    'that is six minutes old',
    signAsTilled(payload, SECRET, NOW - 360_000),
    payload,
    "The signature is 360 seconds old; check the sender's clock",
  ],
  [
    'of six minutes ahead',
    signAsTilled(payload, SECRET, NOW + 360_000),
    payload,
    "The signature is 360 seconds in the future; check the sender's clock",
  ],
  ['that is no JSON', signAsTilled('{', SECRET, NOW), '{', 'The body is not JSON'],
  [
    'without an account and a type',
    signAsTilled('{"id":"evt_1","data":{}}', SECRET, NOW),
    '{"id":"evt_1","data":{}}',
    'The body is not a Tilled event: event.account_id: expected an id of at most 248 letters, digits and underscores; event.type: expected text',
  ],
])('a delivery %s is answered 400 with the reason, and not queued', async (_what, header, body, reason) => {
  expect(await deliver(header, body)).toEqual({ status: 400, reason, queued: [], logged: [] });
});

test("Tilled's signature at Stripe's endpoint is refused", async () => {
  expect(await deliver(signed, payload, stripe)).toMatchObject({ status: 400, queued: [] });
});

test('a secret of another form is our fault, so that Tilled delivers again, and the log names the form and no value', async () => {
  const { logged, ...answer } = await deliver(signed, payload, tilled, { current: 'sk_not_the_signing_secret' });
  expect(answer).toEqual({ status: 500, reason: 'The event could not be queued; deliver it again', queued: [] });
  expect(logged).toEqual([
    [
      'A webhook could not be queued; Tilled will deliver it again',
      {
        provider: 'tilled',
        reason: expect.stringMatching(
          /is malformed: current: expected the signing secret of the endpoint, which begins with whsec_$/,
        ),
      },
    ],
  ]);
  expect(JSON.stringify(logged)).not.toContain('sk_not');
});
