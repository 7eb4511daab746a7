import { defineCommand } from '../command';
import { CommandError } from '../errors';
import { fields } from '../print/table';
import { duration } from '../print/units';
import { database, flag, optional, required, text } from '../values';

export const migrateApply = defineCommand({
  name: 'migrate apply',
  summary: 'Takes a backup and applies the pending migrations, each in a transaction of its own',
  details: 'A migration that fails is rolled back; those before it stay applied.',
  effect: 'changes',
  changes: 'archives the database, with a snapshot of its RDS instance; then changes its schema.',
  json: '`{backup, migration}`: the reports of `lambdas/backup/contract.ts` (null without a backup) and `lambdas/migrate/contract.ts`',
  arguments: { database: required(database, 'Database to migrate') },
  options: {
    withoutBackup: flag('Apply without a backup; refused in production'),
    adopt: optional(
      text('name'),
      'Name of the PostgreSQL database, typed, to place the records of the platform beside the tables of another tool',
    ),
  },
  examples: [
    { line: 'migrate apply billing', explains: 'Back up, then migrate billing.' },
    { line: 'migrate apply main --without-backup', explains: 'Migrate main at once, outside of production.' },
  ],
  async run({ invoke, target, style, note }, { database: name, withoutBackup, adopt }) {
    if (withoutBackup && target.environment === 'production') {
      throw new CommandError('refused', '--without-backup is refused in production. Nothing was changed');
    }
    const { contract } = await import('../../lambdas/migrate/contract');
    const plan = { action: 'apply', database: name, dryRun: true, adopt } as const;
    const { pending, current } = await invoke('migrate', contract, plan);
    if (pending.length === 0) {
      const migration = await invoke('migrate', contract, plan);
      return { report: { backup: null, migration }, lines: [`${name} is at ${current}; nothing is pending`] };
    }
    // Before its first migration a database has nothing to archive, and no identity.
    const backup = withoutBackup || current === null ? null : await takeBackup();
    const started = performance.now();
    const migration = await invoke('migrate', contract, { ...plan, dryRun: false });
    return {
      report: { backup, migration },
      lines: fields(
        [
          ['backup', backup === null ? 'none' : backup.manifestKey],
          ['applied', pending.join(', ')],
          ['schema', migration.current],
          ['took', duration(performance.now() - started)],
        ],
        style,
      ),
    };

    async function takeBackup() {
      note(`Backing up ${name} before ${pending.length} migrations`);
      const backups = await import('../../lambdas/backup/contract');
      return invoke('backup', backups.contract, { database: name, reason: 'pre-migration' });
    }
  },
});
