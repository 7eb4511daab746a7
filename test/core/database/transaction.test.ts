import type { Client } from 'pg';
import type { StatementBurst } from '../../../core/database/statement-burst';
import { inTransaction, runSteps, type RunStatement, type Step } from '../../../core/database/transaction';
import { createTestDatabase, type TestDatabase } from '../../support/database';

const INSERT = { name: 'insert', text: 'INSERT INTO facts (fact) VALUES ($1) RETURNING fact AS id' };
const COUNT = { name: 'count', text: 'SELECT count(*)::text AS id FROM facts' };

let database: TestDatabase;
let observer: Client;

beforeAll(async () => {
  database = await createTestDatabase('empty');
  observer = await database.client();
  await observer.query('CREATE TABLE facts (fact text PRIMARY KEY)');
});
afterAll(() => database.drop());

const stored = async () =>
  (await observer.query<{ fact: string }>('SELECT fact FROM facts ORDER BY fact')).rows.map(({ fact }) => fact);

describe('a transaction', () => {
  let client: Client;
  beforeAll(async () => {
    client = await database.connector.connect();
  });
  afterAll(() => client.end());
  beforeEach(() => observer.query('TRUNCATE facts'));

  test('statements that are sent together run in that order, and see each other', async () => {
    const counted = await inTransaction(client, async (run) => {
      const [, before, , after] = await Promise.all([
        run(INSERT, ['a']),
        run(COUNT, []),
        run(INSERT, ['b']),
        run(COUNT, []),
      ]);
      return [before, after].flat().map(({ id }) => id);
    });
    expect(counted).toEqual(['1', '2']);
    expect(await stored()).toEqual(['a', 'b']);
  });

  test('a rejected statement undoes everything before, beside and after it', async () => {
    let late: RunStatement | undefined;
    const work = inTransaction(client, async (run) => {
      late = run;
      await run(INSERT, ['before']);
      await Promise.all([run(INSERT, ['a']), run(INSERT, ['a']), run(INSERT, ['beside'])]);
    });
    await expect(work).rejects.toMatchObject({ code: '23505' });
    // The transaction is over by now, and the statement would commit on its own.
    await expect(late?.(INSERT, ['after'])).rejects.toMatchObject({ code: '23505' });
    expect(await stored()).toEqual([]);
  });

  test('work that ignores an error is rejected, because nothing was committed', async () => {
    const work = inTransaction(client, async (run) => {
      await run(INSERT, ['a']);
      await run(INSERT, ['a']).catch(() => undefined);
    });
    await expect(work).rejects.toMatchObject({ code: '23505' });
    expect(await stored()).toEqual([]);
  });

  test('work that ignores an error of its own query is rejected, because nothing was committed', async () => {
    const work = inTransaction(client, async (run) => {
      await run(INSERT, ['a']);
      await client.query('SELECT 1 / 0').catch(() => undefined);
    });
    await expect(work).rejects.toThrow('not committed');
    expect(await stored()).toEqual([]);
  });

  const insertFact: Step<string> = { statement: INSERT, values: (fact) => [fact] };
  const countFacts: Step<string> = { statement: COUNT, values: () => [] };
  const leftOut: Step<string> = { statement: INSERT, values: () => undefined };
  const mistaken: Step<string> = {
    statement: INSERT,
    values() {
      throw new TypeError('no such column');
    },
  };

  test('steps run in the order of their list, and one without values is left out', async () => {
    const rows = await inTransaction(client, (run) =>
      runSteps(run, [countFacts, insertFact, leftOut, countFacts], 'a'),
    );
    expect(rows).toEqual([[{ id: '0' }], [{ id: 'a' }], [], [{ id: '1' }]]);
  });

  test('a step whose values cannot be made undoes the steps before it', async () => {
    const work = inTransaction(client, (run) => runSteps(run, [insertFact, mistaken, insertFact], 'a'));
    await expect(work).rejects.toThrow('no such column');
    await client.query('SELECT');
    expect(await stored()).toEqual([]);
  });

  test('work that throws leaves nothing, and the connection serves the next transaction', async () => {
    const work = inTransaction(client, async (run) => {
      await run(INSERT, ['a']);
      throw new Error('changed its mind');
    });
    await expect(work).rejects.toThrow('changed its mind');
    await inTransaction(client, (run) => run(INSERT, ['b']));
    expect(await stored()).toEqual(['b']);
  });

  test('statements that are sent together are timed together', async () => {
    const SLEEP = { name: 'sleep', text: 'SELECT pg_sleep(0.5)::text AS id' };
    const took: number[] = [];
    const since = performance.now();
    await inTransaction(client, (run) => Promise.all([run(SLEEP, []), run(COUNT, [])]), {
      observe: (ms) => took.push(ms),
    });
    const allMs = performance.now() - since;
    expect(took).toHaveLength(3);
    expect(took[1]).toBeGreaterThanOrEqual(499);
    // The time asleep counts once.
    expect(took.reduce((sum, ms) => sum + ms, 0)).toBeLessThanOrEqual(allMs);
  });

  test('a statement that failed when it was prepared is prepared again', async () => {
    const EARLY = { name: 'early', text: 'SELECT fact AS id FROM later_facts' };
    const early = () => inTransaction(client, (run) => Promise.all([run(COUNT, []), run(EARLY, []), run(COUNT, [])]));
    await expect(early()).rejects.toMatchObject({ code: '42P01' });
    await observer.query("CREATE TABLE later_facts AS SELECT 'a' AS fact");
    expect(await early()).toEqual([[{ id: '0' }], [{ id: 'a' }], [{ id: '0' }]]);
    expect(await early()).toEqual([[{ id: '0' }], [{ id: 'a' }], [{ id: '0' }]]);
  });

  test('a statement that failed when it first ran is prepared already, and runs again', async () => {
    const DIVIDE_BY_ZERO = { name: 'divide_by_zero', text: 'SELECT (1 / 0)::text AS id' };
    const DIVIDE = { name: 'divide', text: 'SELECT (6 / $1::integer)::text AS id' };
    const divide = (by: number) => inTransaction(client, (run) => run(DIVIDE, [by]));
    await expect(divide(0)).rejects.toMatchObject({ code: '22012' });
    // Behind another failure, PostgreSQL does not get to it.
    const behind = inTransaction(client, (run) => Promise.all([run(DIVIDE_BY_ZERO, []), run(DIVIDE, [1])]));
    await expect(behind).rejects.toMatchObject({ code: '22012' });
    expect(await divide(2)).toEqual([{ id: '3' }]);
    expect(await divide(3)).toEqual([{ id: '2' }]);
  });

  test('rows keep their types and NULLs, also when the statement is known', async () => {
    const TYPES = { name: 'types', text: 'SELECT $1::integer AS number, $2::text AS text, $3::text[] AS list' };
    const row = () => inTransaction(client, (run) => run(TYPES, [7, null, ['a', 'b"c']]));
    expect(await row()).toEqual([{ number: 7, text: null, list: ['a', 'b"c'] }]);
    expect(await row()).toEqual([{ number: 7, text: null, list: ['a', 'b"c'] }]);
  });

  test.each([
    ['in one turn', async () => undefined],
    ['later', () => new Promise(setImmediate)],
  ])('nothing runs by itself when BEGIN is refused, sent %s', async (when, wait) => {
    const fresh = await database.connector.connect();
    await inTransaction(fresh, (run) => run(COUNT, []));
    // As behind a proxy that changed the session: BEGIN does not exist, and the session is in no transaction.
    await fresh.query('DEALLOCATE begin');
    const ALONE = { name: `alone ${when}`, text: INSERT.text };
    const work = inTransaction(
      fresh,
      async (run) => {
        if (when === 'later') await wait();
        return run(ALONE, ['a']);
      },
      { withBegin: true },
    );
    await expect(work).rejects.toMatchObject({ code: '26000' });
    expect(await stored()).toEqual([]);
    await fresh.end();
  });

  test('nothing runs behind the COMMIT', async () => {
    const work = inTransaction(client, async (run, commit) => {
      await run(INSERT, ['a']);
      commit();
      await run(INSERT, ['b']);
    });
    await expect(work).rejects.toThrow('insert: the transaction was ended before');
    expect(await stored()).not.toContain('b');
  });

  test('a name that stands for two statements is refused, and nothing of its round trip runs', async () => {
    const OTHER = { name: INSERT.name, text: 'SELECT $1::text AS id' };
    const work = inTransaction(client, (run) => Promise.all([run(INSERT, ['a']), run(OTHER, ['b'])]));
    await expect(work).rejects.toThrow('insert: two statements have this name');
    expect(await stored()).toEqual([]);
  });

  test('a commit behind the last statements is not reached when one of them fails', async () => {
    const work = inTransaction(client, async (run, commit) => {
      await run(INSERT, ['a']);
      const last = Promise.all([run(INSERT, ['b']), run(INSERT, ['a']), run(INSERT, ['c'])]);
      commit();
      await last;
    });
    await expect(work).rejects.toMatchObject({ code: '23505' });
    expect(await stored()).toEqual([]);
  });

  test('a lost connection fails what was sent and everything after it', async () => {
    const lost = await database.connector.connect();
    const pid = (await lost.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid;
    const SLEEP = { name: 'sleep', text: 'SELECT pg_sleep(30)::text AS id' };
    const work = inTransaction(lost, (run) => Promise.all([run(INSERT, ['a']), run(SLEEP, []), run(COUNT, [])]));
    // Caught at once: it may be rejected before the answer to pg_terminate_backend arrives.
    const failure = work.catch((error: unknown) => error);
    const waiting = `SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep'`;
    while ((await observer.query(waiting, [pid])).rowCount === 0);
    await observer.query('SELECT pg_terminate_backend($1)', [pid]);
    expect(await failure).toMatchObject({ message: expect.stringMatching(/terminat/) as string });
    await expect(inTransaction(lost, (run) => run(COUNT, []))).rejects.toThrow(/not queryable/);
    expect(await stored()).toEqual([]);
    await lost.end();
  });

  test('what does not wait for an answer is one write, and a round trip with the COMMIT behind it', async () => {
    const bursts: string[][] = [];
    const query = client.query.bind(client) as (burst: StatementBurst) => unknown;
    const spy = jest.spyOn(client, 'query') as unknown as jest.SpyInstance<unknown, [StatementBurst]>;
    spy.mockImplementation((burst) => {
      bursts.push(burst.calls.map(({ statement }) => statement.name));
      return query(burst);
    });
    const { stream } = (client as unknown as { connection: { stream: Record<'_write' | '_writev', () => void> } })
      .connection;
    const writes = (['_write', '_writev'] as const).map((method) => jest.spyOn(stream, method));
    const answer = async (run: RunStatement, commit: () => void) => {
      await Promise.all([run(INSERT, ['x']), run(COUNT, [])]);
      const last = run(COUNT, []);
      commit();
      return last;
    };
    try {
      expect(
        await inTransaction(client, answer, { withBegin: true, limits: { lockMs: 500, statementMs: 600 } }),
      ).toEqual([{ id: '1' }]);
      expect(bursts).toEqual([
        ['begin', 'limit_transaction', 'insert', 'count'],
        ['count', 'commit'],
      ]);
      expect(writes.map((write) => write.mock.calls.length)).toEqual([0, 2]);
    } finally {
      spy.mockRestore();
      writes.forEach((write) => write.mockRestore());
    }
  });

  test('limits hold for the transaction alone', async () => {
    const SHOW = { name: 'show', text: "SELECT current_setting('lock_timeout') AS id" };
    const limits = { lockMs: 1234, statementMs: 5000 };
    expect(await inTransaction(client, (run) => run(SHOW, []), { limits })).toEqual([{ id: '1234ms' }]);
    expect(await inTransaction(client, (run) => run(SHOW, []))).not.toEqual([{ id: '1234ms' }]);
  });
});

test('a statement that was not sent yet when the work throws does not run after the rollback', async () => {
  await observer.query('TRUNCATE facts');
  const client = await database.connector.connect();
  try {
    const work = inTransaction(client, (run) =>
      Promise.all([run(INSERT, ['a']), run(INSERT, ['b']), Promise.reject(new Error('changed its mind'))]),
    );
    await expect(work).rejects.toThrow('changed its mind');
    await client.query('SELECT');
    expect(await stored()).toEqual([]);
  } finally {
    await client.end();
  }
});
