import { GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import type { Client } from 'pg';
import * as z from 'zod';
import type { Effect, OperationContract } from '../../core/runtime/contract';
import { type BundledFunctions, startBundledFunctions } from '../factories/bundled-functions';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { putRules, RULES } from '../support/entitlements';
import { testServices } from '../support/services';
import { addErasable, EXAMPLES, failedPayout, hoursAgo, subscribe, park } from './contract-examples';

/** Every function of `lambdas/`, held to the two rules of its contract: strict requests, and no change without consent. */
const FOLDER = path.join(__dirname, '../../lambdas');
const STEMS = readdirSync(FOLDER);

/** Functions whose event is AWS's own and not a request of ours. */
const EVENT_DRIVEN: Readonly<Record<string, string>> = {
  api: 'API Gateway hands it the HTTP request',
  webhook: 'API Gateway hands it the HTTP request',
  processor: 'SQS hands it a batch of messages',
};

/** One kind of request to a function: the whole function, or one of its actions. */
interface Operation {
  readonly stem: string;
  /** `undefined` where the requests have no action. */
  readonly action: string | undefined;
  readonly effect: Effect;
  readonly fields: readonly string[];
}

function contractOf(stem: string): OperationContract {
  const { contract }: { readonly contract: OperationContract } = jest.requireActual(
    path.join(FOLDER, stem, 'contract'),
  );
  return contract;
}

function operationsOf(stem: string): Operation[] {
  const { request, effect } = contractOf(stem);
  const options: readonly unknown[] = request instanceof z.ZodDiscriminatedUnion ? request.options : [request];
  return options.map((option) => {
    const shape = option instanceof z.ZodObject ? (option.shape as Readonly<Record<string, unknown>>) : {};
    const literal = shape.action instanceof z.ZodLiteral ? String(shape.action.value) : undefined;
    const own = typeof effect === 'string' ? effect : effect[literal ?? ''];
    if (own === undefined) throw new Error(`${stem}: the contract gives no effect for the action ${literal}`);
    return { stem, action: literal, effect: own, fields: Object.keys(shape) };
  });
}

const OPERATIONS = STEMS.filter((stem) => EVENT_DRIVEN[stem] === undefined).flatMap(operationsOf);
const nameOf = ({ stem, action }: Operation) => (action === undefined ? stem : `${stem} ${action}`);
const named = (operations: readonly Operation[]) => operations.map((each) => [nameOf(each), each] as const);

let functions: BundledFunctions;
let client: Client;
/** To every database that a request could change. */
let connections: readonly Client[];
/** A billing database before its first migration. */
let empty: TestDatabase;
let rds: Server;
let rdsRequests: string[];
const sqs = new SQSClient({ endpoint: testServices().awsEndpoint });

beforeAll(async () => {
  [functions, empty] = await Promise.all([startBundledFunctions(), createTestDatabase('empty')]);
  client = await functions.databases.billing.client();
  connections = [client, await functions.databases.main.client(), await empty.client()];
  rdsRequests = [];
  rds = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      rdsRequests.push(Buffer.concat(chunks).toString());
      response.end('<ModifyDBInstanceResponse><ModifyDBInstanceResult/></ModifyDBInstanceResponse>');
    });
  });
  await new Promise<void>((resolve) => rds.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  sqs.destroy();
  rds.close();
  await Promise.all([functions.stop(), empty.drop()]);
});

/** The function of an operation, started once with everything that it needs. */
const started = new Map<string, ReturnType<BundledFunctions['start']>>();
function invoke(stem: string, request: object, changes: Readonly<Record<string, string>> = {}): Promise<unknown> {
  const key = JSON.stringify([stem, changes]);
  const { port } = rds.address() as AddressInfo;
  const rdsUrl = `http://127.0.0.1:${port}`;
  const environment = { ...functions.environments[stem], AWS_ENDPOINT_URL_RDS: rdsUrl, ...changes };
  const running = started.get(key) ?? functions.start(stem, environment);
  started.set(key, running);
  return running.invoke(request);
}

test('every function has a contract, or is handed an event of AWS', () => {
  expect(Object.keys(EVENT_DRIVEN).filter((stem) => !STEMS.includes(stem))).toEqual([]);
  expect(OPERATIONS.map(nameOf).toSorted()).toEqual(Object.keys(EXAMPLES).toSorted());
  for (const stem of STEMS.filter((name) => EVENT_DRIVEN[name] === undefined)) {
    const { effect } = contractOf(stem);
    const actions = operationsOf(stem).map(({ action }) => action);
    expect([stem, typeof effect === 'string' ? [undefined] : Object.keys(effect)]).toEqual([stem, actions]);
  }
});

test('every field of a request says what it is', () => {
  const undescribed = STEMS.filter((stem) => EVENT_DRIVEN[stem] === undefined).flatMap((stem) =>
    fieldsOf(contractOf(stem).request)
      .filter(([, { description }]) => !description)
      .map(([name]) => `${stem}: ${name}`),
  );
  expect(undescribed).toEqual([]);
});

