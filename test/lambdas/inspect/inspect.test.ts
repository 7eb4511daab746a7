import { CloudWatchClient, DescribeAlarmsCommand } from '@aws-sdk/client-cloudwatch';
import { CreateQueueCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { ListSecretVersionIdsCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { mockClient } from 'aws-sdk-client-mock';
import type { Client } from 'pg';
import {
  INSPECTIONS,
  inspectRequest,
  type InspectionName,
  type InspectionReport,
} from '../../../lambdas/inspect/contract';
import { inspect, type InspectDependencies } from '../../../lambdas/inspect/core';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { createManifestKey } from '../../support/archive-key';
import { createBucket, objectStore } from '../../support/object-store';
import { testServices } from '../../support/services';

const NOW = new Date('2026-11-21T12:00:00Z');
const secretsManager = mockClient(SecretsManagerClient);
const cloudWatch = mockClient(CloudWatchClient);
let billing: TestDatabase;
let main: TestDatabase;
let client: Client;
let sqs: SQSClient;
let dependencies: InspectDependencies;

beforeAll(async () => {
  sqs = new SQSClient({ endpoint: testServices().awsEndpoint });
  const s3 = objectStore();
  const [queueUrl, deadLetterQueueUrl, bucket] = await Promise.all([
    createQueue('inspect-events'),
    createQueue('inspect-parked'),
    createBucket(s3),
  ]);
  [billing, main] = await Promise.all([createTestDatabase('billing'), createTestDatabase('main')]);
  client = await billing.client();
  secretsManager
    .on(ListSecretVersionIdsCommand)
    .resolves({ Versions: [{ VersionStages: ['AWSCURRENT'], CreatedDate: new Date('2026-11-01T00:00:00Z') }] });
  dependencies = {
    connectors: { billing: billing.connector, main: main.connector },
    cloudWatch: new CloudWatchClient({}),
    alarmPrefix: 'BillingOps-test-',
    store: { s3, bucket, signingKey: createManifestKey() },
    sqs,
    queueUrl,
    deadLetterQueueUrl,
    secretsManager: new SecretsManagerClient({}),
    secretArns: { 'billing-database': 'a', 'main-database': 'b', 'stripe-api': 'c', 'stripe-signing': 'd' },
    frequencyHours: { billing: 6, main: 24 },
    clock: () => NOW,
  };
  await client.query(
    `INSERT INTO billing.webhook_events
       (id, type, livemode, source, status, attempts, error, occurred_at, received_at, processed_at, payload)
     VALUES
       ('evt_1', 'invoice.paid', false, 'webhook', 'processed', 1, NULL, now() - interval '3 minutes', now() - interval '3 minutes', now(), '{}'),
       ('evt_2', 'invoice.paid', false, 'webhook', 'failed', 3, 'no customer', now() - interval '2 minutes', now() - interval '2 minutes', NULL, '{}'),
       ('evt_3', 'charge.refunded', false, 'reconciliation', 'processed', 1, NULL, now() - interval '1 minute', now() - interval '20 seconds', now(), '{}'),
       ('evt_4', 'charge.refunded', false, 'webhook', 'processed', 1, NULL, now() - interval '1 day', now() - interval '1 day', now(), '{}'),
       ('evt_canary_1', 'billing_operations.canary', false, 'webhook', 'ignored', 1, NULL, now(), now(), now(), '{}')`,
  );
});
afterAll(async () => {
  sqs.destroy();
  await Promise.all([billing.drop(), main.drop()]);
});

async function createQueue(name: string): Promise<string> {
  await sqs.send(new CreateQueueCommand({ QueueName: name }));
  return `${testServices().awsEndpoint}/000000000000/${name}`;
}

async function ask<Name extends InspectionName>(
  question: { readonly action: Name } & Readonly<Record<string, unknown>>,
  changes: Partial<InspectDependencies> = {},
): Promise<InspectionReport<Name>> {
  const report = await inspect({ ...dependencies, ...changes }, inspectRequest.parse(question));
  return INSPECTIONS[question.action].report.parse(report) as InspectionReport<Name>;
}

test('the status has the counts of the ledger and the queues, and the ages of secrets', async () => {
  await sqs.send(new SendMessageCommand({ QueueUrl: dependencies.deadLetterQueueUrl, MessageBody: 'parked' }));
  await client.query(
    `INSERT INTO operations.maintenance_runs (task, started_at, finished_at, outcome, result, error)
     VALUES ('vacuum', '2026-11-08T08:00:00Z', now(), 'done', '{}', NULL), ('vacuum', '2026-11-15T08:00:00Z', now(), 'partial', '{}', NULL),
       ('vacuum', '2026-11-22T08:00:00Z', now(), 'failed', NULL, 'why'), ('sizes', '2026-11-15T08:00:00Z', NULL, 'running', NULL, NULL);
     INSERT INTO billing.erasures (id, erased_at, finished_at, main_at, reports_at) VALUES ('1', '2026-11-01Z', now(), now(), now()), ('2', '2026-11-20Z', now(), now(), NULL), ('3', '2026-11-21Z', NULL, now(), now())`,
  );
  const [newest] = (await ask({ action: 'events' })).events;
  expect(await ask({ action: 'status' })).toMatchObject({
    at: NOW.toISOString(),
    databases: [
      {
        database: 'billing',
        schemaVersion: expect.stringMatching(/^00\d\d_/),
        newestArchive: null,
        archiveLimitSeconds: 8 * 3600,
        lastDrill: null,
        madeAt: expect.any(String),
        maintenance: [{ task: 'vacuum', at: '2026-11-15T08:00:00.000Z' }],
      },
      {
        database: 'main',
        sizeBytes: expect.any(Number),
        connectionsPercent: expect.any(Number),
        archiveLimitSeconds: 26 * 3600,
      },
    ],
    events: { failed: 1, unfinished: 0, lastHour: 3, newestAt: newest?.occurredAt },
    queues: { waiting: 0, parked: 1 },
    reconciliation: null,
    money: { failedSubscriptionsPercent: 0, refundsToday: [] },
    erasures: { open: 2, since: '2026-11-20T00:00:00.000Z' },
    secrets: expect.arrayContaining([{ secret: 'stripe-api', changedAt: '2026-11-01T00:00:00.000Z' }]),
    problems: [],
  });
});

test('the status has the findings of a drill, and not the error that ended another', async () => {
  const drill = async (at: string, outcome: string, error: string) => {
    await client.query(
      `INSERT INTO operations.drills (started_at, outcome, duration_ms, target_ms, error) VALUES ($1, $2, 2, 1, $3)`,
      [at, outcome, error],
    );
    return (await ask({ action: 'status' })).databases[0]?.lastDrill;
  };
  expect(await drill('2026-11-19T03:00Z', 'slow', '1 of 2')).toMatchObject({ outcome: 'slow', findings: '1 of 2' });
  expect(await drill('2026-11-20T03:00Z', 'failed', 'why')).toMatchObject({ outcome: 'failed', findings: null });
});

test('a database that does not answer is a problem of the status, and the rest is answered', async () => {
  const broken = { ...main.connector, connect: () => Promise.reject(new Error('connection refused')) };
  const report = await ask({ action: 'status' }, { connectors: { billing: billing.connector, main: broken } });
  expect(report.problems).toEqual(['main: connection refused']);
  expect(report.databases[1]).toMatchObject({ database: 'main', sizeBytes: null });
  expect(report.events).toMatchObject({ failed: 1 });
});

test('refunds of the day are summed by currency', async () => {
  await client.query(
    `INSERT INTO billing.refund_ledger (entry, kind, charge_id, refund_id, amount, currency)
     VALUES ('re_1', 'refunded', 'ch_1', 're_1', 250, 'usd'), ('re_2', 'refunded', 'ch_2', 're_2', 100, 'usd')`,
  );
  const { money } = await ask({ action: 'status' });
  expect(money?.refundsToday).toEqual([{ currency: 'usd', refunds: 2, amount: '350' }]);
});

test.each([
  [{}, ['evt_3', 'evt_2', 'evt_1', 'evt_4']],
  [{ status: 'failed' }, ['evt_2']],
  [{ type: 'charge.refunded' }, ['evt_3', 'evt_4']],
  // The canary's are listed only where they are asked for.
  [{ type: 'billing_operations.canary' }, ['evt_canary_1']],
  [{ since: new Date(Date.now() - 3_600_000).toISOString(), limit: 2 }, ['evt_3', 'evt_2']],
])('events that match %j are listed, the newest first', async (filter, ids) => {
  const { events } = await ask({ action: 'events', ...filter });
  expect(events.map(({ id }) => id)).toEqual(ids);
});

test('an event has its error and never its payload', async () => {
  const { events } = await ask({ action: 'events', status: 'failed' });
  expect(events[0]).toMatchObject({ id: 'evt_2', error: 'no customer', attempts: 3, processedAt: null });
  expect(Object.keys(events[0] ?? {})).not.toContain('payload');
});

test('findings are those of the last run that was no dry run, or of the named one', async () => {
  await client.query(
    `INSERT INTO billing.reconciliation_runs (status, dry_run, window_start, started_at, finished_at, drift_detected)
     VALUES ('complete', false, now(), now() - interval '2 hours', now(), 1),
            ('complete', true, now(), now() - interval '1 hour', now(), 1)`,
  );
  await client.query(
    `INSERT INTO billing.reconciliation_findings (run_id, kind, object_type, object_id, field, local_value, stripe_value, corrected)
     VALUES (1, 'field_differs', 'subscription', 'sub_1', 'status', 'active', 'canceled', true),
            (2, 'missed_event', 'event', 'evt_9', NULL, NULL, NULL, false)`,
  );
  expect(await ask({ action: 'findings' })).toEqual({
    action: 'findings',
    runId: '1',
    total: 1,
    findings: [
      {
        kind: 'field_differs',
        objectType: 'subscription',
        objectId: 'sub_1',
        field: 'status',
        localValue: 'active',
        remoteValue: 'canceled',
        corrected: true,
      },
    ],
  });
  expect(await ask({ action: 'findings', runId: '2' })).toMatchObject({
    total: 1,
    findings: [{ kind: 'missed_event' }],
  });
  expect(await ask({ action: 'findings', runId: '77' })).toEqual({
    action: 'findings',
    runId: null,
    total: 0,
    findings: [],
  });
  expect((await ask({ action: 'reconciliations' })).runs.map(({ runId, dryRun }) => [runId, dryRun])).toEqual([
    ['2', true],
    ['1', false],
  ]);
});

test('a session that waits for a lock is listed with the one that it waits for', async () => {
  const [holder, waiter] = [await billing.connector.connect(), await billing.connector.connect()];
  try {
    await holder.query('BEGIN; LOCK TABLE billing.customers');
    const waiting = waiter.query('SELECT 1 FROM billing.customers');
    const holderPid = (await holder.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid;
    let report = await ask({ action: 'sessions', database: 'billing' });
    while (report.waiting.length === 0) report = await ask({ action: 'sessions', database: 'billing' });
    expect(report.waiting).toMatchObject([{ application: 'test', blockedBy: [holderPid] }]);
    expect(report.groups).toEqual(
      expect.arrayContaining([expect.objectContaining({ state: 'idle in transaction', sessions: 1 })]),
    );
    await holder.query('ROLLBACK');
    await waiting;
  } finally {
    await Promise.all([holder.end(), waiter.end()]);
  }
});

test('tables are listed by size with their rows', async () => {
  await client.query('ANALYZE billing.webhook_events');
  const { tables, databaseBytes } = await ask({ action: 'tables', database: 'billing', limit: 500 });
  expect(databaseBytes).toBeGreaterThan(1_000_000);
  expect(tables.map(({ bytes }) => bytes)).toEqual(tables.map(({ bytes }) => bytes).toSorted((a, b) => b - a));
  expect(tables).toEqual(expect.arrayContaining([expect.objectContaining({ table: 'billing.webhook_events' })]));
});

test('the sessions of the function cannot write', async () => {
  const statements: string[] = [];
  const connector = {
    ...main.connector,
    connect: async () => {
      const connection = await main.connector.connect();
      const query = connection.query.bind(connection) as (...given: unknown[]) => Promise<unknown>;
      connection.query = ((...given: unknown[]) => {
        statements.push(String(given[0]));
        return query(...given);
      }) as never;
      return connection;
    },
  };
  await ask({ action: 'drills', database: 'main' }, { connectors: { billing: billing.connector, main: connector } });
  expect(statements[0]).toContain('SET default_transaction_read_only = on');
});

test('an event is answered with all that the ledger has of it, and with its payload only when asked', async () => {
  await client.query(
    `INSERT INTO billing.webhook_events (id, type, livemode, source, status, attempts, occurred_at, received_at, processed_at,
       payload, object_id, dismissed_by, dismissal_reason)
     VALUES ('evt_5', 'invoice.paid', false, 'webhook', 'dismissed', 2, now(), now(), now(), '{"name": "Ada"}', 'in_1', 'bob', 'a test')`,
  );
  const { event } = await ask({ action: 'event', id: 'evt_5' });
  expect(event).toMatchObject({
    status: 'dismissed',
    objectId: 'in_1',
    dismissedBy: 'bob',
    dismissalReason: 'a test',
    payload: null,
  });
  expect((await ask({ action: 'event', id: 'evt_5', payload: true })).event?.payload).toEqual({ name: 'Ada' });
  expect((await ask({ action: 'event', id: 'evt_none' })).event).toBeNull();
});

test('a session that waits is listed with what blocks it, and an open transaction too', async () => {
  const other = await billing.client();
  await client.query('BEGIN; LOCK TABLE billing.refunds');
  const waiting = other.query('SELECT count(*) FROM billing.refunds');
  try {
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    let running: InspectionReport<'queries'>['running'] = [];
    while (!running.some(({ blockedBy }) => blockedBy.length > 0)) {
      ({ running } = await ask({ action: 'queries', database: 'billing' }));
    }
    expect(running).toEqual([
      expect.objectContaining({ pid: rows[0]?.pid, state: 'idle in transaction', blockedBy: [] }),
      expect.objectContaining({ blockedBy: [rows[0]?.pid], statement: 'SELECT count(*) FROM billing.refunds' }),
    ]);
  } finally {
    await client.query('ROLLBACK');
    await waiting;
  }
});

test('a server is described by its identity, its role and its extensions', async () => {
  expect(await ask({ action: 'server', database: 'main' })).toMatchObject({
    identity: 'main',
    version: expect.stringMatching(/^17/) as string,
    role: { missing: [] },
    publicMayCreate: [],
    readOnly: false,
    extensions: expect.arrayContaining([
      { name: 'pg_stat_statements', installed: null, available: expect.any(String) as string, preloaded: false },
    ]) as unknown,
  });
  await client.query('GRANT CREATE ON SCHEMA billing TO PUBLIC');
  const { identity, publicMayCreate } = await ask({ action: 'server', database: 'billing' });
  expect([identity, publicMayCreate]).toEqual(['billing', ['billing']]);
  await client.query('REVOKE CREATE ON SCHEMA billing FROM PUBLIC');
});

test('the alarms that notify are listed with their text, the newest first, and a CloudWatch that refuses is the answer too', async () => {
  const [early, late] = [new Date('2026-11-21T10:00:00Z'), new Date('2026-11-21T11:00:00Z')];
  const AlarmActions = ['arn:aws:sns:eu-central-1:111111111111:critical'];
  const query = {
    AlarmNamePrefix: 'BillingOps-test-',
    AlarmTypes: ['MetricAlarm' as const, 'CompositeAlarm' as const],
    StateValue: 'ALARM' as const,
  };
  cloudWatch
    .on(DescribeAlarmsCommand, query)
    .resolves({
      NextToken: 'more',
      MetricAlarms: [
        { AlarmName: 'old', AlarmActions, StateTransitionedTimestamp: early, StateUpdatedTimestamp: new Date() },
        { AlarmName: 'canaryFailed', AlarmActions: [], StateTransitionedTimestamp: late },
      ],
    })
    .on(DescribeAlarmsCommand, { ...query, NextToken: 'more' })
    .resolves({
      CompositeAlarms: [
        {
          AlarmName: 'new-page',
          AlarmActions,
          StateTransitionedTimestamp: late,
          StateReason: 'It is raised.',
          ActionsSuppressedBy: 'Alarm',
          ActionsSuppressedReason: 'Suppressed by its cause.',
          AlarmDescription: 'Do',
        },
      ],
    });
  expect((await ask({ action: 'alarms' })).alarms).toEqual([
    { name: 'new-page', since: late.toISOString(), reason: 'It is raised. Suppressed by its cause.', text: 'Do' },
    { name: 'old', since: early.toISOString(), reason: '', text: '' },
  ]);
  cloudWatch.on(DescribeAlarmsCommand).rejects(new Error('not allowed'));
  const unknown = { action: 'alarms', alarms: null };
  expect(await ask({ action: 'alarms' })).toEqual({ ...unknown, isEvaluated: true, problem: 'not allowed' });
  cloudWatch.on(DescribeAlarmsCommand).rejects(Object.assign(new Error('none here'), { name: 'InvalidAction' }));
  expect(await ask({ action: 'alarms' })).toEqual({ ...unknown, isEvaluated: false, problem: 'none here' });
});
