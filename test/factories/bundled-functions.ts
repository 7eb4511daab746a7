import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { bundleFunctions, type Bundle } from '../../lib/operations/bundles';
import { SPARING } from '../../lib/operations/sparing-memory';
import { LocalFunction } from '../../local/aws/lambda-runtime';
import type { FunctionDefinition } from '../../local/template/platform-template';
import { startSecretsManager, type SecretsManager } from '../../local/aws/secrets-manager';
import { startStripeStandIn, type StripeStandIn } from '../../local/stripe/stand-in';
import { startChainServer, type ChainServer } from './chain-server';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { serveManifestKey, SIGNING_KEY_ARN } from '../support/archive-key';
import { createBucket, objectStore } from '../support/object-store';
import { testServices } from '../support/services';

/** What `cdk deploy` ships, each function in a Node process of its own, as in Lambda, with everything that it needs. */
export interface BundledFunctions {
  readonly bundles: readonly Bundle[];
  readonly databases: Readonly<Record<'billing' | 'main', TestDatabase>>;
  readonly secrets: SecretsManager;
  /** Endpoint of what signs archives. */
  readonly kmsEndpoint: string;
  readonly stripe: StripeStandIn;
  readonly queueUrl: string;
  readonly deadLetterQueueUrl: string;
  readonly environments: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /**
   * @param environment @default the function's complete environment
   * @param limits what is not the least that each of them needs
   */
  start(
    name: string,
    environment?: Readonly<Record<string, string>>,
    limits?: Partial<Pick<FunctionDefinition, 'memoryMib' | 'timeoutSeconds'>> & {
      /** Authority of another server. @default that of the run's cluster */
      readonly caFile?: string;
    },
  ): LocalFunction;
  stop(): Promise<void>;
}

type Surroundings = Pick<BundledFunctions, 'databases' | 'stripe' | 'queueUrl' | 'deadLetterQueueUrl'> & {
  readonly chain: ChainServer;
};