function fieldsOf(schema: unknown): [string, z.ZodType][] {
  if (schema instanceof z.ZodDiscriminatedUnion) return schema.options.flatMap(fieldsOf);
  return schema instanceof z.ZodObject ? Object.entries(schema.shape) : [];
}

/** Each field of each request with a letter too few or too many. */
const MISSPELT = OPERATIONS.flatMap((operation) =>
  operation.fields
    .filter((field) => field !== 'action')
    .map((right) => {
      const wrong = right.length > 3 ? `${right.slice(0, 2)}${right.slice(3)}` : `${right}x`;
      return [nameOf(operation), wrong, right, operation] as const;
    }),
);

test.each(MISSPELT)('%s refuses the key %s and suggests %s', async (name, wrong, right, { stem }) => {
  const message = new RegExp(`InvalidRequest: .*\\b${wrong}: unknown; did you mean ${right}\\?`);
  await expect(invoke(stem, { ...EXAMPLES[name], [wrong]: true })).rejects.toThrow(message);
});

const NEVER_KNOWN = OPERATIONS.flatMap((operation) =>
  ['dry_run', 'dryrun', 'Confirm'].map((key) => [nameOf(operation), key, operation] as const),
);
test.each(NEVER_KNOWN)('%s refuses the key %s', async (name, key, { stem }) => {
  const message = new RegExp(`InvalidRequest: .*\\b${key}: unknown; `);
  await expect(invoke(stem, { ...EXAMPLES[name], [key]: true })).rejects.toThrow(message);
});

/** Everything that a request could change: rows of both databases, queues, and instances. */
async function liveState(): Promise<string> {
  const rows = await Promise.all(connections.map(contentOf));
  const queues = await Promise.all([functions.queueUrl, functions.deadLetterQueueUrl].map(messagesIn));
  return JSON.stringify({ rows, queues, rdsRequests }, undefined, 2);
}

/** Hash of each table but the records of runs: a dry run has one of what it found, a collection one of its success. */
async function contentOf(connection: Client): Promise<Record<string, string>> {
  const tables = await connection.query<{ name: string }>(
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
     WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND tablename NOT LIKE 'reconciliation\\_%'
       AND tablename <> 'job_successes' ORDER BY 1`,
  );
  const content: Record<string, string> = {};
  for (const { name } of tables.rows) {
    const { rows } = await connection.query<{ hash: string }>(
      `SELECT coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') AS hash FROM ${name} AS t`,
    );
    content[name] = rows[0]?.hash ?? '';
  }
  const { rows: closed } = await connection.query<{ acl: string | null }>(
    'SELECT datacl::text AS acl FROM pg_database WHERE datname = current_database()',
  );
  content.privileges = closed[0]?.acl ?? '';
  return content;
}

async function messagesIn(queueUrl: string): Promise<string | undefined> {
  const { Attributes: attributes } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ['ApproximateNumberOfMessages'] }),
  );
  return attributes?.ApproximateNumberOfMessages;
}

const inEmpty = () => ({ BILLING_DATABASE_NAME: empty.name });
const LAST = lastMigration();
function lastMigration(): { readonly name: string; readonly up: string } {
  const folder = path.join(__dirname, '../../migrations/billing');
  const file = readdirSync(folder).toSorted().at(-1) ?? '';
  const [up = ''] = readFileSync(path.join(folder, file), 'utf8').split('-- Down Migration');
  return { name: path.basename(file, '.sql'), up };
}

/** Deletes a customer after a backup. @returns the id of the report that has it */
async function reportLoss(): Promise<{ readonly reportId: string }> {
  await client.query(
    `INSERT INTO billing.customers (id, first_seen_at) VALUES ('cus_deleted', now()) ON CONFLICT DO NOTHING`,
  );
  await invoke('backup', { database: 'billing' });
  await client.query(`DELETE FROM billing.customers WHERE id = 'cus_deleted'`);
  const report = await invoke('row-recovery', EXAMPLES['row-recovery report'] ?? {});
  return { reportId: (report as { readonly reportId: string }).reportId };
}

/** @returns the id of a key of the API */
async function newKey(): Promise<object> {
  const answer = await invoke('keys', { ...EXAMPLES['keys create'], dryRun: false });
  return { id: (answer as { readonly created: { readonly id: string } }).created.id };
}

interface Scene {
  /** Arranges something for the operation to change; returns fields to add to the example. */
  readonly arrange?: () => Promise<object | void>;
  /** The fields with which the caller consents. @default {dryRun: false} */
  readonly consent?: object;
  /** Changes to the environment. */
  readonly environment?: () => Readonly<Record<string, string>>;
}

