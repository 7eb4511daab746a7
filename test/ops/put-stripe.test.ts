import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { GetFunctionConfigurationCommand, InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import {
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { mockClient } from 'aws-sdk-client-mock';
import Stripe from 'stripe';
import { readBody, startHttpServer, type HttpServer } from '../../local/runtime/http-server';
import { runOps } from './run-ops';
import { wordsOf } from './runbook-lines';

/** `secrets put-stripe`: a new value is proven before it becomes current. The pauses between attempts take no time. */
jest.mock('node:timers/promises', () => ({ setTimeout: () => Promise.resolve() }));

const lambda = mockClient(LambdaClient);
const secrets = mockClient(SecretsManagerClient);
const cloudFormation = mockClient(CloudFormationClient);

const OLD = 'whsec_old00000';
const NEW = 'whsec_newSecret1';
const NEW_KEY = 'rk_test_newKey0000';
/** What the endpoint answers, and with which secret each request was signed. */
let answer: number;
let endpoint: HttpServer;
let deliveries: { readonly signedWith: string | undefined; readonly type: string; readonly storedBefore: number }[];

beforeEach(async () => {
  for (const mock of [lambda, secrets, cloudFormation]) mock.reset();
  answer = 200;
  deliveries = [];
  endpoint = await startHttpServer(async (request, response) => {
    const body = (await readBody(request, 100_000))?.toString() ?? '';
    const header = String(request.headers['stripe-signature']);
    const signedWith = [OLD, NEW].find((secret) => isSignedWith(secret, body, header));
    deliveries.push({ signedWith, type: (JSON.parse(body) as { type: string }).type, storedBefore: stored().length });
    response.writeHead(answer).end('{}');
  });
  lambda.on(GetFunctionConfigurationCommand).resolves({
    Environment: { Variables: { STRIPE_SIGNING_SECRET_ARN: 'arn:signing', STRIPE_API_SECRET_ARN: 'arn:api' } },
  });
  cloudFormation.on(DescribeStacksCommand).resolves({
    Stacks: [{ Outputs: [{ OutputKey: 'WebhookStripeEndpoint0A1B2C3D', OutputValue: endpoint.url }] }] as never,
  });
  secrets.on(PutSecretValueCommand).resolves({ VersionId: 'v2' });
  secrets.on(UpdateSecretVersionStageCommand).resolves({});
});
afterEach(() => endpoint.stop());

function isSignedWith(secret: string, body: string, header: string): boolean {
  try {
    Stripe.webhooks.constructEvent(body, header, secret);
    return true;
  } catch {
    return false;
  }
}

const put = (line: string, piped: string) =>
  runOps([...wordsOf(`secrets put-stripe ${line} --confirm dev --without-audit`), '--env', 'dev'], { piped });
const inUse = (fields: object) =>
  secrets.on(GetSecretValueCommand).resolves({ SecretString: JSON.stringify(fields), VersionId: 'v1' });
const calls = () => secrets.commandCalls(PutSecretValueCommand).map(({ args }) => args[0].input);
const stored = () => calls().map(({ SecretString = '' }) => JSON.parse(SecretString) as Record<string, string>);
const stages = () => secrets.commandCalls(UpdateSecretVersionStageCommand).map(({ args }) => args[0].input);

describe('a new signing secret', () => {
  test('is accepted beside the current one, proven by an event, and then current with the former one for the overlap', async () => {
    inUse({ current: OLD, connect: 'whsec_connect' });
    const { status, stdout } = await put('signing-secret --overlap-hours 1', `${NEW}\n`);
    expect([status, stdout]).toEqual([
      0,
      expect.stringMatching(/^Stored: .+ accepted an event signed with it\nThe former/),
    ]);

    expect(deliveries).toEqual([{ signedWith: NEW, type: 'billing_operations.canary', storedBefore: 1 }]);
    const [first, second] = stored();
    expect(first).toEqual({ current: OLD, connect: 'whsec_connect', next: NEW });
    expect(second).toEqual({
      current: NEW,
      previous: OLD,
      previousExpiresAt: expect.any(String) as string,
      connect: 'whsec_connect',
    });
    expect(Math.round((Date.parse(second?.previousExpiresAt ?? '') - Date.now()) / 60_000)).toBe(60);
    expect(calls().map(({ SecretId }) => SecretId)).toEqual(['arn:signing', 'arn:signing']);
    expect(stdout).not.toContain('whsec_');
  });

  test('that the endpoint does not accept leaves the former one as it was', async () => {
    inUse({ current: OLD, connect: 'whsec_connect' });
    answer = 400;
    const { status, stderr } = await put('signing-secret', NEW);
    expect([status, stderr]).toEqual([3, expect.stringMatching(/The former secret stays: .+ answered .+ 400 \{\}\n$/)]);
    expect(deliveries.length).toBeGreaterThan(1);
    expect(stored().at(-1)).toEqual({ current: OLD, connect: 'whsec_connect' });
  });

  test('that is the first replaces the random value that the stack made, with nothing to prove it against', async () => {
    inUse({ current: 'Q9xVb3RkT0pYc1dZ' });
    const { status, stdout } = await put('signing-secret', 'whsec_firstSecret');
    expect([status, stdout]).toEqual([0, expect.stringContaining('Stored, not proven')]);
    expect([stored(), deliveries]).toEqual([[{ current: 'whsec_firstSecret' }], []]);
  });

  test('that is in use already changes nothing', async () => {
    inUse({ current: OLD });
    expect((await put('signing-secret', OLD)).stderr).toContain('is the current one already');
    expect(stored()).toEqual([]);
  });
});

describe('a new API key', () => {
  const answers = (...refusals: readonly (string | null)[]) =>
    lambda.on(InvokeCommand).callsFake(() => {
      const permissions = refusals.map((refusal, index) => ({ name: `Kind ${index}`, refusal }));
      const report = JSON.stringify({ action: 'check', apiVersion: '2026-01-01', permissions, endpoints: null });
      return { StatusCode: 200, Payload: Object.assign(Buffer.from(report), { transformToString: () => report }) };
    });
  const asked = () =>
    lambda
      .commandCalls(InvokeCommand)
      .map(({ args }) => JSON.parse(String(Buffer.from(args[0].input.Payload as Uint8Array))) as unknown);
  const removal = { SecretId: 'arn:api', VersionStage: 'AWSPENDING', RemoveFromVersionId: 'v2' };

  test('is pending while the platform calls Stripe with it, and then current', async () => {
    inUse({ apiKey: 'rk_test_oldKey0000', note: 'kept' });
    answers(null, null);
    const { status, stdout } = await put('api-key', NEW_KEY);
    expect([status, stdout]).toEqual([
      0,
      'Stored: Stripe let it read all 2 kinds of objects, API version 2026-01-01\n',
    ]);
    expect(calls()).toMatchObject([{ SecretId: 'arn:api', VersionStages: ['AWSPENDING'] }]);
    expect(stored()).toEqual([{ apiKey: NEW_KEY, note: 'kept' }]);
    expect(asked()).toEqual([{ action: 'check', key: 'pending' }]);
    expect(stages()).toEqual([
      { SecretId: 'arn:api', VersionStage: 'AWSCURRENT', MoveToVersionId: 'v2', RemoveFromVersionId: 'v1' },
      removal,
    ]);
  });

  test('that may not read everything never becomes current, and says what it lacks', async () => {
    inUse({ apiKey: 'rk_test_oldKey0000' });
    answers(null, 'The provided key does not have the required permissions');
    const { status, stderr } = await put('api-key', NEW_KEY);
    expect([status, stderr]).toEqual([
      3,
      expect.stringMatching(/The former key stays: the new one may not read Kind 1 \(/),
    ]);
    expect(stages()).toEqual([removal]);
  });

  test('that Stripe does not know never becomes current', async () => {
    inUse({ apiKey: 'rk_test_oldKey0000' });
    answers('Invalid API Key provided', 'Invalid API Key provided');
    const { status, stderr } = await put('api-key', NEW_KEY);
    expect([status, stderr]).toEqual([
      3,
      expect.stringContaining('The former key stays: the new one may read nothing (Invalid API Key provided)'),
    ]);
    expect(stages()).toEqual([removal]);
  });

  test('is stored without a call where the operator says so', async () => {
    inUse({ apiKey: 'rk_test_oldKey0000' });
    expect((await put('api-key --without-proof', NEW_KEY)).status).toBe(0);
    expect([calls()[0]?.VersionStages, asked(), stages()]).toEqual([['AWSCURRENT'], [], []]);
  });

  test('of another form is not stored, and not repeated', async () => {
    const { status, stderr } = await put('api-key', 'sk_test_abc\n');
    expect([status, stderr]).toEqual([2, expect.stringContaining('then has 8 or more letters or digits')]);
    expect(stderr).not.toContain('sk_test_abc');
    expect(secrets.calls()).toEqual([]);
  });
});
