import { defineCommand } from '../command';
import { fields } from '../print/table';
import { database, required } from '../values';

export const migrateStatus = defineCommand({
  name: 'migrate status',
  summary: 'Lists the applied and the pending migrations of a database',
  effect: 'reads',
  changes: 'nothing.',
  json: 'the report of `lambdas/migrate/contract.ts`',
  finding: 'a migration is pending',
  arguments: { database: required(database, 'Database whose migrations are listed') },
  options: {},
  examples: [{ line: 'migrate status billing', explains: 'Which migrations are pending?' }],
  async run({ invoke, style }, { database: name }) {
    const { MIGRATIONS } = await import('../../lambdas/migrate/contract');
    const report = await invoke('migrate', MIGRATIONS.record, { action: 'status', database: name });
    return {
      report,
      lines: fields(
        [
          ['database', report.database],
          ['schema', report.current],
          ['applied', report.applied.length],
          ['pending', report.pending.length === 0 ? 'none' : report.pending.join(', ')],
        ],
        style,
      ),
      exit: report.pending.length > 0 ? 'finding' : 'done',
    };
  },
});
