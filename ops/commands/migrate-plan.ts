import { defineCommand } from '../command';
import { database, optional, required, text } from '../values';

export const migratePlan = defineCommand({
  name: 'migrate plan',
  summary: 'Shows which migrations an apply would run',
  effect: 'reads',
  changes: 'nothing.',
  json: 'the report of `lambdas/migrate/contract.ts`, of a dry run',
  finding: 'a migration is pending',
  arguments: { database: required(database, 'Database to plan for') },
  options: {
    adopt: optional(
      text('name'),
      'Name of the PostgreSQL database, to plan its adoption beside the tables of another tool',
    ),
  },
  examples: [{ line: 'migrate plan billing', explains: 'What would the next apply do?' }],
  async run({ invoke }, { database: name, adopt }) {
    const { contract } = await import('../../lambdas/migrate/contract');
    const report = await invoke('migrate', contract, { action: 'apply', database: name, dryRun: true, adopt });
    const { pending, current } = report;
    return {
      report,
      lines:
        pending.length === 0
          ? [`${name} is at ${current ?? 'no migration'}; nothing is pending`]
          : [
              `${name} is at ${current ?? 'no migration'}; an apply would run, each in a transaction:`,
              ...pending.map((each) => `  ${each}`),
            ],
      exit: pending.length > 0 ? 'finding' : 'done',
    };
  },
});
