import type { ClientBase } from 'pg';
import { deltasBetween, statementLoad, type StatementSample } from '../../../lambdas/collector/statement-load';
import { withoutLiterals } from '../../../lambdas/collector/statement-text';
import type { DatabaseName } from '../../../core/contract';
import { silentLog } from '../../support/log';

test.each([
  ["CREATE ROLE app LOGIN PASSWORD 'it''s s3cret'", 'CREATE ROLE app LOGIN PASSWORD ?'],
  [`SELECT "E-Mail 'x'" FROM t WHERE a = $1 AND b = -12.5e3`, `SELECT "E-Mail 'x'" FROM t WHERE a = $1 AND b = -?`],
  ['SELECT 1 -- ann@example.com\n  FROM /* key 4711 */ v2_table', 'SELECT ? FROM v2_table'],
  ['DO $x$ SELECT secret $x$', 'DO ?'],
  ["SELECT E'\\' ann' , 'cut off in the mid", 'SELECT E? , …'],
  [`SELECT ${'a, '.repeat(200)}b`, `SELECT ${'a, '.repeat(200)}`.slice(0, 300) + '…'],
])('%# a statement is logged on one line without its literals', (sql, expected) => {
  expect(withoutLiterals(sql)).toBe(expected);
});

const counters = (entries: Record<string, [calls: number, totalMs: number]>) =>
  new Map(Object.entries(entries).map(([id, [calls, totalMs]]) => [id, { calls, totalMs }]));

test('what ran between two collections is what was counted more, all of what is new or was counted anew, and not what stood still', () => {
  const before = counters({ steady: [10, 100], still: [5, 50], reset: [90, 900] });
  const after = counters({ steady: [14, 180], still: [5, 50], reset: [2, 30], new: [1, 7] });
  expect(deltasBetween(before, after)).toEqual([
    { id: 'steady', calls: 4, totalMs: 80, meanMs: 20 },
    { id: 'reset', calls: 2, totalMs: 30, meanMs: 15 },
    { id: 'new', calls: 1, totalMs: 7, meanMs: 7 },
  ]);
});

describe('two collections', () => {
  /** A server that has counted so many statements: the first ran most often, the last has the slowest mean. */
  const client = (statements: number, calls: number) =>
    ({
      escapeIdentifier: (name: string) => `"${name}"`,
      query: async (sql: string) => {
        if (sql.includes('pg_extension')) return { rows: [{ schema: 'public' }] };
        const rows = Array.from({ length: statements }, (_, index) => ({
          id: String(index),
          calls: calls * (statements - index),
          total: calls * (statements - index) * (index + 1),
          text: `SELECT '${index}'`,
        }));
        return { rows };
      },
    }) as unknown as ClientBase;

  const collect = async (atSeconds: readonly number[], statements = 40) => {
    const samples = new Map<DatabaseName, StatementSample>();
    const info = jest.fn();
    const collections = [];
    for (const [index, seconds] of atSeconds.entries()) {
      const watch = { samples, clock: () => new Date(seconds * 1_000), log: { ...silentLog, info } };
      collections.push(await statementLoad(client(statements, index + 1), 'billing', watch));
    }
    return { collections, logged: info.mock.calls.map(([, details]) => details as Record<string, unknown>) };
  };

  const twice = async (secondsApart: number, statements?: number) => {
    const { collections, logged } = await collect([0, secondsApart], statements);
    return { first: collections[0], second: collections[1], logged };
  };

  test('publish two gauges, and name the five that took most time and the five that took longest', async () => {
    const { first, second, logged } = await twice(300);
    expect(first).toEqual([]);
    const totalMs = Array.from({ length: 40 }, (_, index) => (40 - index) * (index + 1)).reduce((a, b) => a + b);
    expect(second).toEqual([
      {
        name: 'StatementLoad',
        unit: 'Count',
        value: expect.closeTo(totalMs / 300_000),
        dimensions: { database: 'billing' },
      },
      { name: 'SlowestStatementMean', unit: 'Seconds', value: 0.04, dimensions: { database: 'billing' } },
    ]);
    expect(logged).toHaveLength(10);
    expect(logged.map(({ queryId, totalPlace, meanPlace }) => [queryId, totalPlace, meanPlace])).toEqual(
      expect.arrayContaining([
        ['19', 1, null],
        ['20', 2, null],
        ['39', null, 1],
        ['35', null, 5],
      ]),
    );
    expect(logged[0]).toMatchObject({ database: 'billing', calls: 21, statement: 'SELECT ?' });
  });

  test('of which the second has an earlier time measure nothing, and the next measures from the second on', async () => {
    const { collections } = await collect([1_000, 700, 1_000]);
    expect(collections.map((gauges) => gauges.length)).toEqual([0, 0, 2]);
  });

  test('within seconds of each other measure nothing, and a statement of both orders is named once', async () => {
    expect((await twice(3)).second).toEqual([]);
    expect((await twice(300, 3)).logged).toHaveLength(3);
  });
});
