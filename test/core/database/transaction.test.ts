import type { Client } from 'pg';
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

describe.each([
  ['pipelining', () => database.pipelining.connect()],
  ['plain', () => database.connector.connect()],
])('over a %s connection', (_, connect) => {
  let client: Client;
  beforeAll(async () => {
    client = await connect();
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

  test('each statement is timed from the answer to the one before', async () => {
    const SLEEP = { name: 'sleep', text: 'SELECT pg_sleep(0.5)::text AS id' };
    const took: [string, number][] = [];
    await inTransaction(client, (run) => Promise.all([run(SLEEP, []), run(COUNT, [])]), {
      observe: (name, ms) => took.push([name, ms]),
    });
    expect(took.map(([name]) => name)).toEqual(['sleep', 'count']);
    expect(took[0]?.[1]).toBeGreaterThanOrEqual(499);
    expect(took[1]?.[1]).toBeLessThan(450);
  });
});

test('a pipelining connection does not wait for an answer before it sends the next statement', async () => {
  const client = await database.pipelining.connect();
  try {
    const sent: string[] = [];
    const answered: string[] = [];
    const parse = jest.spyOn(
      (client as unknown as { connection: { parse(query: { name: string }): void } }).connection,
      'parse',
    );
    await inTransaction(client, async (run) => {
      const answers = Promise.all([run(INSERT, ['x']).then(() => answered.push('insert')), run(COUNT, [])]);
      sent.push(...parse.mock.calls.map(([{ name }]) => name));
      expect(answered).toEqual([]);
      await answers;
    });
    expect(sent).toEqual(['insert', 'count']);
  } finally {
    await client.end();
  }
});

test('of errors that arrive together, the first is thrown and not one that follows from it', async () => {
  const refusals = ['22003', '25P02', '25P02'];
  const answers: (() => void)[] = [];
  const client = {
    pipeline: true,
    query: (query: string | object) =>
      typeof query === 'string'
        ? Promise.resolve({ command: query, rows: [] })
        : new Promise((_, reject) => {
            const code = refusals[answers.length];
            answers.push(() => reject(Object.assign(new Error(code), { code })));
          }),
  } as unknown as Client;
  const work = inTransaction(client, async (run) => {
    const deep = async () => {
      await Promise.all([run(INSERT, ['a']), Promise.resolve()]);
    };
    const all = Promise.all([deep(), run(COUNT, []), run(COUNT, [])]);
    answers.forEach((answer) => answer());
    await all;
  });
  await expect(work).rejects.toMatchObject({ code: '22003' });
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
