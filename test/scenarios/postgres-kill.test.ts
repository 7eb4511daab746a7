import { mkdtempSync, readFileSync, rmSync, chmodSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  SendMessageBatchCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { Client } from 'pg';
import { applyMigrations } from '../../core/migrations/runner';
import { bundleFunctions } from '../../lib/operations/bundles';
import { startEventSource, type EventSource } from '../../local/aws/event-source';
import { LocalFunction } from '../../local/aws/lambda-runtime';
import { startSecretsManager, type SecretsManager } from '../../local/aws/secrets-manager';
import { waitUntil } from '../../local/pass/check';
import { sqsClient } from '../../local/platform/resources';
import { startCluster, type Cluster } from '../../local/postgres/cluster';
import { signal } from '../../local/runtime/processes';
import { stripeEvent, subscription } from '../factories/stripe-objects';
import { testServices } from '../support/services';

/**
 * The cluster of `npm start`, whose server is killed outright while the bundled processor takes events from a queue: a
 * message is deleted once its transaction committed, so a commit that the server loses is an event that is lost for good.
 */
const REGION = 'eu-central-1';
const EVENTS = 600;
const KILLS = 2;
const DEADLINE_MS = 60_000;
jest.setTimeout(2 * DEADLINE_MS);

const folder = mkdtempSync(path.join(tmpdir(), 'billing-operations-postgres-kill-'));
chmodSync(folder, 0o755);
let cluster: Cluster;
let secrets: SecretsManager;
let sqs: SQSClient;
let processor: LocalFunction;
let source: EventSource | undefined;

/** Runs `work` with a connection of its own: those that were open end with the server. */
async function withClient<T>(work: (client: Client) => Promise<T>, database = 'billing'): Promise<T> {
  const { host, port, user, password, caFile } = cluster;
  const ssl = { ca: readFileSync(caFile ?? '', 'utf8') };
  const client = new Client({ host, port, user, password, database, ssl });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

const storedIds = () =>
  withClient(async (client) => {
    const { rows } = await client.query<{ id: string }>(
      `SELECT id FROM billing.webhook_events WHERE status = 'processed'`,
    );
    return rows.map(({ id }) => id);
  });

function startProcessor(): LocalFunction {
  const { host, port, caFile = '' } = cluster;
  return new LocalFunction(
    {
      name: 'processor',
      arn: `arn:aws:lambda:${REGION}:111111111111:function:processor`,
      folder: path.join(folder, 'lambdas', 'processor'),
      handler: 'index.handler',
      timeoutSeconds: 20,
      memoryMib: 512,
      reservedConcurrency: 1,
      environment: {
        ENVIRONMENT_NAME: 'test',
        LOG_LEVEL: 'INFO',
        CACHE_URL: '',
        NODE_EXTRA_CA_CERTS: '/var/runtime/ca-cert.pem',
        BILLING_DATABASE_HOST: host,
        BILLING_DATABASE_PORT: String(port),
        BILLING_DATABASE_NAME: 'billing',
        BILLING_DATABASE_SECRET_ARN: 'database',
      },
      logLevel: 'INFO',
    },
    {
      region: REGION,
      endpoints: { s3: '', sqs: '', secretsManager: secrets.endpoint },
      caFile,
      logDirectory: path.join(folder, 'logs'),
    },
  );
}

beforeAll(async () => {
  bundleFunctions({ outdir: path.join(folder, 'lambdas') });
  // As `npm start` does.
  cluster = await startCluster({ directory: path.join(folder, 'cluster'), durable: false, tls: true });
  secrets = await startSecretsManager();
  secrets.put('database', { username: cluster.user, password: cluster.password });
  await withClient((client) => client.query('CREATE DATABASE billing'), 'postgres');
  await withClient((client) => applyMigrations(client, 'billing', path.resolve(__dirname, '../../migrations/billing')));
  sqs = sqsClient(testServices().awsEndpoint, REGION);
  processor = startProcessor();
});
afterAll(async () => {
  await source?.stop();
  processor.stop();
  sqs.destroy();
  await Promise.all([cluster.stop(), secrets.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

test('no event whose message was deleted is lost when PostgreSQL is killed in the middle of deliveries', async () => {
  const name = `postgres-kill-${process.pid}`;
  await sqs.send(new CreateQueueCommand({ QueueName: name, Attributes: { VisibilityTimeout: '2' } }));
  const url = `${testServices().awsEndpoint}/000000000000/${name}`;
  const events = Array.from({ length: EVENTS }, (_, index) =>
    stripeEvent('customer.subscription.created', subscription({ id: `sub_kill_${index}` })),
  );
  for (let start = 0; start < EVENTS; start += 10) {
    const Entries = events
      .slice(start, start + 10)
      .map((event, index) => ({ Id: String(index), MessageBody: JSON.stringify(event) }));
    await sqs.send(new SendMessageBatchCommand({ QueueUrl: url, Entries }));
  }
  const arn = `arn:aws:sqs:${REGION}:000000000000:${name}`;
  source = startEventSource({
    sqs,
    region: REGION,
    queue: { name, arn, url, visibilityTimeoutSeconds: 2, redrive: undefined },
    definition: {
      queueArn: arn,
      functionName: 'processor',
      batchSize: 10,
      batchingWindowSeconds: 0,
      reportsBatchItemFailures: true,
    },
    invoke: (event) => processor.invoke(event),
    log: () => undefined,
  });

  for (let kill = 1; kill <= KILLS; kill += 1) {
    await waitUntil(async () => {
      const count = (await storedIds()).length;
      return count >= (kill * EVENTS) / (KILLS + 2) ? undefined : `${count} events are stored`;
    }, DEADLINE_MS);
    signal(cluster.pid, 'SIGKILL');
    await waitUntil(
      () =>
        cluster.restart().then(
          () => undefined,
          (error: Error) => error.message,
        ),
      DEADLINE_MS,
    );
  }

  // Those of the batch that the last kill interrupted come again after their visibility timeout.
  await waitUntil(async () => ((await unfinished(url)) === 0 ? undefined : 'messages are left'), DEADLINE_MS);
  const stored = new Set(await storedIds());
  expect(events.filter(({ id }) => !stored.has(id))).toEqual([]);
});

/** Messages of the queue that are waiting or hidden. */
async function unfinished(QueueUrl: string): Promise<number> {
  const AttributeNames = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'] as const;
  const { Attributes } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames: [...AttributeNames] }),
  );
  return AttributeNames.reduce((sum, attribute) => sum + Number(Attributes?.[attribute]), 0);
}
