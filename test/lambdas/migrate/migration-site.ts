import { readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Client } from 'pg';
import { applyMigrations } from '../../../core/migrations/runner';
import {
  migrateRequest,
  planReport,
  rollbackReport,
  validateReport,
  type AnyMigrateReport,
  type MigrateRequest,
} from '../../../lambdas/migrate/contract';
import { migrate } from '../../../lambdas/migrate/core';
import { copyMigrations, type MigrationsCopy } from '../../factories/archive';
import { createTestDatabase, type TestDatabase } from '../../support/database';

type Request<Action> = Omit<Extract<MigrateRequest, { readonly action: Action }>, 'action' | 'database'>;

/** Stands for all that comes after the identity: fewer tables make these tests fast. */
const SMALL = `-- Up Migration
CREATE SCHEMA billing;
CREATE TABLE billing.customers (
  id text PRIMARY KEY,
  first_seen_at timestamptz NOT NULL,
  created_at timestamptz,
  raw jsonb
);
CREATE INDEX customers_by_creation ON billing.customers (created_at);
CREATE TABLE billing.cards (id text PRIMARY KEY, customer_id text REFERENCES billing.customers (id));

-- Down Migration
DROP SCHEMA billing CASCADE;
`;
const CARDS = `-- Up Migration
ALTER TABLE billing.cards ADD COLUMN brand text;

-- Down Migration
ALTER TABLE billing.cards DROP COLUMN brand;
`;

/** A migrated billing database with a folder of migrations that a test may add to. */
export interface MigrationSite {
  readonly database: TestDatabase;
  readonly client: Client;
  readonly migrations: MigrationsCopy;
  /** Writes the next migration. @returns its name */
  add(verbObject: string, up: string, down?: string): Promise<string>;
  ask(request: MigrateRequest): Promise<AnyMigrateReport>;
  plan(): Promise<ReturnType<typeof planReport.parse>>;
  validate(): Promise<ReturnType<typeof validateReport.parse>>;
  apply(): Promise<AnyMigrateReport>;
  rollBack(request?: Request<'rollback'>): Promise<ReturnType<typeof rollbackReport.parse>>;
  remove(): Promise<void>;
}

export async function createMigrationSite(): Promise<MigrationSite> {
  const [database, migrations] = await Promise.all([createTestDatabase('empty'), copyMigrations('billing')]);
  const { directory } = migrations;
  for (const name of await readdir(directory)) if (!name.startsWith('0001')) await rm(path.join(directory, name));
  await writeFile(path.join(directory, '0002_create_customers.sql'), SMALL);
  await writeFile(path.join(directory, '0003_add_brand.sql'), CARDS);
  await applyMigrations(await database.client(), 'billing', directory);
  const dependencies = {
    connector: database.connector,
    migrationsDirectory: directory,
    clock: () => new Date(),
  };
  const ask = (request: MigrateRequest) => migrate(dependencies, migrateRequest.parse(request));
  return {
    database,
    client: await database.client(),
    migrations,
    async add(verbObject, up, down) {
      const name = await migrations.add(verbObject, '');
      const parts = [`-- Up Migration\n${up}`, ...(down === undefined ? [] : [`-- Down Migration\n${down}`])];
      await writeFile(path.join(migrations.directory, `${name}.sql`), `${parts.join('\n\n')}\n`);
      return name;
    },
    ask,
    plan: async () => planReport.parse(await ask({ action: 'plan', database: 'billing' })),
    validate: async () => validateReport.parse(await ask({ action: 'validate', database: 'billing' })),
    apply: () => ask({ action: 'apply', database: 'billing', dryRun: false }),
    rollBack: async (request = {}) =>
      rollbackReport.parse(await ask({ action: 'rollback', database: 'billing', ...request })),
    async remove() {
      await Promise.all([database.drop(), migrations.remove()]);
    },
  };
}
