import { CreateQueueCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import Stripe from 'stripe';
import { WEBHOOK_ENDPOINTS } from '../../core/providers/contract';
import { bundleFunctions } from '../../lib/operations/bundles';
import { LocalFunction } from '../../local/aws/lambda-runtime';
import { startSecretsManager, type SecretsManager } from '../../local/aws/secrets-manager';
import { charge, refund, stripeEvent } from '../factories/stripe-objects';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { testServices } from '../support/services';

/** The bundles that are deployed, each in a process of its own that is killed with SIGKILL at the worst moment. */
const folder = mkdtempSync(path.join(tmpdir(), 'billing-operations-kill-'));
const running: LocalFunction[] = [];
/** Each test starts several processes, which a busy machine does slowly. */
jest.setTimeout(60_000);

let secrets: SecretsManager;
let database: TestDatabase;
let client: Client;
let queueUrl: string;

beforeAll(async () => {
  bundleFunctions({ outdir: path.join(folder, 'lambdas') });
  const { cluster, awsEndpoint } = testServices();
  [secrets, database] = await Promise.all([startSecretsManager(), createTestDatabase('billing')]);
  client = await database.client();
  secrets.put('database', { username: cluster.user, password: cluster.password });
  secrets.put('signing', { current: 'whsec_test' });
  const QueueName = `kill-${process.pid}`;
  await new SQSClient({ endpoint: awsEndpoint }).send(new CreateQueueCommand({ QueueName }));
  queueUrl = `${awsEndpoint}/000000000000/${QueueName}`;
});
afterAll(async () => {
  for (const instance of running) instance.stop();
  await Promise.all([secrets.stop(), database.drop()]);
  rmSync(folder, { recursive: true, force: true });
});

function start(name: 'webhook' | 'processor', sqsEndpoint = testServices().awsEndpoint): LocalFunction {
  const { cluster, awsEndpoint } = testServices();
  const environments = {
    webhook: {
      QUEUE_URL: queueUrl.replace(awsEndpoint, sqsEndpoint),
      STRIPE_SIGNING_SECRET_ARN: 'signing',
      LIVEMODE: 'false',
    },
    processor: {
      DEAD_LETTER_QUEUE_URL: queueUrl,
      NODE_EXTRA_CA_CERTS: '/var/runtime/ca-cert.pem',
      BILLING_DATABASE_HOST: cluster.host,
      BILLING_DATABASE_PORT: String(cluster.port),
      BILLING_DATABASE_NAME: database.name,
      BILLING_DATABASE_SECRET_ARN: 'database',
      CACHE_URL: '',
    },
  };
  const instance = new LocalFunction(
    {
      name,
      arn: `arn:aws:lambda:eu-central-1:111111111111:function:${name}`,
      folder: path.join(folder, 'lambdas', name),
      handler: 'index.handler',
      timeoutSeconds: 20,
      memoryMib: 512,
      reservedConcurrency: 1,
      environment: { ENVIRONMENT_NAME: 'test', LOG_LEVEL: 'INFO', CACHE_URL: '', ...environments[name] },
      logLevel: 'INFO',
    },
    {
      region: 'eu-central-1',
      endpoints: { s3: awsEndpoint, sqs: sqsEndpoint, secretsManager: secrets.endpoint },
      caFile: cluster.caFile,
      logDirectory: path.join(folder, 'logs'),
    },
  );
  running.push(instance);
  return instance;
}

/** A queue that takes a message and then does something instead of answering. */
async function silentQueue(instead: () => void): Promise<Server> {
  const server = createServer((request, response) => {
    const body: Buffer[] = [];
    request.on('data', (chunk: Buffer) => body.push(chunk));
    request.on('end', () => {
      const { awsEndpoint } = testServices();
      const headers = { ...(request.headers as Record<string, string>), host: new URL(awsEndpoint).host };
      delete (headers as Record<string, string | undefined>)['content-length'];
      const forwarded = Buffer.concat(body).toString().replaceAll(`http://${request.headers.host}`, awsEndpoint);
      fetch(awsEndpoint + (request.url ?? ''), { method: 'POST', headers, body: forwarded }).then(
        (answer) => (answer.ok ? instead() : response.writeHead(answer.status).end()),
        () => response.writeHead(502).end(),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

const signed = (payload: string) => ({
  resource: WEBHOOK_ENDPOINTS.stripe.path,
  isBase64Encoded: true,
  body: Buffer.from(payload).toString('base64'),
  headers: { 'stripe-signature': Stripe.webhooks.generateTestHeaderString({ payload, secret: 'whsec_test' }) },
});
const messages = (...bodies: string[]) => ({
  Records: bodies.map((body, index) => ({
    messageId: `m${index}`,
    body,
    attributes: { SentTimestamp: String(Date.now()) },
  })),
});
const refundEvents = (id: string) => [
  stripeEvent('charge.refunded', charge({ id, amount_refunded: 3_000 })),
  stripeEvent('refund.created', refund({ id: `re_${id}`, charge: id })),
];
async function effects(chargeId: string): Promise<unknown> {
  const entries = await client.query('SELECT amount FROM billing.refund_entries WHERE charge_id = $1', [chargeId]);
  const events = await client.query(
    `SELECT status FROM billing.webhook_events WHERE payload::text LIKE '%' || $1 || '%'`,
    [chargeId],
  );
  return { amounts: entries.rows.map(({ amount }) => amount), statuses: events.rows.map(({ status }) => status) };
}

test('a webhook killed after it queued the event and before it answered has, delivered again, one effect', async () => {
  const id = 'ch_killed_webhook';
  const payload = JSON.stringify(refundEvents(id)[0]);
  const queue = await silentQueue(() => doomed.stop());
  const doomed = start('webhook', `http://127.0.0.1:${(queue.address() as AddressInfo).port}`);
  try {
    await expect(doomed.invoke(signed(payload))).rejects.toThrow('Runtime.ExitError');
  } finally {
    queue.closeAllConnections();
    queue.close();
  }
  expect(await start('webhook').invoke(signed(payload))).toMatchObject({ statusCode: 200 });

  const sqs = new SQSClient({ endpoint: testServices().awsEndpoint });
  const received = await sqs.send(new ReceiveMessageCommand({ QueueUrl: queueUrl, MaxNumberOfMessages: 10 }));
  const bodies = received.Messages?.map(({ Body }) => Body ?? '') ?? [];
  expect(bodies).toEqual([payload, payload]);
  expect(await start('processor').invoke(messages(...bodies))).toEqual({ batchItemFailures: [] });
  expect(await effects(id)).toEqual({ amounts: ['3000'], statuses: ['processed'] });
});

test('a processor killed in the middle of its transaction leaves nothing, and delivered again has one effect', async () => {
  const id = 'ch_killed_processor';
  const batch = messages(...refundEvents(id).map((event) => JSON.stringify(event)));
  // It waits for this lock after it wrote its ledger rows; then it is killed.
  await client.query('BEGIN; LOCK TABLE billing.charges');
  const observer = await database.client();
  const backends = async (condition: string) => {
    const { rows } = await observer.query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND ${condition}`,
    );
    return rows.map(({ pid }) => pid);
  };
  const doomed = start('processor');
  const invocation = doomed.invoke(batch).catch((error: unknown) => error);
  let [blocked] = await backends(`wait_event_type = 'Lock'`);
  while (blocked === undefined) {
    await sleep(10);
    [blocked] = await backends(`wait_event_type = 'Lock'`);
  }
  doomed.stop();
  expect(String(await invocation)).toContain('Runtime.ExitError');
  await client.query('ROLLBACK');
  while ((await backends(`pid = ${blocked}`)).length > 0) await sleep(10);

  expect(await effects(id)).toEqual({ amounts: [], statuses: [] });
  const successor = start('processor');
  expect(await successor.invoke(batch)).toEqual({ batchItemFailures: [] });
  const once = { amounts: ['3000'], statuses: ['processed', 'processed'] };
  expect(await effects(id)).toEqual(once);

  // Killed after the commit, before the queue heard of it: the whole batch comes once more.
  successor.stop();
  expect(await start('processor').invoke(batch)).toEqual({ batchItemFailures: [] });
  expect(await effects(id)).toEqual(once);
});
