import { normalisedStatements } from '../../../core/schema/normalise';

const view = (columns: string) =>
  normalisedStatements({
    name: 'v',
    type: 'VIEW',
    schema: 'app',
    owner: 'me',
    settings: [],
    statements: [
      `CREATE VIEW app.v AS\n SELECT 'a'::text AS kind,\n    now() AS at\nUNION ALL\n SELECT ${columns}\n   FROM app.t;`,
    ],
  });

test('names that PostgreSQL gives to columns of an inner query of a view are no difference', () => {
  const first = view(`'b'::text,\n    NULL::timestamp with time zone`);
  expect(view(`'b'::text AS text,\n    NULL::timestamp with time zone AS timestamptz`)).toEqual(first);
});

test('another value, type or name in a view is a difference', () => {
  const columns = [`'b'::text`, `'c'::text`, `'b'::bpchar`, `'b'::text AS other`];
  expect(new Set(columns.map((column) => view(column).join())).size).toBe(columns.length);
});
