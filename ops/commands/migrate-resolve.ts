import { assertExactlyOne } from '../choices';
import { defineCommand } from '../command';
import { database, flag, optional, required, text } from '../values';

export const migrateResolve = defineCommand({
  name: 'migrate resolve',
  summary: 'Corrects the record after a migration was applied, or undone, by hand',
  details:
    'It runs no migration, and believes the schema only: it is refused while something that the migration makes is missing, or still there.',
  effect: 'changes',
  changes: 'the record of migrations; with --dry-run, nothing.',
  json: 'the report of `lambdas/migrate/contract.ts`',
  arguments: { database: required(database, 'Database whose record is corrected') },
  options: {
    applied: optional(text('migration'), 'The next migration: its statements were run by hand'),
    rolledBack: optional(text('migration'), 'The last applied migration: what it made was undone by hand'),
    dryRun: flag('Compare the schema, and change nothing'),
    confirm: optional(text('database'), 'The name of the database, typed again'),
  },
  examples: [
    {
      line: 'migrate resolve billing --applied 0027_index_receipts --dry-run',
      explains: 'Is it applied in full?',
    },
    {
      line: 'migrate resolve billing --rolled-back 0027_index_receipts --confirm billing',
      explains: 'Record that it was undone.',
    },
  ],
  async run(context, { database: name, applied, rolledBack, dryRun, confirm }) {
    assertExactlyOne({ '--applied': applied !== undefined, '--rolled-back': rolledBack !== undefined });
    const migration = applied ?? rolledBack ?? '';
    const { MIGRATIONS } = await import('../../lambdas/migrate/contract');
    const as = applied === undefined ? 'rolled-back' : 'applied';
    const request = { action: 'resolve', database: name, name: migration, as } as const;
    const plan = await context.invoke('migrate', MIGRATIONS.record, { ...request, dryRun: true });
    const agrees = `The schema of ${name} shows that ${migration} is ${as === 'applied' ? 'applied' : 'undone'}`;
    if (dryRun) return { report: plan, lines: [agrees] };
    await context.confirm(name, confirm, `${agrees}; the record in ${context.target.environment} would say so too.`);
    const report = await context.invoke('migrate', MIGRATIONS.record, { ...request, dryRun: false });
    return { report, lines: [`${name} is at ${report.current ?? 'no migration'}; ${report.pending.length} pending`] };
  },
});
