import { mkdtempSync, readFileSync, rmSync, chmodSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import path from 'node:path';
import { CreateQueueCommand, SendMessageBatchCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { Client } from 'pg';
import type { StripeEvent } from '../../core/providers/stripe/shapes';
import { BATCH_SIZE, MAX_RECEIVES } from '../../lambdas/processor/contract';
import { applyMigrations } from '../../core/migrations/runner';
import { bundleFunctions } from '../../lib/operations/bundles';
import { startEventSource, type EventSource } from '../../local/aws/event-source';
import { LocalFunction } from '../../local/aws/lambda-runtime';
import { startSecretsManager, type SecretsManager } from '../../local/aws/secrets-manager';
import { waitUntil } from '../../local/pass/check';
import { sqsClient } from '../../local/platform/resources';
import { startCluster, type Cluster } from '../../local/postgres/cluster';
import { killServer, whileAway } from '../../local/scenarios/database-faults';
import { unfinished } from '../../local/scenarios/queue';
import { stripeEvent, subscription } from '../factories/stripe-objects';
import { testServices } from '../support/services';

/**
 * The cluster of `npm start`, whose server is killed outright, or away for long, while the bundled processor takes events from
 * a queue. A message is deleted once its transaction committed, so a commit that the server loses is an event that is lost
 * for good; and one that is parked because the server was away has to be moved back by hand.
 */
const REGION = 'eu-central-1';
/** Seconds for which a received message is hidden; the stack's are 180. */
const HIDDEN_SECONDS = 1;
const DEAD_LETTERS = `postgres-outage-parked-${process.pid}`;
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
        DEAD_LETTER_QUEUE_URL: `${testServices().awsEndpoint}/000000000000/${DEAD_LETTERS}`,
      },
      logLevel: 'INFO',
    },
    {
      region: REGION,
      endpoints: { s3: '', sqs: testServices().awsEndpoint, secretsManager: secrets.endpoint },
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
  await sqs.send(new CreateQueueCommand({ QueueName: DEAD_LETTERS }));
  processor = startProcessor();
});
afterEach(() => source?.stop());
afterAll(async () => {
  processor.stop();
  sqs.destroy();
  await Promise.all([cluster.stop(), secrets.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

/** Creates a queue as the stack does, but for the time that a message stays hidden, and starts the processor on it. */
async function startQueue(name: string, batchSize: number): Promise<string> {
  const { awsEndpoint } = testServices();
  const RedrivePolicy = JSON.stringify({
    deadLetterTargetArn: `arn:aws:sqs:${REGION}:000000000000:${DEAD_LETTERS}`,
    maxReceiveCount: MAX_RECEIVES,
  });
  const Attributes = { VisibilityTimeout: String(HIDDEN_SECONDS), RedrivePolicy };
  await sqs.send(new CreateQueueCommand({ QueueName: name, Attributes }));
  const url = `${awsEndpoint}/000000000000/${name}`;
  const arn = `arn:aws:sqs:${REGION}:000000000000:${name}`;
  source = startEventSource({
    sqs,
    region: REGION,
    queue: { name, arn, url, visibilityTimeoutSeconds: HIDDEN_SECONDS, redrive: undefined },
    definition: {
      queueArn: arn,
      functionName: 'processor',
      batchSize,
      batchingWindowSeconds: 0,
      reportsBatchItemFailures: true,
    },
    invoke: (event) => processor.invoke(event),
    log: () => undefined,
  });
  return url;
}

const eventsOf = (prefix: string, count: number): StripeEvent[] =>
  Array.from({ length: count }, (_, index) =>
    stripeEvent('customer.subscription.created', subscription({ id: `sub_${prefix}_${index}` })),
  );

async function send(url: string, events: readonly StripeEvent[]): Promise<void> {
  for (let start = 0; start < events.length; start += 10) {
    const Entries = events
      .slice(start, start + 10)
      .map((event, index) => ({ Id: String(index), MessageBody: JSON.stringify(event) }));
    await sqs.send(new SendMessageBatchCommand({ QueueUrl: url, Entries }));
  }
}

/** Waits until the queue is empty; messages of an interrupted batch come again after their visibility timeout. */
const drained = (url: string) =>
  waitUntil(async () => ((await unfinished(sqs, url)) === 0 ? undefined : 'messages are left'), DEADLINE_MS);

test('no event whose message was deleted is lost when PostgreSQL is killed in the middle of deliveries', async () => {
  const events = eventsOf('kill', EVENTS);
  const url = await startQueue(`postgres-kill-${process.pid}`, 10);
  await send(url, events);

  for (let kill = 1; kill <= KILLS; kill += 1) {
    await waitUntil(async () => {
      const count = (await storedIds()).length;
      return count >= (kill * EVENTS) / (KILLS + 2) ? undefined : `${count} events are stored`;
    }, DEADLINE_MS);
    await killServer(cluster);
  }

  await drained(url);
  const stored = new Set(await storedIds());
  expect(events.filter(({ id }) => !stored.has(id))).toEqual([]);
});

test('an outage of many receives parks nothing, counts no attempt, and the queue drains by itself', async () => {
  // An hour's outage at 180 s, 200 webhooks a second for a part of it: each message is received ten times and more.
  const url = await startQueue(`postgres-outage-${process.pid}`, BATCH_SIZE);
  const { user, password, host, port, caFile = '' } = cluster;
  const address = `postgresql://${user}:${password}@${host}:${port}/billing?sslmode=verify-full&sslrootcert=${caFile}`;
  const events = eventsOf('outage', 10 * BATCH_SIZE);
  await whileAway({ name: 'billing', url: address }, async () => {
    await send(url, events);
    await setTimeout(12 * HIDDEN_SECONDS * 1000);
    expect(await unfinished(sqs, url)).toBe(events.length);
  });
  await drained(url);

  const ledger = await withClient((client) =>
    client.query<{ id: string }>(
      `SELECT id FROM billing.webhook_events WHERE status = 'processed' AND attempts = 1 AND object_id LIKE 'sub_outage_%'`,
    ),
  );
  expect(ledger.rows.map(({ id }) => id).toSorted()).toEqual(events.map(({ id }) => id).toSorted());
  expect(await unfinished(sqs, `${testServices().awsEndpoint}/000000000000/${DEAD_LETTERS}`)).toBe(0);
});
