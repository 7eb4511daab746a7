import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { MigrationSite } from './migration-site';

/** A mistake with migrations. */
export interface BrokenCase {
  /** What is broken, for the table of docs/migrations.md. */
  readonly what: string;
  readonly code: string;
  /** Arranges the mistake. */
  readonly arrange: (site: MigrationSite) => Promise<unknown>;
  /** What runs into it. @default apply */
  readonly act?: (site: MigrationSite) => Promise<unknown>;
}

const file = (site: MigrationSite, name: string) => path.join(site.migrations.directory, name);
const up = (sql: string) => (site: MigrationSite) => site.add('do_something', sql, 'SELECT 1;');

/** Every way in which migrations go wrong. None of them changes the database. */
export const BROKEN_CASES: readonly BrokenCase[] = [
  {
    what: 'a statement fails',
    code: 'migration_failed',
    arrange: up('CREATE TABLE billing.half (id int);\nSELECT 1 / 0;'),
  },
  {
    what: 'a statement is misspelt',
    code: 'migration_failed',
    arrange: up('CREATE TABEL billing.half (id int);'),
  },
  {
    what: 'rows break a new constraint',
    code: 'migration_failed',
    async arrange(site) {
      await site.client.query(`INSERT INTO billing.customers (id, first_seen_at) VALUES ('cus_1', now())`);
      await up(`ALTER TABLE billing.customers ADD CONSTRAINT no_customer CHECK (id = '');`)(site);
    },
  },
  {
    what: 'an index is built concurrently, without the mark',
    code: 'migration_malformed',
    arrange: up('CREATE INDEX CONCURRENTLY customers_seen ON billing.customers (first_seen_at);'),
  },
  {
    what: 'a marked part has a statement that cannot run twice',
    code: 'migration_malformed',
    arrange: up('-- No transaction\nALTER TABLE billing.customers ADD COLUMN note text;'),
  },
  {
    what: 'a statement ends the transaction',
    code: 'migration_malformed',
    arrange: up('CREATE TABLE billing.half (id int);\nCOMMIT;\nSELECT 1;'),
  },
  {
    what: 'the file is cut off',
    code: 'migration_malformed',
    arrange: (site) => site.add('do_something', "COMMENT ON SCHEMA billing IS 'cut"),
  },
  {
    what: 'an applied file was edited',
    code: 'migration_edited',
    async arrange(site) {
      const edited = file(site, '0002_create_customers.sql');
      await writeFile(edited, `${await readFile(edited, 'utf8')}-- edited\n`);
    },
  },
  {
    what: 'two files have one number',
    code: 'migration_duplicate',
    arrange: (site) => writeFile(file(site, '0002_other_thing.sql'), '-- Up Migration\nSELECT 1;\n'),
  },
  {
    what: 'a number is missing',
    code: 'migration_gap',
    arrange: (site) => rm(file(site, '0002_create_customers.sql')),
  },
  {
    what: 'an applied migration has another number now',
    code: 'schema_newer_than_code',
    async arrange(site) {
      const last = (await readdir(site.migrations.directory)).toSorted().at(-1) ?? '';
      await rename(file(site, last), file(site, `${last.slice(0, 5)}renamed.sql`));
    },
  },
  {
    what: 'a file has another name than NNNN_verb_object.sql',
    code: 'migration_name_malformed',
    arrange: (site) => writeFile(file(site, 'notes.txt'), ''),
  },
  {
    what: 'the database is newer than the code',
    code: 'schema_newer_than_code',
    async arrange(site) {
      const name = await site.add('create_future', 'CREATE TABLE billing.future (id int);', 'SELECT 1;');
      await site.apply();
      await rm(file(site, `${name}.sql`));
    },
  },
  {
    what: 'the database is another one',
    code: 'wrong_database',
    arrange: (site) =>
      site.client.query(
        `ALTER TABLE operations.database_identity DROP CONSTRAINT database_identity_is_billing;
         UPDATE operations.database_identity SET name = 'main'`,
      ),
  },
  {
    what: 'the database has tables and no identity',
    code: 'foreign_database',
    arrange: (site) => site.client.query('DROP TABLE operations.database_identity'),
  },
  {
    what: 'a rollback of another migration than the last',
    code: 'migration_not_last',
    arrange: () => Promise.resolve(),
    act: (site) => site.rollBack({ dryRun: false, name: '0002_create_customers' }),
  },
  {
    what: 'a rollback without a down part',
    code: 'migration_irreversible',
    async arrange(site) {
      await site.add('create_notes', 'CREATE TABLE billing.notes (id int);');
      await site.apply();
    },
    act: async (site) => site.rollBack({ dryRun: false, name: (await site.rollBack()).current ?? '' }),
  },
  {
    what: 'a down part fails',
    code: 'migration_failed',
    async arrange(site) {
      await site.add('create_notes', 'CREATE TABLE billing.notes (id int);', 'DROP TABLE billing.nowhere;');
      await site.apply();
    },
    act: async (site) => site.rollBack({ dryRun: false, name: (await site.rollBack()).current ?? '' }),
  },
  {
    what: 'recorded as applied, but it is not',
    code: 'migration_not_resolved',
    arrange: (site) => site.add('create_notes', 'CREATE TABLE billing.notes (id int);', 'SELECT 1;'),
    act: async (site) => {
      const name = (await site.plan()).pending[0] ?? '';
      return site.ask({ action: 'resolve', database: 'billing', name, as: 'applied', dryRun: false });
    },
  },
];
