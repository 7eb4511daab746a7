import type { RollbackReport } from '../../lambdas/migrate/contract';
import { defineCommand } from '../command';
import type { Context } from '../context';
import { CommandError } from '../errors';
import { describeMigrations, lossesOf } from '../migration-plan';
import { moment } from '../print/units';
import { database, flag, optional, required, text } from '../values';

export const migrateRollback = defineCommand({
  name: 'migrate rollback',
  summary: 'Takes the last applied migration back by its down part, after a backup',
  details:
    'Without a down part it is refused, and the commands of the restore that takes its place are printed. Deploy the code that does not need the migration first.',
  effect: 'changes',
  changes: 'archives the database; then the schema, and the rows that the down part removes. With --dry-run, nothing.',
  json: '`{backup, rollback}`: the reports of `lambdas/backup/contract.ts` (null without a backup) and `rollback` of `lambdas/migrate/contract.ts`',
  finding: 'a dry run found that data would be lost',
  arguments: { database: required(database, 'Database whose last migration is taken back') },
  options: {
    dryRun: flag('Show the down part with its locks and losses, and change nothing'),
    withoutBackup: flag('Take it back without a backup; refused in production'),
    confirm: optional(text('database'), 'The name of the database, typed again'),
  },
  examples: [
    { line: 'migrate rollback billing --dry-run', explains: 'What would taking the last migration back do?' },
    { line: 'migrate rollback billing --confirm billing', explains: 'Take it back.' },
  ],
  async run(context, { database: name, dryRun, withoutBackup, confirm }) {
    const { invoke, target, note } = context;
    if (withoutBackup && target.environment === 'production') {
      throw new CommandError('refused', '--without-backup is refused in production. Nothing was changed');
    }
    const { MIGRATIONS } = await import('../../lambdas/migrate/contract');
    const plan = await invoke('migrate', MIGRATIONS.rollback, { action: 'rollback', database: name, dryRun: true });
    const { current, down } = plan;
    if (current === null || down === null) throw irreversible(name, plan);
    const lines = describeRollback(plan, context);
    if (dryRun) {
      const isLossy = lossesOf(down).length > 0;
      return { report: { backup: null, rollback: plan }, lines, exit: isLossy ? 'finding' : 'done' };
    }
    for (const line of lines) note(line);
    await context.confirm(name, confirm, `${current} of ${name} would be taken back in ${target.environment}.`);
    const backups = await import('../../lambdas/backup/contract');
    const backup = withoutBackup
      ? null
      : await invoke('backup', backups.contract, { database: name, reason: 'pre-migration' });
    const request = { action: 'rollback', database: name, name: current, dryRun: false } as const;
    const rollback = await invoke('migrate', MIGRATIONS.rollback, request);
    const at = rollback.current ?? 'no migration';
    return {
      report: { backup, rollback },
      lines: [`${current} is taken back; ${name} is at ${at}`, `Backup before it: ${backup?.manifestKey ?? 'none'}`],
    };
  },
});

function describeRollback(plan: RollbackReport, context: Context): string[] {
  return [
    `${plan.current} was applied ${moment(plan.appliedAt, context.now())}; taking it back would run:`,
    ...describeMigrations(plan.down === null ? [] : [plan.down], context),
  ];
}

/** The restore that is needed instead, as commands. */
function irreversible(name: string, { current, appliedAt }: RollbackReport): CommandError {
  // Archives are named by their beginning; the one before the migration was finished by then.
  const before = new Date(Date.parse(appliedAt) - 1000).toISOString().replace('.000Z', 'Z');
  return new CommandError(
    'refused',
    [
      `${current ?? 'The last migration'} has no down part. Restore what was before it instead:`,
      `  ops restore ${name} --into ${name}_before --before ${before} # beside, to copy rows from`,
      `  ops recover start ${name} --to ${before} # the whole instance, to the second`,
    ].join('\n'),
  );
}