export async function startBundledFunctions(): Promise<BundledFunctions> {
  const folder = mkdtempSync(path.join(tmpdir(), 'billing-operations-bundles-'));
  const bundles = bundleFunctions({ outdir: path.join(folder, 'lambdas') });
  const [chain, secrets, kms, stripe, billing, main, queueUrl, deadLetterQueueUrl, bucket] = await Promise.all([
    startChainServer(),
    startSecretsManager(),
    serveManifestKey(),
    startStripeStandIn(),
    createTestDatabase('billing'),
    createTestDatabase('main'),
    createQueue(),
    createQueue(),
    createBucket(objectStore()),
  ]);
  const { cluster, awsEndpoint } = testServices();
  secrets.put('database', { username: cluster.user, password: cluster.password });
  secrets.put('signing', { current: 'whsec_test' });
  secrets.put('stripe', { apiKey: 'sk_test_1' });
  secrets.put('erasures', { key: 'k'.repeat(64) });
  secrets.put('node', { username: 'node', password: 'node' });
  secrets.put('api-keys', { current: 'x'.repeat(64) });
  const databases = { billing, main };
  const environments = environmentsOf({ databases, stripe, queueUrl, deadLetterQueueUrl, chain }, bucket);
  const running: LocalFunction[] = [];
  return {
    bundles,
    databases,
    secrets,
    kmsEndpoint: kms.endpoint,
    stripe,
    queueUrl,
    deadLetterQueueUrl,
    environments,
    start(name, environment = environments[name] ?? {}, { caFile = cluster.caFile, ...limits } = {}) {
      const instance = new LocalFunction(
        {
          name,
          arn: `arn:aws:lambda:eu-central-1:111111111111:function:${name}`,
          folder: bundles.find((candidate) => candidate.name === name)?.folder ?? '',
          handler: 'index.handler',
          timeoutSeconds: 30,
          memoryMib: 512,
          reservedConcurrency: 1,
          environment,
          logLevel: 'INFO',
          ...limits,
        },
        {
          region: 'eu-central-1',
          endpoints: {
            s3: awsEndpoint,
            sqs: awsEndpoint,
            secretsManager: secrets.endpoint,
            kms: kms.endpoint,
          },
          caFile,
          logDirectory: path.join(folder, 'logs'),
        },
      );
      running.push(instance);
      return instance;
    },
    async stop() {
      for (const instance of running) instance.stop();
      await Promise.all([chain.stop(), secrets.stop(), kms.stop(), stripe.stop(), billing.drop(), main.drop()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function createQueue(): Promise<string> {
  const { awsEndpoint } = testServices();
  const sqs = new SQSClient({ endpoint: awsEndpoint });
  const queue = `bundles-${randomBytes(6).toString('hex')}`;
  await sqs.send(new CreateQueueCommand({ QueueName: queue }));
  sqs.destroy();
  // By address: the SDK sends to the host of the queue's URL, and the server's own names are unknown here.
  return `${awsEndpoint}/000000000000/${queue}`;
}

/** A complete environment for each function. */
function environmentsOf(
  { databases, stripe, queueUrl, deadLetterQueueUrl, chain }: Surroundings,
  bucket: string,
): BundledFunctions['environments'] {
  const { cluster } = testServices();
  const base = { ENVIRONMENT_NAME: 'test', LOG_LEVEL: 'INFO', NODE_EXTRA_CA_CERTS: '/var/runtime/ca-cert.pem' };
  const database = (name: 'billing' | 'main') => {
    const prefix = `${name.toUpperCase()}_DATABASE`;
    return {
      [`${prefix}_HOST`]: cluster.host,
      [`${prefix}_PORT`]: String(cluster.port),
      [`${prefix}_NAME`]: databases[name].name,
      [`${prefix}_SECRET_ARN`]: 'database',
    };
  };
  const both = { ...base, ...database('billing'), ...database('main') };
  const stripeApi = { STRIPE_API_SECRET_ARN: 'stripe', STRIPE_API_BASE: stripe.url, LIVEMODE: 'false' };
  const noInstances = { BILLING_INSTANCE_IDENTIFIER: '', MAIN_INSTANCE_IDENTIFIER: '' };
  const archives = { ARCHIVE_BUCKET: bucket, ARCHIVE_SIGNING_KEY_ARN: SIGNING_KEY_ARN };
  const erasures = { ERASURE_KEY_SECRET_ARN: 'erasures', ERASURE_HOOKS: '' };
  return {
    webhook: { ...base, QUEUE_URL: queueUrl, STRIPE_SIGNING_SECRET_ARN: 'signing', LIVEMODE: 'false' },
    processor: { ...base, ...database('billing'), CACHE_URL: '', DEAD_LETTER_QUEUE_URL: deadLetterQueueUrl },
    backup: {
      ...both,
      ...SPARING,
      ...archives,
      ...noInstances,
      BILLING_RETENTION_DAYS: '90',
      MAIN_RETENTION_DAYS: '30',
      BILLING_FREQUENCY_HOURS: '6',
      MAIN_FREQUENCY_HOURS: '24',
      STREAMING_LIMIT_GIB: '64',
      BILLING_ARCHIVE_WORKFLOW_ARN: '',
      MAIN_ARCHIVE_WORKFLOW_ARN: '',
      EXPORT_ROLE_ARN: '',
      EXPORT_KEY_ARN: '',
    },
    restore: {
      ...both,
      ...SPARING,
      ...archives,
      ...erasures,
      STREAMING_LIMIT_GIB: '64',
      BILLING_RESTORE_WORKFLOW_ARN: 'arn:aws:states:eu-central-1:111122223333:stateMachine:restore',
      MAIN_RESTORE_WORKFLOW_ARN: 'arn:aws:states:eu-central-1:111122223333:stateMachine:restore',
    },
    erasure: { ...both, ...erasures, ARCHIVE_BUCKET: bucket },
    drill: {
      ...both,
      ...SPARING,
      ...archives,
      ...erasures,
      BILLING_RESTORE_TARGET_MINUTES: '60',
      MAIN_RESTORE_TARGET_MINUTES: '240',
      STREAMING_LIMIT_GIB: '64',
      BILLING_RESTORE_WORKFLOW_ARN: 'arn:aws:states:eu-central-1:111122223333:stateMachine:restore',
      MAIN_RESTORE_WORKFLOW_ARN: 'arn:aws:states:eu-central-1:111122223333:stateMachine:restore',
    },
    'row-recovery': { ...both, ...archives, ...erasures, CACHE_URL: '', STREAMING_LIMIT_GIB: '40' },
    verify: both,
    warm: both,
    'reset-password': { ...base, BILLING_DATABASE_SECRET_ARN: 'database', MAIN_DATABASE_SECRET_ARN: 'database' },
    canary: {
      ...base,
      ENDPOINT_URL: 'http://127.0.0.1:9/api/v1/webhooks/stripe',
      STRIPE_SIGNING_SECRET_ARN: 'signing',
      INSPECT_FUNCTION_NAME: 'inspect',
      ADDRESSES_LISTED: 'false',
    },
    cleanup: { ...base, ...database('billing'), RETENTION_DAYS: '90' },
    confirmations: {
      ...base,
      ...database('billing'),
      CACHE_URL: '',
      BITCOIN_NETWORK: 'simnet',
      NODE_URL: chain.url,
      NODE_SECRET_ARN: 'node',
    },
    entitlements: { ...base, ...database('billing'), CACHE_URL: '' },
    reconciliation: {
      ...base,
      ...database('billing'),
      ...stripeApi,
      CACHE_URL: '',
      DAYS_BACK: '7',
      SAMPLED_ENTITLEMENTS: '50',
    },
    payouts: { ...base, ...database('billing'), ...stripeApi, CACHE_URL: '' },
    refresh: { ...base, ...database('billing'), ...stripeApi, CACHE_URL: '' },
    replay: {
      ...base,
      ...database('billing'),
      ...stripeApi,
      CACHE_URL: '',
      QUEUE_URL: queueUrl,
      DEAD_LETTER_QUEUE_URL: deadLetterQueueUrl,
    },
    api: {
      ...base,
      ...database('billing'),
      CACHE_URL: '',
      API_KEY_SECRET_ARN: 'api-keys',
      CANARY: 'false',
      TILLED: 'false',
      REQUESTS_PER_MINUTE: '15000',
      AUDIT_FUNCTION_NAME: 'audit',
      ENTITLEMENTS_FUNCTION_NAME: 'entitlements',
      INSPECT_FUNCTION_NAME: 'inspect',
      REPLAY_FUNCTION_NAME: 'replay',
    },
    keys: { ...base, ...database('billing'), API_KEY_SECRET_ARN: 'api-keys' },
    maintenance: {
      ...both,
      INSPECT_FUNCTION_NAME: 'inspect',
      BILLING_READER_SECRET_ARN: 'database',
      MAIN_READER_SECRET_ARN: 'database',
      BILLING_INSTANCE_IDENTIFIER: '',
      MAIN_INSTANCE_IDENTIFIER: '',
      REPORT_TOPIC_ARN: '',
    },
    migrate: both,
    move: {
      ...base,
      ...database('billing'),
      MOVE_HOST: cluster.host,
      MOVE_PORT: String(cluster.port),
      MOVE_DATABASE_NAME: 'billing_moved',
      MOVE_SECRET_ARN: 'database',
    },
    audit: { ...base, ARCHIVE_BUCKET: bucket },
    inspect: {
      ...both,
      ...archives,
      BILLING_FREQUENCY_HOURS: '6',
      MAIN_FREQUENCY_HOURS: '24',
      QUEUE_URL: queueUrl,
      DEAD_LETTER_QUEUE_URL: deadLetterQueueUrl,
      STRIPE_API_SECRET_ARN: 'stripe',
      STRIPE_SIGNING_SECRET_ARN: 'signing',
    },
    collector: {
      ...both,
      ...noInstances,
      BILLING_ARCHIVE_WORKFLOW_ARN: '',
      MAIN_ARCHIVE_WORKFLOW_ARN: '',
      ARCHIVE_BUCKET: bucket,
      BILLING_ALLOCATED_STORAGE_GIB: '20',
      MAIN_ALLOCATED_STORAGE_GIB: '20',
      COPY_REGION: '',
      COPY_BUCKET: '',
      EVENT_RETENTION_DAYS: '365',
      STRIPE_API_SECRET_ARN: 'stripe',
      STRIPE_SIGNING_SECRET_ARN: 'signing',
    },
  };
}
