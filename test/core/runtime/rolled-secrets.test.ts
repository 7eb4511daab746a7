import { SecretsProvider } from '@aws-lambda-powertools/parameters/secrets';
import { PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createNode } from '../../../core/providers/bitcoin/node';
import { createRpc, nodeSecret } from '../../../core/providers/bitcoin/rpc';
import { WEBHOOK_ENDPOINTS } from '../../../core/providers/contract';
import { createStripe } from '../../../core/providers/stripe/client';
import { openStripeKey } from '../../../core/providers/stripe/key';
import { pacedCaller } from '../../../core/providers/stripe/paced-caller';
import { listEvents } from '../../../core/providers/stripe/requests';
import { stripeWebhooks } from '../../../core/providers/stripe/webhooks';
import { createTilled, tilledApiSecret } from '../../../core/providers/tilled/client';
import { boundedLookUp } from '../../../core/runtime/bounded-look-up';
import { renewFrom } from '../../../core/runtime/held-secret';
import { createSecrets, type Secrets } from '../../../core/runtime/secrets';
import { respond, type Endpoint } from '../../../lambdas/webhook/respond';
import { startSecretsManager, type SecretsManager } from '../../../local/aws/secrets-manager';
import { sign } from '../../../local/stripe/delivery';
import { startStripeStandIn, type StripeStandIn } from '../../../local/stripe/stand-in';
import { startTilledStandIn, type TilledStandIn } from '../../../local/tilled/stand-in';
import { stripeEvent, subscription } from '../../factories/stripe-objects';
import { silentLog } from '../../support/log';

/** Secrets that change at the provider while functions have the former value in memory, for a minute as always. */
const ARN = 'arn:aws:secretsmanager:eu-central-1:000000000000:secret:rolled-AbCd12';
const ROLLS = 3;

let manager: SecretsManager;
let client: SecretsManagerClient;
/** As a function has it: one for its life. */
let secrets: Secrets;

beforeEach(async () => {
  manager = await startSecretsManager();
  client = new SecretsManagerClient({ endpoint: manager.endpoint });
  secrets = createSecrets(new SecretsProvider({ awsSdkV3Client: client }));
});
afterEach(async () => {
  client.destroy();
  await manager.stop();
});

describe('a webhook', () => {
  const payload = JSON.stringify(stripeEvent('customer.subscription.created', subscription()));
  let lookUps: number;
  let nowMs: number;
  let endpoint: Endpoint;
  beforeEach(() => {
    [lookUps, nowMs] = [0, Date.now()];
    const lookUp = async () => {
      lookUps += 1;
      return secrets.read(ARN, stripeWebhooks.secrets, 'current');
    };
    endpoint = {
      scheme: stripeWebhooks,
      secrets: () => secrets.read(ARN, stripeWebhooks.secrets),
      newerSecrets: boundedLookUp(lookUp, () => nowMs),
    };
  });

  async function statusOf(secret: string): Promise<number> {
    const { path } = WEBHOOK_ENDPOINTS.stripe;
    const headers = { 'stripe-signature': sign(payload, secret) };
    const { answer } = await respond(
      { body: payload, isBase64Encoded: false, headers, resource: path },
      {
        endpoints: { [path]: endpoint },
        livemode: false,
        send: async () => undefined,
        clock: () => new Date(),
        log: silentLog,
      },
    );
    return answer.statusCode;
  }

  test('that is signed by a secret which was stored a moment ago is accepted, three rolls in a row', async () => {
    manager.put(ARN, { current: 'whsec_0' });
    const seen = [await statusOf('whsec_0')];
    for (let roll = 1; roll <= ROLLS; roll += 1) {
      manager.put(ARN, { current: `whsec_${roll}`, previous: `whsec_${roll - 1}` });
      seen.push(await statusOf(`whsec_${roll - 1}`), await statusOf(`whsec_${roll}`), await statusOf(`whsec_${roll}`));
    }
    expect(seen).toEqual(seen.map(() => 200));
    expect(lookUps).toBe(ROLLS);
  });

  test('that is forged makes the function look the secret up a few times a minute, and delays a new one by seconds', async () => {
    manager.put(ARN, { current: 'whsec_0' });
    for (let count = 0; count < 50; count += 1) expect(await statusOf('whsec_forged')).toBe(400);
    expect(lookUps).toBe(5);
    manager.put(ARN, { current: 'whsec_1', previous: 'whsec_0' });
    expect([await statusOf('whsec_0'), await statusOf('whsec_1')]).toEqual([200, 400]);
    nowMs += 10_000;
    expect([await statusOf('whsec_1'), await statusOf('whsec_forged'), lookUps]).toEqual([200, 400, 6]);
  });

  test('is answered 500 when nothing says whether it is forged, so that the provider delivers it again', async () => {
    manager.put(ARN, { current: 'whsec_0' });
    await statusOf('whsec_0');
    await manager.stop();
    expect([await statusOf('whsec_0'), await statusOf('whsec_1')]).toEqual([200, 500]);
  });
});

