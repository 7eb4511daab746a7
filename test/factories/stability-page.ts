import {
  CloudWatchClient,
  DescribeAlarmsCommand,
  type CompositeAlarm,
  type DescribeAlarmsCommandInput,
  type MetricAlarm,
} from '@aws-sdk/client-cloudwatch';
import { ListSecretVersionIdsCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs';
import { mockClient } from 'aws-sdk-client-mock';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ClientBase } from 'pg';
import { createConnector } from '../../core/database/connector';
import { createReusableConnection } from '../../core/database/reusable-connection';
import { API_TIMEOUT_MS } from '../../lambdas/api/contract';
import { inspectRequest } from '../../lambdas/inspect/contract';
import { inspect, type InspectDependencies } from '../../lambdas/inspect/core';
import type { EventsRequest } from './stripe-work';
import { eventObject, subscriptionObject } from '../../local/stripe/objects';
import { addPayments } from './sample-payments';
import { createManifestKey } from '../support/archive-key';
import { clusterSecrets, createTestDatabase } from '../support/database';
import { createBucket, objectStore } from '../support/object-store';
import { testServices } from '../support/services';
import { startApi, type ApiUnderTest } from './api';
import { replayEvents, stripeWork } from './stripe-work';

/** The discard port, on which nothing listens. */
const CLOSED_PORT = 9;
/** Leaves a retry half a second before the API gives up. */
const SLOW_TIMEOUT_MS = 3_500;

export const HOSTILE = '<img src=x onerror="document.title=1"><script>alert(1)</script>';

