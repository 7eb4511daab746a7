import type { Client } from 'pg';
import { collect } from '../../../lambdas/collector/gauge';
import { eventBacklog, serverHealth } from '../../../lambdas/collector/server-health';
import { waitUntil } from '../../../local/pass/check';
import { createConnector } from '../../../core/database/connector';
import type { Secrets } from '../../../core/runtime/secrets';
import { clusterTarget, createTestDatabase, type TestDatabase } from '../../support/database';

let database: TestDatabase;
let client: Client;
beforeAll(async () => {
  database = await createTestDatabase('billing');
  client = await database.client();
});
afterAll(() => database.drop());

/** The values of a gauge, by its last dimension. */
async function valuesOf(name: string): Promise<Record<string, number>> {
  const { gauges, failures } = await collect(serverHealth(client, 'billing', () => new Date()));
  expect(failures).toEqual([]);
  const found = gauges.filter((gauge) => gauge.name === name);
  return Object.fromEntries(found.map(({ value, dimensions }) => [Object.values(dimensions ?? {}).at(-1), value]));
}
const valueOf = async (name: string) => (await valuesOf(name)).billing;

test('an open transaction and a session that waits for its lock are measured until it ends', async () => {
  expect([await valueOf('LongestTransaction'), await valueOf('LongestLockWait')]).toEqual([0, 0]);
  const [holder, waiter] = [await database.client(), await database.client()];
  await holder.query('BEGIN; LOCK TABLE billing.customers');
  const waiting = waiter.query('BEGIN; LOCK TABLE billing.customers; ROLLBACK');
  await waitUntil(async () => (((await valueOf('LongestLockWait')) ?? 0) > 0 ? undefined : 'nobody waits'), 5_000);
  const waited = (await valueOf('LongestLockWait')) ?? 0;
  expect(await valueOf('LongestTransaction')).toBeGreaterThan(waited);
  await holder.query('ROLLBACK');
  await waiting;
  expect(await valueOf('LongestLockWait')).toBe(0);
});

test('connections are counted by role, and the certificate of the server by the days that it is still valid', async () => {
  const roles = await valuesOf('ConnectionsByRole');
  expect(Object.values(roles).reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(1);
  expect(await valueOf('CertificateExpiry')).toBeGreaterThan(3_600);
});

test('roles beyond the first eight share one metric', async () => {
  const names = Array.from({ length: 10 }, (_, index) => `${database.name}_${index}`);
  await client.query(names.map((name) => `CREATE ROLE ${name} LOGIN PASSWORD 'secret'`).join(';'));
  const connections = await Promise.all(
    names.map((username) => {
      const secrets: Secrets = { read: async (_arn, schema) => schema.parse({ username, password: 'secret' }) };
      return createConnector(clusterTarget(database.name), secrets, 'test').connect();
    }),
  );
  const roles = await valuesOf('ConnectionsByRole');
  await Promise.all(connections.map((connection) => connection.end()));
  await client.query(`DROP ROLE ${names.join(', ')}`);
  expect(Object.keys(roles)).toHaveLength(9);
  expect(roles.other).toBe(3);
});

test('a table with more dead rows than autovacuum lets pile up is counted, and transaction ids have an age', async () => {
  expect(await valueOf('TablesBehindVacuum')).toBe(0);
  await client.query(`
    CREATE TABLE public.behind (id int) WITH (autovacuum_enabled = off);
    INSERT INTO public.behind SELECT generate_series(1, 2000); DELETE FROM public.behind`);
  await client.query('SELECT pg_stat_force_next_flush()');
  await client.query('SELECT 1');
  expect(await valueOf('TablesBehindVacuum')).toBe(1);
  expect(await valueOf('TransactionIdAge')).toBeGreaterThan(0);
});

test('open events are counted by their status, with 0 where there are none', async () => {
  await client.query(
    `INSERT INTO billing.webhook_events (id, type, livemode, source, status, attempts, error, occurred_at, received_at, payload)
     SELECT 'evt_' || n, 'invoice.paid', false, 'webhook', 'failed', 1, 'why', now(), now(), '{}' FROM generate_series(1, 3) AS n`,
  );
  const backlog = await eventBacklog(client);
  expect(backlog.map(({ value, dimensions }) => [dimensions?.status, value])).toEqual([
    ['failed', 3],
    ['processing', 0],
    ['received', 0],
  ]);
});

test('a measurement that fails costs only its own gauge', async () => {
  const failing = {
    query: async (sql: string) => {
      if (sql.includes('pg_locks')) throw new Error('refused');
      return client.query(sql, sql.includes('$1') ? [8, 'other'] : []);
    },
  } as unknown as Client;
  const { gauges, failures } = await collect(serverHealth(failing, 'billing', () => new Date()));
  expect(failures).toEqual(['lock waits of billing: refused']);
  expect(gauges.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['LongestTransaction', 'TransactionIdAge', 'TablesBehindVacuum', 'ConnectionsByRole']),
  );
});
