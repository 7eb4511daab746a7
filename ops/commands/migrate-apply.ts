import type { BackupReport } from '../../lambdas/backup/contract';
import { defineCommand } from '../command';
import { CommandError } from '../errors';
import { fields } from '../print/table';
import { duration } from '../print/units';
import { database, flag, optional, required, text } from '../values';

export const migrateApply = defineCommand({
  name: 'migrate apply',
  summary: 'Takes a backup, applies the pending migrations, and validates the schema',
  details:
    'Each migration runs in a transaction of its own: one that fails is rolled back, and those before it stay applied. One that is marked as without a transaction is resumed by the next apply.',
  effect: 'changes',
  changes: 'archives the database, with a snapshot of its RDS instance; then changes its schema.',
  json: '`{backup, migration, validation}`: the reports of `lambdas/backup/contract.ts` (null without a backup) and `lambdas/migrate/contract.ts` (`validation` is null where nothing was pending)',
  finding: 'the schema afterwards is not the one that the migrations make',
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
    const { MIGRATIONS } = await import('../../lambdas/migrate/contract');
    const request = { action: 'apply', database: name, dryRun: true, adopt } as const;
    const plan = await invoke('migrate', MIGRATIONS.record, request);
    const { pending, current } = plan;
    if (pending.length === 0) {
      const report = { backup: null, migration: plan, validation: null };
      return { report, lines: [`${name} is at ${current}; nothing is pending`] };
    }
    // Before its first migration a database has nothing to archive, and no identity.
    const backup = withoutBackup || current === null ? null : await takeBackup();
    const started = performance.now();
    const migration = await invoke('migrate', MIGRATIONS.record, { ...request, dryRun: false });
    const took = performance.now() - started;
    const validation = await invoke('migrate', MIGRATIONS.validate, { action: 'validate', database: name });
    return {
      report: { backup, migration, validation },
      lines: fields(
        [
          ['backup', backup === null ? 'none' : backup.manifestKey],
          ['applied', pending.join(', ')],
          ['schema', migration.current],
          ['took', duration(took)],
          ['validated', validation.valid ? 'the schema is the one that the migrations make' : 'WRONG'],
          ...validation.problems.map((problem) => ['problem', problem] as const),
          ...validation.notChecked.map((what) => ['not checked', what] as const),
        ],
        style,
      ),
      exit: validation.valid ? 'done' : 'finding',
    };

    async function takeBackup(): Promise<BackupReport> {
      note(`Backing up ${name} before ${pending.length} migrations`);
      const backups = await import('../../lambdas/backup/contract');
      return invoke('backup', backups.contract, { database: name, reason: 'pre-migration' });
    }
  },
});
