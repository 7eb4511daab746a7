import type { Client } from 'pg';
import { startSecretsManager, type SecretsManager } from '../../local/aws/secrets-manager';
import { startStripeStandIn, type StripeStandIn } from '../../local/stripe/stand-in';
import { createTestDatabase, type TestDatabase } from './database';
import { testServices } from './services';
import { emittedMetrics, startFunction, type EmfRecord, type StartedFunction } from './started-function';

/** The handlers of the functions that read from Stripe and look after what was stored. */
const LOAD = {
  cleanup: () => import('../../lambdas/cleanup/handler'),
  entitlements: () => import('../../lambdas/entitlements/handler'),
  reconciliation: () => import('../../lambdas/reconciliation/handler'),
  refresh: () => import('../../lambdas/refresh/handler'),
  replay: () => import('../../lambdas/replay/handler'),
};

/** What the handlers find around them. */
export interface Surroundings {
  readonly database: TestDatabase;
  readonly client: Client;
  readonly secrets: SecretsManager;
  readonly stripe: StripeStandIn;
}

export interface StripeHandlers {
  /** Of the running test. */
  readonly surroundings: () => Surroundings;
  /** Starts a function with everything that it needs, and what the test changes of it. */
  readonly start: (name: keyof typeof LOAD, changes?: Readonly<Record<string, string>>) => Promise<StartedFunction>;
}

/** An empty database, an empty Stripe and the secrets of both for every test of the file; all of them are real. */
export function useStripeHandlers(): StripeHandlers {
  let surroundings: Surroundings;
  beforeEach(async () => {
    const [database, secrets, stripe] = await Promise.all([
      createTestDatabase('billing'),
      startSecretsManager(),
      startStripeStandIn(),
    ]);
    const { user, password } = testServices().cluster;
    secrets.put('database', { username: user, password });
    secrets.put('stripe', { apiKey: 'rk_test_1' });
    surroundings = { database, client: await database.client(), secrets, stripe };
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    const { database, secrets, stripe } = surroundings;
    await Promise.all([database.drop(), secrets.stop(), stripe.stop()]);
  });

  return {
    surroundings: () => surroundings,
    start(name, changes = {}) {
      const { cluster, awsEndpoint } = testServices();
      const { database, secrets, stripe } = surroundings;
      return startFunction(LOAD[name], {
        ENVIRONMENT_NAME: 'test',
        LOG_LEVEL: 'INFO',
        AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.endpoint,
        AWS_ENDPOINT_URL_SQS: awsEndpoint,
        BILLING_DATABASE_HOST: cluster.host,
        BILLING_DATABASE_PORT: String(cluster.port),
        BILLING_DATABASE_NAME: database.name,
        BILLING_DATABASE_SECRET_ARN: 'database',
        CACHE_URL: '',
        STRIPE_API_SECRET_ARN: 'stripe',
        STRIPE_API_BASE: stripe.url,
        LIVEMODE: 'false',
        DAYS_BACK: '7',
        SAMPLED_ENTITLEMENTS: '50',
        RETENTION_DAYS: '90',
        QUEUE_URL: 'http://queue.invalid',
        DEAD_LETTER_QUEUE_URL: 'http://queue.invalid',
        ...changes,
      });
    },
  };
}

/**
 * What an invocation published, of the dimensions that the alarms read, by the names of its metrics: one record, and one for
 * each time that the cache was away, which is published at once.
 */
export function metricsOf(records: readonly EmfRecord[], service: string): Record<string, unknown> {
  expect(records.filter((record) => !('CacheUnavailable' in record))).toHaveLength(1);
  const metrics = emittedMetrics(records);
  for (const { dimensions } of metrics) expect(dimensions).toEqual({ environment: 'test', service });
  return Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
}
