import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import pg from 'pg';

// Drizzle has no command that tells what is pending: its migrator applies it, or nothing.
const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
await client.connect();
const applied = async () => {
  const journal = await client.query(`SELECT to_regclass('drizzle.__drizzle_migrations') IS NOT NULL AS present`);
  if (!journal.rows[0].present) return 0;
  return Number((await client.query('SELECT count(*) FROM drizzle.__drizzle_migrations')).rows[0].count);
};
const before = await applied();
await migrate(drizzle(client), { migrationsFolder: 'migrations' });
console.log(`applied ${(await applied()) - before} migrations`);
await client.end();