/** What each changing operation finds to change. A new one needs a scene here. */
const SCENES: Readonly<Record<string, Scene>> = {
  cleanup: {
    arrange: async () => {
      await client.query(
        `INSERT INTO billing.webhook_events
           (id, type, livemode, source, status, attempts, occurred_at, received_at, processed_at, payload)
         SELECT 'evt_old', 'invoice.paid', false, 'webhook', 'processed', 1, old, old, old, '{}'
         FROM (SELECT now() - interval '91 days' AS old) AS moment`,
      );
    },
  },
  'entitlements assign': {
    arrange: async () => {
      await client.query(subscribe('assigned'));
      return { objectId: 'sub_assigned' };
    },
  },
  'entitlements put-rules': {
    arrange: async () => {
      await client.query('DELETE FROM billing.entitlement_rules; DELETE FROM billing.entitlements');
    },
  },
  'entitlements recompute': {
    arrange: async () => {
      await client.query(subscribe('recomputed'));
      await putRules(client, RULES);
    },
  },
  'erasure erase': { arrange: () => addErasable(client), consent: { typed: { confirm: 'cus_1' } } },
  // A database as a restore brings it back, which knows of no erasure.
  'erasure replay': {
    arrange: async () => {
      await addErasable(client);
      await invoke('erasure', { ...EXAMPLES['erasure erase'], typed: { confirm: 'cus_1' } });
      await client.query('DELETE FROM billing.erasures; DELETE FROM billing.erased_subjects');
    },
  },
  'keys create': {},
  'keys revoke': { arrange: newKey },
  'keys rotate': { arrange: newKey },
  'migrate access': {},
  'migrate apply': { environment: inEmpty },
  // What the apply before it applied.
  'migrate rollback': { environment: inEmpty, consent: { dryRun: false, name: LAST.name } },
  // What the rollback before it took back, by hand.
  'migrate resolve': {
    environment: inEmpty,
    arrange: async () => {
      await connections[2]?.query(LAST.up);
      return { name: LAST.name };
    },
  },
  payouts: { arrange: () => failedPayout(functions.stripe, client) },
  reconciliation: {
    arrange: async () => {
      functions.stripe.state.createSubscription({ created: Math.floor(hoursAgo(5).getTime() / 1000) });
    },
  },
  'replay dismiss': {
    arrange: async () => {
      await client.query(
        `INSERT INTO billing.webhook_events
           (id, type, livemode, source, status, attempts, error, occurred_at, received_at, payload)
         VALUES ('evt_junk', 'invoice.paid', false, 'webhook', 'failed', 3, 'it is junk', now(), now(), '{}')`,
      );
    },
  },
  refresh: {
    arrange: async () => {
      const created = Math.floor(hoursAgo(5).getTime() / 1000);
      const { id: object } = functions.stripe.state.createSubscription({ created }).object;
      return { object };
    },
  },
  'replay discard': { arrange: async () => ({ messages: [await park(sqs, functions.deadLetterQueueUrl)] }) },
  'replay redrive': { arrange: async () => void (await park(sqs, functions.deadLetterQueueUrl)) },
  'replay replay': {
    arrange: async () => {
      functions.stripe.state.createSubscription({ created: Math.floor(hoursAgo(4).getTime() / 1000) });
    },
  },
  'replay retry': {
    arrange: async () => {
      const created = Math.floor(hoursAgo(3).getTime() / 1000);
      return { events: [functions.stripe.state.createSubscription({ created }).event.id] };
    },
  },
  // Each task leaves a record; the chain has a beginning.
  'maintenance run': {},
  confirmations: {},
  'reset-password': {},
  'row-recovery merge': {
    arrange: reportLoss,
    consent: { confirm: 'billing' },
  },
};

/** What a move changes takes two servers: `test/scenarios/move.proof.ts`. */
const CHANGING = OPERATIONS.filter(({ effect, stem }) => effect === 'changes' && stem !== 'move');

test('every operation that changes live data has a scene in which it would', () => {
  expect(CHANGING.map(nameOf).toSorted()).toEqual(Object.keys(SCENES).toSorted());
});

test.each(named(CHANGING))('%s changes nothing unless the caller consents', async (name, { stem }) => {
  const { arrange, consent = { dryRun: false }, environment } = SCENES[name] ?? {};
  const request = { ...EXAMPLES[name], ...(await arrange?.()) };
  const before = await liveState();

  const report = contractOf(stem).report.parse(await invoke(stem, request, environment?.()));
  expect(report).toMatchObject(stem === 'replay' || stem === 'reconciliation' ? {} : { dryRun: true });
  expect(await liveState()).toBe(before);

  contractOf(stem).report.parse(await invoke(stem, { ...request, ...consent }, environment?.()));
  expect(await liveState()).not.toBe(before);
});

const READING = OPERATIONS.filter(({ effect }) => effect === 'reads');

test.each(named(READING))('%s only reads, and answers as its contract says', async (name, { stem }) => {
  const request = { ...EXAMPLES[name], ...(name === 'row-recovery show' ? await reportLoss() : {}) };
  if (name === 'inspect schema-changes') {
    for (const hours of [2, 1]) await invoke('backup', { database: 'main', slot: hoursAgo(hours).toISOString() });
  }
  const before = await liveState();
  const report = await invoke(stem, request);
  expect(contractOf(stem).report.parse(report)).toEqual(report);
  expect(await liveState()).toBe(before);
});