/** The page behind HTTP, on a ledger of its own; `inspect` and `replay` answer by their own code. */
export interface StabilityPage {
  readonly api: ApiUnderTest;
  /** Address of the page. */
  readonly url: string;
  readonly adminKey: string;
  /** Alarms that CloudWatch says are raised; composite ones only to who asks for them. */
  alarms: { readonly metric: MetricAlarm[]; readonly composite: CompositeAlarm[] };
  /** ISO time of the newest archive of both databases. */
  newestArchive: string;
  /** The queue of events, and that of what is parked. */
  readonly queues: { readonly events: string; readonly parked: string; readonly sqs: SQSClient };
  /** When true, the API reaches no database: its port is closed. */
  isFailing: boolean;
  /** When true, a retry outlasts its request. */
  isSlow: boolean;
  /** Adds events to the ledger, the newest a minute ago. */
  addEvents(count: number): Promise<void>;
  /** Adds an event that failed: one that a retry applies, or one that fails again. */
  addFailed(id: string, kind: 'mended' | 'broken'): Promise<void>;
  /** Adds events of Tilled, one of which failed and can be applied, payouts and payments in bitcoin, some of which need attention. */
  addPayments(): Promise<void>;
  /** Adds an event that was dismissed half an hour ago, and whose every text is HTML. */
  addHostile(id: string): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts the page.
 *
 * @param overrides `clock` is that of the API and of `inspect`; PostgreSQL has its own
 */
export async function startStabilityPage(
  overrides: { readonly clock?: () => Date; readonly hasCanary?: boolean } = {},
): Promise<StabilityPage> {
  const { clock = () => new Date() } = overrides;
  const api: ApiUnderTest = await startApi({
    ...overrides,
    database: {
      use: (work) => (page.isFailing ? unreachable : api.connection).use(work),
      close: () => api.connection.close(),
    },
  });
  const target = { ...api.database.connector.target, port: CLOSED_PORT };
  const unreachable = createReusableConnection(createConnector(target, clusterSecrets(), 'api'));
  const main = await createTestDatabase('main');
  const sqs = new SQSClient({ endpoint: testServices().awsEndpoint });
  const dependencies = await inspectDependencies(api, main.connector, sqs, clock);
  await addRecords(api.client);
  await addRecords(await main.client(), false);
  api.answers.inspect = async (request) => {
    const { action } = request as { readonly action: string };
    if (action === 'archives') return sampleArchives(request, clock());
    const report = await inspect(dependencies, inspectRequest.parse(request));
    if (report.action !== 'status') return report;
    const { newestArchive } = page;
    return { ...report, databases: report.databases.map((each) => ({ ...each, newestArchive })) };
  };
  api.answers.replay = (request, signal) =>
    page.isSlow
      ? new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(new Error('given up'))))
      : replayEvents(stripeWork({ url: 'http://127.0.0.1:9' } as never, api.client), request as EventsRequest);
  api.answers.audit = (request) => ({ ...request, id: '20261121T061500Z-1f0c9a3e' });
  mockClient(CloudWatchClient)
    .on(DescribeAlarmsCommand)
    .callsFake(({ AlarmTypes = ['MetricAlarm'] }: DescribeAlarmsCommandInput) => ({
      MetricAlarms: AlarmTypes.includes('MetricAlarm') ? page.alarms.metric : [],
      CompositeAlarms: AlarmTypes.includes('CompositeAlarm') ? page.alarms.composite : [],
    }));
  const server = createServer((request, response) => {
    void send(response, answer(api, page, request));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const page: StabilityPage = {
    api,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/admin`,
    adminKey: await api.key(['admin']),
    alarms: { metric: [sampleAlarm()], composite: [] },
    newestArchive: new Date(clock().getTime() - 2 * 3_600_000).toISOString(),
    queues: { sqs, events: dependencies.queueUrl, parked: dependencies.deadLetterQueueUrl },
    isFailing: false,
    isSlow: false,
    addEvents: (count) => addEvents(api, count),
    addFailed: (id, kind) => addFailed(api, id, kind),
    addPayments: () => addPayments(api.client),
    addHostile: (id) => addHostile(api, id),
    async stop() {
      await closed(server);
      sqs.destroy();
      await Promise.all([api.stop(), main.drop()]);
    },
  };
  return page;
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

async function send(response: ServerResponse, answered: Promise<Response>): Promise<void> {
  const given = await answered;
  response.writeHead(given.status, Object.fromEntries(given.headers));
  response.end(Buffer.from(await given.arrayBuffer()));
}

async function answer(api: ApiUnderTest, page: StabilityPage, request: IncomingMessage): Promise<Response> {
  const url = request.url ?? '/';
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const init = {
    method: request.method ?? 'GET',
    headers: request.headers as Record<string, string>,
    ...(chunks.length === 0 ? {} : { body: Buffer.concat(chunks) }),
  };
  const event = { requestContext: { identity: { sourceIp: '192.0.2.7' } } };
  const endsAtMs = performance.now() + (page.isSlow ? SLOW_TIMEOUT_MS : API_TIMEOUT_MS);
  const lambdaContext = { getRemainingTimeInMillis: () => endsAtMs - performance.now() };
  const bindings = { event: event as never, lambdaContext: lambdaContext as never };
  return api.app.fetch(new Request(`http://localhost${url}`, init), bindings);
}

async function inspectDependencies(
  api: ApiUnderTest,
  main: InspectDependencies['connectors']['main'],
  sqs: SQSClient,
  clock: () => Date,
): Promise<InspectDependencies> {
  const s3 = objectStore();
  const queueUrl = async (QueueName: string) => {
    await sqs.send(new CreateQueueCommand({ QueueName }));
    return `${testServices().awsEndpoint}/000000000000/${QueueName}`;
  };
  mockClient(SecretsManagerClient)
    .on(ListSecretVersionIdsCommand)
    .resolves({ Versions: [{ VersionStages: ['AWSCURRENT'], CreatedDate: new Date() }] });
  return {
    connectors: { billing: api.database.connector, main },
    cloudWatch: new CloudWatchClient({}),
    alarmPrefix: 'BillingOps-test-',
    store: { s3, bucket: await createBucket(s3), signingKey: createManifestKey() },
    sqs,
    queueUrl: await queueUrl('page-events'),
    deadLetterQueueUrl: await queueUrl('page-parked'),
    secretsManager: new SecretsManagerClient({}),
    secretArns: { 'billing-database': 'a', 'main-database': 'b', 'stripe-api': 'c', 'stripe-signing': 'd' },
    frequencyHours: { billing: 6, main: 24 },
    clock,
  };
}

function sampleAlarm(): MetricAlarm {
  return {
    AlarmName: 'BillingOps-test-eventsFailed-warning',
    AlarmActions: ['arn:aws:sns:eu-central-1:000000000000:warning'],
    StateTransitionedTimestamp: new Date(Date.now() - 480_000),
    StateReason: 'Threshold Crossed: 1 datapoint [3.0] was greater than the threshold (0.0).',
    AlarmDescription: 'Events could not be applied.\nDo: read their errors, then retry them.',
  };
}

/** Archives as `inspect` lists them; the store of the test has none. */
function sampleArchives(request: object, now: Date): object {
  const database = (request as { readonly database: string }).database;
  const hours = database === 'billing' ? 6 : 24;
  const archives = Array.from({ length: 6 }, (_, index) => {
    const at = new Date(Math.floor(now.getTime() / 3_600_000) * 3_600_000 - (index * hours + 2) * 3_600_000);
    return {
      slot: at.toISOString(),
      finishedAt: new Date(at.getTime() + 47_000).toISOString(),
      schemaVersion: database === 'billing' ? '0029_create_api_keys' : '0001_create_audit_log',
      tables: database === 'billing' ? 27 : 11,
      rows: 412_873 - index * 1_204,
      compressedBytes: 61_400_000 - index * 120_000,
      durationMs: 47_000 - index * 300,
      signature: 'valid',
    };
  });
  return { action: 'archives', database, archives, incomplete: [], unreadable: [] };
}

/** Drills, and in the billing database two reconciliations, one of which found differences. */
async function addRecords(client: ClientBase, isBilling = true): Promise<void> {
  await client.query(
    `INSERT INTO operations.drills (started_at, outcome, row_count, duration_ms, target_ms)
     VALUES (now() - interval '11 days', 'passed', 411204, 184000, 900000),
            (now() - interval '42 days', 'slow', 398117, 931000, 900000)`,
  );
  if (!isBilling) return;
  await client.query(
    `INSERT INTO billing.reconciliation_runs
       (status, dry_run, window_start, started_at, finished_at, events_missed, drift_detected, corrected)
     VALUES ('complete', false, now(), now() - interval '33 hours', now() - interval '32.9 hours', 0, 0, 0),
            ('complete', false, now(), now() - interval '9 hours', now() - interval '8.9 hours', 1, 1, 2);
     INSERT INTO billing.reconciliation_findings
       (run_id, kind, object_type, object_id, field, local_value, stripe_value, corrected)
     VALUES (2, 'field_differs', 'subscription', 'sub_1QxPz2', 'status', 'active', 'canceled', true),
            (2, 'missed_event', 'event', 'evt_1QxR81', NULL, NULL, NULL, true);
     INSERT INTO billing.entitlements (user_id, project_id, feature, source, source_id, valid_from)
       VALUES ('ada', 'project-1', 'videos', 'purchase', 'cs_1', now() - interval '3 days'),
              ('ada', '', 'forum', 'purchase', 'cs_1', now() - interval '3 days');
     INSERT INTO billing.entitlement_versions (user_id, project_id, version, changed_at)
       VALUES ('ada', 'project-1', 1, now()), ('ada', '', 1, now());
     INSERT INTO billing.webhook_events
       (id, type, livemode, source, status, attempts, occurred_at, received_at, processed_at, payload)
     VALUES ('evt_canary', 'billing_operations.canary', true, 'webhook', 'ignored', 1, now(), now(), now(), '{}')`,
  );
}

/** One event a minute and a half at most, in seven types and three apps; some name a customer and a subscription. */
async function addEvents({ client }: ApiUnderTest, count: number): Promise<void> {
  await client.query(
    `INSERT INTO billing.webhook_events
       (id, type, livemode, source, status, attempts, occurred_at, received_at, processed_at, object_id, payload)
     SELECT 'evt_' || lpad(number::text, 8, '0'),
       (ARRAY['invoice.paid', 'charge.succeeded', 'customer.subscription.updated', 'payment_intent.succeeded',
              'invoice.created', 'checkout.session.completed', 'charge.refunded'])[1 + number % 7],
       true, 'webhook', CASE WHEN number % 9 = 0 THEN 'ignored' ELSE 'processed' END, 1, at, at + interval '1 second',
       at + interval '2 seconds', 'obj_' || number % 997,
       jsonb_build_object('data', jsonb_build_object('object', jsonb_build_object('id', 'obj_' || number % 997,
         'customer', 'cus_' || number % 499, 'padding', repeat('x', 1500),
         'metadata', jsonb_build_object('app_id', (ARRAY['academy', 'studio', 'shop'])[1 + number % 3]))))
     FROM (SELECT number, now() - interval '1 minute' - number * interval '60 seconds'
             - (number % 200) * (number % 7) * interval '1 second' AS at
           FROM generate_series(1, $1::int) AS number) AS made`,
    [count],
  );
  await client.query('ANALYZE billing.webhook_events');
}

async function addFailed({ client }: ApiUnderTest, id: string, kind: 'mended' | 'broken'): Promise<void> {
  const object = subscriptionObject({ metadata: { app_id: 'academy', project_id: 'project-1', user_id: 'ada' } });
  const event = { ...eventObject('customer.subscription.created', object), id };
  const payload = kind === 'mended' ? event : { ...event, data: { object: { ...object, customer: null } } };
  await client.query(
    `INSERT INTO billing.webhook_events
       (id, type, livemode, source, status, attempts, error, occurred_at, received_at, object_id, payload)
     VALUES ($1, 'customer.subscription.created', true, 'webhook', 'failed', 3, $2, now(), now(), $3, $4)`,
    [id, 'customer: expected an id', (object as { id: string }).id, payload],
  );
}

async function addHostile({ client }: ApiUnderTest, id: string): Promise<void> {
  const object = { id: HOSTILE, customer: HOSTILE, metadata: { app_id: HOSTILE } };
  await client.query(
    `INSERT INTO billing.webhook_events
       (id, type, livemode, source, status, attempts, error, occurred_at, received_at, processed_at, object_id, payload,
        dismissed_by, dismissal_reason)
     VALUES ($1, $2, true, 'webhook', 'dismissed', 3, $2, now() - interval '30 minutes', now(), now(), $2, $3, $2, $2)`,
    [id, HOSTILE, { data: { object, previous_attributes: { [HOSTILE]: HOSTILE } } }],
  );
}
