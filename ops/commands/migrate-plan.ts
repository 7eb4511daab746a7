import { defineCommand } from '../command';
import { database, required } from '../values';

export const migratePlan = defineCommand({
  name: 'migrate plan',
  summary: 'Shows which migrations an apply would run',
  effect: 'reads',
  changes: 'nothing.',
  json: 'the report of `lambdas/migrate/contract.ts`, of a dry run',
  finding: 'a migration is pending',
  arguments: { database: required(database, 'Database to plan for') },
  options: {},
  examples: [{ line: 'migrate plan billing', explains: 'What would the next apply do?' }],
  async run({ invoke }, { database: name }) {
    const { contract } = await import('../../lambdas/migrate/contract');
    const report = await invoke('migrate', contract, { action: 'apply', database: name, dryRun: true });
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
