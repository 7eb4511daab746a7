import { DatabaseError } from 'pg';
import type { ReusableConnection } from '../../../core/database/reusable-connection';
import { checkDatabase } from '../../../lambdas/api/database-state';
import { addHealth } from '../../../lambdas/api/health';
import type { ApiDependencies } from '../../../lambdas/api/dependencies';
import { createJobReader } from '../../../lambdas/api/jobs';
import { asProblem } from '../../../lambdas/api/problem';
import { createRouter } from '../../../lambdas/api/router';
import { startApi } from '../../factories/api';
import { silentLog } from '../../support/log';

const answering = (recovery: boolean): ReusableConnection['use'] =>
  jest.fn(async (work) => work({ query: async () => ({ rows: [{ recovery }] }) } as never));

const databases: Readonly<Record<string, ReusableConnection['use']>> = {
  ok: answering(false),
  recovery: answering(true),
  down: () => Promise.reject(new Error('connect ECONNREFUSED db.internal')),
  slow: () => new Promise(() => undefined),
};

afterEach(() => jest.useRealTimers());

test.each(Object.keys(databases))(
  'a database that is %s is told apart from the others, within a second',
  async (state) => {
    const close = jest.fn(() => Promise.resolve());
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] });
    const database = { use: databases[state], close } as ReusableConnection;
    const checked = checkDatabase({ database, log: silentLog });
    await jest.advanceTimersByTimeAsync(1_000);
    expect(await checked).toBe(state);
    // A connection that hangs is given up; the others are kept.
    expect(close).toHaveBeenCalledTimes(state === 'slow' ? 1 : 0);
  },
);

test.each([
  ['ok', '/ready', 200, { status: 'ok', db: 'ok' }],
  ['down', '/ready', 503, { status: 'unavailable', db: 'down' }],
  ['recovery', '/health/db', 503, { status: 'unavailable', db: 'recovery' }],
  ['down', '/live', 200, { status: 'ok' }],
  ['down', '/api/health', 503, { status: 'unavailable', db: 'down', stripe: 'unknown' }],
  ['recovery', '/api/health', 503, { status: 'unavailable', db: 'recovery', stripe: 'stale' }],
] as const)('with a database that is %s, %s answers %s', async (state, path, status, body) => {
  const app = createRouter();
  const database = { use: databases[state], close: () => Promise.resolve() } as ReusableConnection;
  addHealth(app, { database, clock: () => new Date(), log: silentLog } as unknown as ApiDependencies, async () => []);
  const response = await app.request(path);
  expect([response.status, await response.json()]).toEqual([status, body]);
});

test('a statement that waits for a lock in vain is answered as a busy database', () => {
  const cause = Object.assign(new DatabaseError('canceling statement due to lock timeout', 1, 'error'), {
    code: '55P03',
  });
  expect(asProblem(cause, silentLog)).toMatchObject({ status: 503, code: 'database_busy' });
});

test('a ledger that is locked makes jobs unknown, and does not hold up the next request', async () => {
  const own = await startApi();
  await own.client.query('BEGIN; LOCK TABLE billing.reconciliation_runs');
  const read = createJobReader(
    {
      database: own.connection,
      ask: () => Promise.reject(new Error('not asked')),
      hasCanary: false,
      clock: () => new Date(),
      log: silentLog,
    } as unknown as ApiDependencies,
    50,
  );
  expect((await read()).find(({ job }) => job === 'reconciliation')).toMatchObject({ status: 'unknown' });
  const { rows } = await own.connection.use((client) => client.query('SELECT 1 AS answered'));
  expect(rows).toEqual([{ answered: 1 }]);
  await own.client.query('ROLLBACK');
  await own.stop();
});
