import { readFileSync, writeFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { contentOf } from '../../factories/archive';
import { BROKEN_CASES } from './broken-cases';
import { createMigrationSite, type MigrationSite } from './migration-site';

/** The table of docs/migrations.md is what these cases answer; WRITE_DOCS=1 writes it. */
const PAGE = path.resolve(__dirname, '../../../docs/migrations.md');
const TABLE = /(<!-- messages -->\n)[^]*(<!-- end of messages -->)/;

let site: MigrationSite;
beforeEach(async () => {
  site = await createMigrationSite();
});
afterEach(() => site.remove());

/** Rows and structure of the database. */
async function stateOf({ database, client }: MigrationSite): Promise<unknown> {
  const structure = await client.query(
    `SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns
     WHERE table_schema IN ('billing', 'operations') ORDER BY 1, 2, ordinal_position`,
  );
  const indexes = await client.query(`SELECT indexdef FROM pg_indexes WHERE schemaname = 'billing' ORDER BY 1`);
  return [await contentOf(database.name), structure.rows, indexes.rows];
}

const rows: string[] = [];

test.each(BROKEN_CASES)('$what: $code, and the database stays as it was', async ({ what, code, arrange, act }) => {
  await arrange(site);
  const before = await stateOf(site);

  const failure: unknown = await (act ?? ((broken) => broken.apply()))(site).catch((error: unknown) => error);

  expect(failure).toMatchObject({ code, message: expect.any(String) as string });
  expect(await stateOf(site)).toEqual(before);
  const message = (failure as Error).message.replaceAll('|', String.raw`\|`).replaceAll('\n', ' ');
  rows.push(`| ${what} | \`${code}\` | ${message} |`);
});

/** Without what the formatter decides. */
const words = (text: string) => text.replaceAll(/[\s:-]+/g, ' ').trim();

test('docs/migrations.md has these messages; WRITE_DOCS=1 with this test writes them again', () => {
  const table = ['| what is wrong | code | message |', '| --- | --- | --- |', ...rows].join('\n');
  const text = readFileSync(PAGE, 'utf8').replace(
    TABLE,
    (_, begin: string, end: string) => `${begin}\n${table}\n\n${end}`,
  );
  if (process.env.WRITE_DOCS === '1') writeFileSync(PAGE, text);
  expect(words(readFileSync(PAGE, 'utf8'))).toBe(words(text));
});

describe('a validation lists', () => {
  test('nothing for a database as its migrations made it', async () => {
    expect(await site.validate()).toMatchObject({ valid: true, problems: [], notChecked: [] });
  });

  test('everything that is wrong with record and files at once', async () => {
    const last = await site.add('create_future', 'CREATE TABLE billing.future (id int);', 'SELECT 1;');
    await site.apply();
    await rm(path.join(site.migrations.directory, `${last}.sql`));
    await writeFile(path.join(site.migrations.directory, '0002_create_customers.sql'), '-- Up Migration\nCOMMIT;\n');
    await site.client.query(`INSERT INTO operations.migrations (name, run_on) VALUES ('0003_add_brand', now())`);
    const { valid, problems } = await site.validate();
    expect(valid).toBe(false);
    expect(problems).toEqual([
      expect.stringMatching(/^Migration 0002_create_customers has "COMMIT", which ends its transaction/),
      'The file of 0002_create_customers was edited after it was applied: restore it, and make a new migration',
      `Migration ${last} is on record, and has no file: deploy the version that has it`,
      'Migration 0003_add_brand is on record twice: delete the later row of operations.migrations',
    ]);
  });

  test('what somebody changed in the schema by hand', async () => {
    await site.client.query(
      'DROP INDEX billing.customers_by_creation; ALTER TABLE billing.customers ALTER COLUMN first_seen_at DROP NOT NULL',
    );
    expect((await site.validate()).problems).toEqual([
      expect.stringMatching(
        /^The column first_seen_at of billing.customers is timestamp with time zone; migrations make it/,
      ),
      expect.stringMatching(/^The index customers_by_creation of billing.customers is missing; migrations make it/),
    ]);
  });
});
