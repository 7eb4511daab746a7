import { compareSchemas, formatDifferences, schemaDigest } from '../../core/schema/compare';
import type { CapturedSchema } from '../../core/schema/contract';
import { readSchema } from '../../core/schema/read-schema';
import { asAdministrator, createTestDatabase, type TestDatabase } from '../support/database';
import { captureOf } from '../support/schema';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase('billing');
});

afterAll(() => database.drop());

const digestOf = (schema: CapturedSchema): string => schemaDigest(readSchema(schema));

async function driftOf(sql: string): Promise<string> {
  const first = await captureOf(database);
  await asAdministrator((client) => client.query(sql), database.name);
  const second = await captureOf(database);
  const differences = compareSchemas(first, second);
  expect(digestOf(second) === digestOf(first)).toBe(differences.length === 0);
  return formatDifferences(differences);
}

test.each([
  [
    'a column that a hot fix added',
    'ALTER TABLE billing.subscriptions ADD COLUMN support_note text',
    /^changed: TABLE billing\.subscriptions\n {2}[-+ ].*\n(?:.*\n)*? {2}\+ {4}support_note text\b/,
  ],
  [
    'a table that the application’s own tool made',
    'CREATE TABLE public."User" (id text PRIMARY KEY)',
    /^added: TABLE public\.User\n {2}\+CREATE TABLE public\."User" \(\n[^]*added: CONSTRAINT public\.User User_pkey/,
  ],
  ['a sequence', 'CREATE SEQUENCE public.by_hand', /^added: SEQUENCE public\.by_hand\n/],
  [
    'a view',
    'CREATE VIEW public.v AS SELECT 1 AS one',
    /^added: VIEW public\.v\n {2}\+CREATE VIEW public\.v AS\n {2}\+ SELECT 1 AS one;/,
  ],
  [
    'the body of a function',
    'CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$',
    /^added: FUNCTION public\.f\(\)\n/,
  ],
  [
    'a default',
    'ALTER TABLE billing.subscriptions ALTER COLUMN id SET DEFAULT 7',
    /^changed: TABLE billing\.subscriptions\n[^]*\+.*DEFAULT/,
  ],
  [
    'a check',
    'ALTER TABLE billing.subscriptions ADD CONSTRAINT c CHECK (id IS NOT NULL)',
    /^changed: TABLE billing\.subscriptions\n[^]*\+ {4}CONSTRAINT c CHECK/,
  ],
  ['a table that is gone', 'DROP TABLE billing.webhook_events CASCADE', /removed: TABLE billing\.webhook_events\n/],
  [
    'a privilege',
    'GRANT SELECT ON billing.customers TO PUBLIC',
    /^added: ACL of TABLE billing\.customers\n {2}\+GRANT SELECT/,
  ],
  ['a new comment', `COMMENT ON SCHEMA billing IS 'money'`, /^(?:added|changed): COMMENT of SCHEMA billing\n/],
])('the difference names %s', async (_, sql, expected) => {
  expect(await driftOf(sql)).toMatch(expected);
});

test('the difference names a setting of the database and the version of an extension', async () => {
  await asAdministrator((client) => client.query(`CREATE EXTENSION hstore VERSION '1.4'`), database.name);
  const drift = await driftOf(
    `ALTER EXTENSION hstore UPDATE; ALTER DATABASE ${database.name} SET timezone TO 'Europe/Berlin'`,
  );
  expect(drift).toBe(
    'changed: EXTENSION VERSION hstore\n  -1.4\n  +1.8\n\nchanged: DATABASE SETTINGS\n  +TimeZone=Europe/Berlin',
  );
});

test('nothing differs when nothing changed', async () => {
  expect(await driftOf('SELECT 1')).toBe('');
});

test('default privileges are the same on a server whose roles were made in another order', async () => {
  const [one, other, former] = ['one', 'other', 'former'].map((name) => `${name}_${database.name}`);
  await asAdministrator(
    (client) =>
      client.query(
        `CREATE ROLE ${one}; CREATE ROLE ${other};
         ALTER DEFAULT PRIVILEGES IN SCHEMA billing GRANT SELECT ON TABLES TO ${one}, ${other}`,
      ),
    database.name,
  );
  try {
    expect(
      await driftOf(
        `ALTER ROLE ${one} RENAME TO ${former}; ALTER ROLE ${other} RENAME TO ${one}; ALTER ROLE ${former} RENAME TO ${other}`,
      ),
    ).toBe('');
  } finally {
    const forget = [one, other].map((role) => `DROP OWNED BY ${role}; DROP ROLE ${role}`).join(';');
    await asAdministrator((client) => client.query(forget), database.name);
  }
});
