import type { Client } from 'pg';
import type { DatabaseName } from '../../core/contract';
import { bytes } from '../runtime/console';
import { migrateApplication, seedApplication } from './application';
import { check } from './check';
import type { PassPlatform, Step } from './steps';

interface MigrationStatus {
  readonly applied: readonly string[];
  readonly pending: readonly string[];
  readonly current: string | null;
}

/** Makes the application's tables and rows, then has the platform keep its records beside them. */
async function adoptApplication(
  platform: PassPlatform,
  main: Client,
): Promise<{ readonly tag: string; readonly adopted: unknown }> {
  const tag = await migrateApplication(main);
  await seedApplication(main);
  const request = { database: 'main', action: 'apply', dryRun: false, adopt: main.database };
  return { tag, adopted: await platform.invoke('migrate', request) };
}

function describe(database: DatabaseName, status: unknown): string {
  const { applied, pending, current } = status as MigrationStatus;
  check(pending.length === 0, `${database}: still pending: ${pending.join(', ')}`);
  check(current !== null, `${database}: no migration was applied`);
  return `${applied.length} migrations, now at ${current}`;
}

/**
 * Migrates the billing database by the function that does so in AWS, and adopts the main one: the tables there are those of
 * an application, made by its own tool and in use before this platform comes.
 */
export const migrate: Step = {
  title: 'Migrate billing, and adopt main from its application',
  async run({ platform, main }, tell) {
    const [billing, { tag, adopted }] = await Promise.all([
      platform.invoke('migrate', { database: 'billing', action: 'apply', dryRun: false }),
      adoptApplication(platform, main),
    ]);
    tell(`billing  ${describe('billing', billing)}`);
    describe('main', adopted);
    const { rows } = await main.query<{ tables: string; size: string }>(
      `SELECT pg_database_size(current_database()) AS size,
         count(*) FILTER (WHERE schemaname = 'public') AS tables FROM pg_tables`,
    );
    const [{ tables, size } = { tables: 0, size: 0 }] = rows;
    tell(`main     ${tables} tables made by Drizzle, now at ${tag}; adopted with ${bytes(Number(size))} on disk`);
  },
};
