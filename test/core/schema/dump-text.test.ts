import { parseDump, renderDump } from '../../../core/schema/text/dump-text';

const HEAD = `--
-- PostgreSQL database dump
--

\\restrict key

-- Dumped from database version 17.10
-- Dumped by pg_dump version 18.3

SET statement_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);
`;
const TAIL = `
--
-- PostgreSQL database dump complete
--

\\unrestrict key

`;

function entry(name: string, type: string, ...statements: string[]): string {
  return `\n--\n-- Name: ${name}; Type: ${type}; Schema: app; Owner: me\n--\n\n${statements.join('\n')}\n\n`;
}

function parse(...entries: string[]): ReturnType<typeof parseDump> {
  return parseDump(HEAD + entries.join('') + TAIL, 'schema/before.sql');
}

describe('statements end where PostgreSQL ends them:', () => {
  test.each([
    ['a string with a semicolon and a doubled quote', `COMMENT ON TABLE app.a IS 'it''s; not; over';`],
    ['a string with a backslash at its end', `COMMENT ON TABLE app.a IS 'path\\';`],
    ['a string of escapes', `COMMENT ON TABLE app.a IS E'it\\'s; \\\\';`],
    ['a string that is doubled after an escape', `COMMENT ON TABLE app.a IS E'a''\\'; b';`],
    ['a quoted name', `CREATE TABLE app."a;""b" ("x'" integer);`],
    ['a dollar-quoted body', `CREATE FUNCTION app.f() RETURNS void LANGUAGE sql AS $$ SELECT 1; SELECT '$'; $$;`],
    ['a body that has dollar quotes inside', `CREATE FUNCTION app.f() RETURNS void LANGUAGE sql AS $_$ $$;$$ ; $_$;`],
    ['a nested comment', `CREATE VIEW app.v AS /* a; /* b; */ c; */ SELECT 1;`],
    ['a rule with several actions', `CREATE RULE r AS ON INSERT TO app.a DO ( SELECT 1; SELECT 2; );`],
    [
      'a body written as SQL, with CASE and a column called begin',
      `CREATE FUNCTION app.f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN t.begin THEN 1 END; SELECT 2; END;`,
    ],
  ])('%s', (_, statement) => {
    expect(parse(entry('a', 'TABLE', statement, 'ALTER TABLE app.a OWNER TO me;')).entries[0]?.statements).toEqual([
      statement,
      'ALTER TABLE app.a OWNER TO me;',
    ]);
  });
});

test('a header inside a function body is no header', () => {
  const body = '\n--\n-- Name: b; Type: TABLE; Schema: app; Owner: me\n--\n';
  const statement = `CREATE FUNCTION app.f() RETURNS void LANGUAGE sql AS $$${body}$$;`;
  expect(parse(entry('f()', 'FUNCTION', statement)).entries).toEqual([
    { name: 'f()', type: 'FUNCTION', schema: 'app', owner: 'me', settings: [], statements: [statement] },
  ]);
});

test('a setting belongs to the entry that follows it', () => {
  const { entries } = parse(
    entry('a', 'TABLE', 'CREATE TABLE app.a ();'),
    'SET default_table_access_method = heap2;\n',
    entry('b', 'TABLE', 'CREATE TABLE app.b ();'),
  );
  expect(entries.map(({ settings }) => settings)).toEqual([[], ['SET default_table_access_method = heap2;']]);
});

test('a name that looks like the rest of a header does not change the type of its entry', () => {
  const { entries } = parse(
    entry('a; Type: INDEX; Schema: x; Owner: y', 'TABLE', 'CREATE TABLE app."a; Type: INDEX; Schema: x; Owner: y" ();'),
  );
  expect(entries).toMatchObject([{ type: 'TABLE', name: 'a; Type: INDEX; Schema: x; Owner: y' }]);
});

test('the text of a parsed dump parses to the same', () => {
  const dump = parse(entry('a', 'TABLE', 'CREATE TABLE app.a ();', 'ALTER TABLE app.a OWNER TO me;'));
  expect(parseDump(renderDump(dump), 'again')).toEqual(dump);
});

describe('the text is refused, by its name,', () => {
  const whole = HEAD + entry('a', 'TABLE', `CREATE TABLE app.a (b text DEFAULT 'x');`) + TAIL;

  test('when it is cut off anywhere', () => {
    for (let length = 0; length < whole.length; length += 1) {
      expect(() => parseDump(whole.slice(0, length), 'schema/before.sql')).toThrow(
        expect.objectContaining({
          code: 'schema_malformed',
          message: expect.stringMatching(/^schema\/before\.sql cannot be restored: it is cut off/),
        }),
      );
    }
  });

  test.each([
    ['a command of psql', '\\! rm -rf /', 'a command of psql outside of quotes: \\! rm -rf /'],
    ['a string that never ends', `COMMENT ON TABLE app.a IS 'x;`, 'a string that begins at'],
    ['a body that never ends', 'CREATE FUNCTION app.f() AS $$ x;', 'a dollar-quoted string that begins at'],
    ['a statement that never ends', 'CREATE TABLE app.b (x integer', 'a statement has no end'],
    ['a program', `COPY app.a FROM PROGRAM 'id';`, 'pg_dump never writes a statement such as: COPY'],
    ['a block of code', 'DO $$ BEGIN END $$;', 'pg_dump never writes a statement such as: DO'],
    ['a statement that deletes', 'DROP SCHEMA app CASCADE;', 'pg_dump never writes a statement such as: DROP'],
  ])('when it holds %s', (_, statement, problem) => {
    expect(() => parse(entry('a', 'TABLE', statement))).toThrow(
      expect.objectContaining({ code: 'schema_malformed', message: expect.stringContaining(problem) }),
    );
  });
});