describe('an API key of Stripe', () => {
  let stripe: StripeStandIn;
  beforeEach(async () => {
    stripe = await startStripeStandIn({ apiKey: 'rk_test_0' });
    manager.put(ARN, { apiKey: 'rk_test_0' });
  });
  afterEach(() => stripe.stop());

  const opened = async (version?: 'cached' | 'pending') => {
    const key = await openStripeKey(secrets, { secretArn: ARN, livemode: false }, version);
    const call = pacedCaller({ callsPerSecond: 10_000, firstBackoffMs: 1, key });
    const list = listEvents(createStripe(key, stripe.url));
    return () => call(() => list({}, { limit: 1 }));
  };

  test('that ends during a run is replaced by the current one, three times in a row', async () => {
    const list = await opened();
    const refused = () => stripe.requests.filter(({ status }) => status === 401).length;
    const tenAtOnce = async () => {
      const before = refused();
      await Promise.all(Array.from({ length: 10 }, list));
      return refused() - before;
    };
    expect(await tenAtOnce()).toBe(0);
    for (let roll = 1; roll <= ROLLS; roll += 1) {
      manager.put(ARN, { apiKey: `rk_test_${roll}` });
      stripe.acceptKeys(`rk_test_${roll}`);
      // Each of them once at most, and none that begins later.
      expect(await tenAtOnce()).toBeLessThanOrEqual(10);
      expect(await tenAtOnce()).toBe(0);
    }
    const refusedOfFirst = refused();
    // A run that begins later has the former one in memory no more.
    const later = await opened();
    await later();
    expect(refused()).toBe(refusedOfFirst);
  });

  test('that Stripe refuses without another in the secret fails, as does one of the other mode', async () => {
    const list = await opened();
    stripe.acceptKeys('rk_test_other');
    await expect(list()).rejects.toMatchObject({ code: 'stripe_refused' });
    manager.put(ARN, { apiKey: 'rk_live_other' });
    await expect(list()).rejects.toMatchObject({ code: 'configuration' });
  });

  test('that is pending is proven by itself', async () => {
    manager.put(ARN, { apiKey: 'rk_test_1' });
    await store('{"apiKey":"rk_test_wrong"}', 'AWSPENDING');
    stripe.acceptKeys('rk_test_1');
    await expect((await opened('pending'))()).rejects.toMatchObject({ code: 'stripe_refused' });
  });
});

async function store(SecretString: string, stage = 'AWSCURRENT'): Promise<void> {
  await client.send(new PutSecretValueCommand({ SecretId: ARN, SecretString, VersionStages: [stage] }));
}

test('an API key of Tilled that ends during a run is replaced by the current one, three times in a row', async () => {
  const tilled: TilledStandIn = await startTilledStandIn({ apiKey: 'sk_0' });
  const accounts = ['acct_1'];
  const options = { apiBase: tilled.url, firstBackoffMs: 1, callsPerSecond: 10_000 };
  const api = createTilled(
    { apiKey: 'sk_0', accounts },
    { ...options, renew: renewFrom(secrets, ARN, tilledApiSecret) },
  );
  for (let roll = 1; roll <= ROLLS; roll += 1) {
    manager.put(ARN, { apiKey: `sk_${roll}`, accounts });
    tilled.acceptKeys(`sk_${roll}`);
    await api.listEvents('acct_1', { offset: 0 });
  }
  tilled.acceptKeys();
  await expect(api.listEvents('acct_1', { offset: 0 })).rejects.toMatchObject({ code: 'tilled_refused' });
  await tilled.stop();
});

describe('a node', () => {
  let accepted: string;
  let node: Server;
  beforeEach(async () => {
    accepted = 'password-0';
    node = createServer((request, response) => {
      const isKnown = request.headers.authorization === `Basic ${Buffer.from(`u:${accepted}`).toString('base64')}`;
      request.resume();
      response.writeHead(isKnown ? 200 : 401).end(isKnown ? '[{"id":0,"result":[]}]' : '');
    });
    await new Promise<void>((resolve) => node.listen(0, '127.0.0.1', resolve));
  });
  afterEach(() => node.close());

  const put = (roll: number) => manager.put(ARN, { username: 'u', password: `password-${roll}` });
  const run = async () => {
    const url = `http://127.0.0.1:${(node.address() as AddressInfo).port}`;
    const credentials = await secrets.read(ARN, nodeSecret);
    const renew = renewFrom(secrets, ARN, nodeSecret, ['current', 'previous']);
    return createNode(createRpc({ url, credentials, renew, pausesMs: [] })).mempool();
  };

  test('that is given its new password some time after the secret refuses no run', async () => {
    put(0);
    await run();
    for (let roll = 1; roll <= ROLLS; roll += 1) {
      put(roll);
      await run();
      // The one in memory is the former one, or the new one, which the node does not know.
      secrets = createSecrets(new SecretsProvider({ awsSdkV3Client: client }));
      await run();
      accepted = `password-${roll}`;
      await run();
    }
    accepted = 'password-unknown';
    await expect(run()).rejects.toMatchObject({ code: 'node_refused' });
  });

  test('that refuses the only password, or one whose former value is malformed, refuses the run', async () => {
    accepted = 'password-unknown';
    put(0);
    await expect(run()).rejects.toMatchObject({ code: 'node_refused' });
    for (const malformed of ['{"username":"u"}', 'generated']) {
      await store(malformed);
      put(1);
      await expect(run()).rejects.toMatchObject({ code: 'node_refused' });
    }
  });

  test('that refuses the current password while the former one cannot be read makes the run retryable', async () => {
    put(0);
    put(1);
    client.middlewareStack.add((next) => async (step) => {
      const { VersionStage: stage } = step.input as { readonly VersionStage?: string };
      if (stage === 'AWSPREVIOUS') throw Object.assign(new Error('Rate exceeded'), { name: 'ThrottlingException' });
      return next(step);
    });
    await expect(run()).rejects.toMatchObject({ code: 'secret_unavailable', retryable: true });
  });
});
