import { bytes } from '../runtime/console';
import { check } from './check';
import { forBoth, type Step } from './steps';

interface MigrationStatus {
  readonly applied: readonly string[];
  readonly pending: readonly string[];
  readonly current: string | null;
}

const USERS = 3;
const PROJECTS = 200;

/** Creates both schemas by invoking the function that does so in AWS, and gives the main database something to lose. */
export const migrate: Step = {
  title: 'Migrate both databases',
  async run({ platform, main }, tell) {
    const statuses = await forBoth(async (database) => {
      const status = await platform.invoke('migrate', { database, action: 'apply', dryRun: false });
      return { database, status: status as MigrationStatus };
    });
    for (const { database, status } of statuses) {
      check(status.pending.length === 0, `${database}: still pending: ${status.pending.join(', ')}`);
      check(status.current !== null, `${database}: no migration was applied`);
      tell(`${database.padEnd(8)} ${status.applied.length} migrations, now at ${status.current}`);
    }
    await main.query(
      `INSERT INTO app.users (id, display_name) SELECT 'user-' || n, 'User ' || n FROM generate_series(1, $1::int) n`,
      [USERS],
    );
    await main.query(
      `INSERT INTO app.projects (owner_id, name)
       SELECT 'user-' || 1 + n % $1::int, 'Project ' || n FROM generate_series(1, $2::int) n`,
      [USERS, PROJECTS],
    );
    const { rows } = await main.query<{ size: string }>('SELECT pg_database_size(current_database()) AS size');
    tell(`main     seeded with ${USERS} users and ${PROJECTS} projects, ${bytes(Number(rows[0]?.size))} on disk`);
  },
};
