import { randomBytes } from 'node:crypto';
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs';
import Stripe from 'stripe';
import { MAX_DIMENSION_VALUES } from '../../lambdas/processor/contract';
import { WEBHOOK_ENDPOINTS } from '../../core/providers/contract';
import { canaryEvent } from '../../core/providers/stripe/canary';
import type { StripeEvent } from '../../core/providers/stripe/shapes';
import { startSecretsManager, type SecretsManager } from '../../local/aws/secrets-manager';
import { invoice, stripeEvent, subscription } from '../factories/stripe-objects';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { testServices } from '../support/services';
import { emittedMetrics, startFunction, type EmittedMetric, type StartedFunction } from '../support/started-function';

/** What the functions that take deliveries print for CloudWatch, with everything around them real. */
const load = {
  processor: () => import('../../lambdas/processor/handler'),
  webhook: () => import('../../lambdas/webhook/handler'),
};
const SECRET = 'whsec_metrics';

let database: TestDatabase;
let secrets: SecretsManager;
let queueUrl: string;

beforeAll(async () => {
  [database, secrets] = await Promise.all([createTestDatabase('billing'), startSecretsManager()]);
  const { cluster, awsEndpoint } = testServices();
  secrets.put('database', { username: cluster.user, password: cluster.password });
  secrets.put('signing', { current: SECRET });
  const QueueName = `pipeline-metrics-${randomBytes(6).toString('hex')}`;
  const sqs = new SQSClient({ endpoint: awsEndpoint });
  await sqs.send(new CreateQueueCommand({ QueueName }));
  sqs.destroy();
  queueUrl = `${awsEndpoint}/000000000000/${QueueName}`;
});
afterEach(() => {
  jest.restoreAllMocks();
});
afterAll(() => Promise.all([database.drop(), secrets.stop()]));

function start(name: keyof typeof load): Promise<StartedFunction> {
  const { cluster, awsEndpoint } = testServices();
  return startFunction(load[name], {
    ENVIRONMENT_NAME: 'test',
    LOG_LEVEL: 'INFO',
    AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.endpoint,
    AWS_ENDPOINT_URL_SQS: awsEndpoint,
    BILLING_DATABASE_HOST: cluster.host,
    BILLING_DATABASE_PORT: String(cluster.port),
    BILLING_DATABASE_NAME: database.name,
    BILLING_DATABASE_SECRET_ARN: 'database',
    CACHE_URL: '',
    QUEUE_URL: queueUrl,
    DEAD_LETTER_QUEUE_URL: queueUrl,
    STRIPE_SIGNING_SECRET_ARN: 'signing',
    LIVEMODE: 'false',
  });
}

const named = (metrics: readonly EmittedMetric[], name: string) =>
  metrics
    .filter((metric) => metric.name === name)
    .map(({ dimensions: { environment: _environment, service: _service, ...further }, value }) => ({
      ...further,
      value,
    }));

describe('webhook', () => {
  async function deliver(event: object, secret = SECRET) {
    const payload = JSON.stringify(event);
    const { result, records } = (await start('webhook')).invoke({
      resource: WEBHOOK_ENDPOINTS.stripe.path,
      path: WEBHOOK_ENDPOINTS.stripe.path,
      httpMethod: 'POST',
      isBase64Encoded: false,
      body: payload,
      headers: { 'stripe-signature': Stripe.webhooks.generateTestHeaderString({ payload, secret }) },
    });
    const answer = (await result) as { statusCode: number };
    return { records, statusCode: answer.statusCode, metrics: emittedMetrics(records) };
  }

  test('counts a delivery once in all, and once by its app and type', async () => {
    const { statusCode, metrics } = await deliver(stripeEvent('invoice.paid', invoice()));

    expect(statusCode).toBe(200);
    expect(named(metrics, 'WebhookReceived')).toEqual(
      expect.arrayContaining([{ value: 1 }, { app: 'academy', type: 'invoice.paid', value: 1 }]),
    );
    expect(metrics.map(({ name }) => name)).not.toContain('WebhookRejected');
  });

  test('does not count the canary, which would hide that nothing else comes', async () => {
    const { statusCode, records } = await deliver(canaryEvent(new Date(), 'metrics'));

    expect(statusCode).toBe(200);
    expect(records).toEqual([]);
  });

  test('counts what was not signed for it as rejected, under no name that the sender chose', async () => {
    const { statusCode, metrics } = await deliver(stripeEvent('invoice.paid', invoice()), 'whsec_other');

    expect(statusCode).toBe(400);
    expect(named(metrics, 'WebhookReceived')).toEqual([{ value: 1 }]);
    expect(named(metrics, 'WebhookRejected')).toEqual([{ value: 1 }]);
  });
});

