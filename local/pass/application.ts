import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from 'pg';
import { CHECKOUT } from '../runtime/checkout';

/** Migrations of a company's application in the format of Drizzle, as drizzle-kit wrote them. */
export const APPLICATION_MIGRATIONS = join(CHECKOUT, 'local/pass/application');

const USERS = 60;
const TEAMS = 12;
const PROJECTS = 200;

interface DrizzleJournal {
  readonly entries: readonly { readonly when: number; readonly tag: string }[];
}

/**
 * Makes the tables of a company's application in the main database, which is not this platform's: as drizzle-orm's migrator
 * does, with the same record, but without its half second of loading. `test/proof/orm.proof.ts` compares the two.
 *
 * @returns the name of the last migration
 */
export async function migrateApplication(main: Client): Promise<string> {
  const journal = JSON.parse(
    readFileSync(join(APPLICATION_MIGRATIONS, 'meta/_journal.json'), 'utf8'),
  ) as DrizzleJournal;
  await main.query(
    `CREATE SCHEMA IF NOT EXISTS drizzle;
     CREATE TABLE IF NOT EXISTS drizzle.__drizzle_migrations (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at bigint)`,
  );
  await main.query('BEGIN');
  for (const { tag, when } of journal.entries) {
    const sql = readFileSync(join(APPLICATION_MIGRATIONS, `${tag}.sql`), 'utf8');
    await main.query(sql);
    await main.query('INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ($1, $2)', [
      createHash('sha256').update(sql).digest('hex'),
      when,
    ]);
  }
  await main.query('COMMIT');
  return journal.entries.at(-1)?.tag ?? '';
}

/** Rows of every table; the application's trigger writes its audit log. */
export async function seedApplication(main: Client): Promise<void> {
  await main.query(`
    INSERT INTO users (email, name, settings)
      SELECT 'user' || n || '@example.com', 'User ' || n, jsonb_build_object('theme', 'dark', 'n', n)
      FROM generate_series(1, ${USERS}) n;
    INSERT INTO teams (slug, name, stripe_customer_id)
      SELECT 'team-' || n, 'Team ' || n, 'cus_' || n FROM generate_series(1, ${TEAMS}) n;
    INSERT INTO memberships (team_id, user_id, role)
      SELECT t.id, u.id, (CASE WHEN u.name = 'User 1' THEN 'owner' ELSE 'member' END)::team_role
      FROM teams t, users u WHERE (u.settings->>'n')::int % 3 <> length(t.slug) % 3;
    INSERT INTO sessions (id, user_id, expires_at) SELECT md5(id::text), id, now() + interval '30 days' FROM users;
    INSERT INTO projects (team_id, name, status, labels)
      SELECT (SELECT id FROM teams WHERE slug = 'team-' || 1 + n % ${TEAMS}), 'Project ' || n,
        (enum_range(NULL::project_status))[1 + n % 3], ARRAY['label ' || n % 7]
      FROM generate_series(1, ${PROJECTS}) n;
    INSERT INTO api_keys (project_id, prefix, hash) SELECT id, 'key_' || id, md5('key' || id) FROM projects;
    INSERT INTO audit_log (occurred_at, action) VALUES ('2026-03-01 12:00Z', 'open account'), ('2027-02-01 12:00Z', 'renew')`);
}