describe('processor', () => {
  const ofApp = (id: string, app: string, plan: string) =>
    subscription({
      id,
      metadata: { app_id: app },
      items: { data: [{ id: `si_${id}`, price: { id: plan, currency: 'eur' } }] },
    });

  async function process(events: readonly StripeEvent[]) {
    const { result, records } = (await start('processor')).invoke({
      Records: events.map((event, index) => ({
        messageId: String(index),
        body: JSON.stringify(event),
        attributes: { SentTimestamp: String(Date.now()) },
      })),
    });
    await result;
    const totals = records.filter((record) => 'EventsProcessed' in record);
    expect(totals).toHaveLength(1);
    return { records, metrics: emittedMetrics(records) };
  }

  test('counts deliveries by status, subscriptions by app and plan, the lag and every statement', async () => {
    const created = stripeEvent('customer.subscription.created', ofApp('sub_1', 'academy', 'price_a'));
    const { metrics } = await process([
      created,
      created,
      stripeEvent('customer.subscription.deleted', ofApp('sub_2', 'shop', 'price_b')),
      stripeEvent('invoice.paid', invoice({ currency: 'euro' })),
    ]);

    expect(named(metrics, 'WebhookProcessed')).toEqual([
      { status: 'processed', value: 2 },
      { status: 'duplicate', value: 1 },
      { status: 'failed', value: 1 },
    ]);
    expect(named(metrics, 'SubscriptionCreated')).toEqual([{ app: 'academy', plan: 'price_a', value: 1 }]);
    expect(named(metrics, 'SubscriptionCanceled')).toEqual([{ app: 'shop', plan: 'price_b', value: 1 }]);
    expect(named(metrics, 'EventLag')).toEqual([{ value: expect.any(Number) }]);
    const durations = named(metrics, 'QueryDuration')[0]?.value;
    expect(durations).toEqual(expect.arrayContaining([expect.any(Number)]));
  });

  test('does not count the canary among the events, in no status and not in their lag', async () => {
    const { metrics } = await process([canaryEvent(new Date(), 'applied')]);

    expect(named(metrics, 'EventsProcessed')).toEqual([{ value: 0 }]);
    expect(named(metrics, 'WebhookProcessed')).toEqual([]);
    expect(named(metrics, 'EventLag')).toEqual([]);
    const { rows } = await (
      await database.client()
    ).query<{ status: string }>("SELECT status FROM billing.webhook_events WHERE type = 'billing_operations.canary'");
    expect(rows).toEqual([{ status: 'ignored' }]);
  });

  test('takes so many apps and plans by name, and counts all others together', async () => {
    const events = Array.from({ length: MAX_DIMENSION_VALUES + 10 }, (_, index) =>
      stripeEvent('customer.subscription.created', ofApp(`sub_many_${index}`, `app_${index}`, `plan_${index}`)),
    );
    const { metrics } = await process(events);
    const counted = named(metrics, 'SubscriptionCreated') as { app: string; plan: string; value: number }[];

    expect(new Set(counted.map(({ app }) => app)).size).toBe(MAX_DIMENSION_VALUES + 1);
    expect(new Set(counted.map(({ plan }) => plan)).size).toBe(MAX_DIMENSION_VALUES + 1);
    expect(counted.reduce((sum, { value }) => sum + value, 0)).toBe(events.length);
  });
});
