import { defineCommand } from '../command';
import { taskLines } from '../print/maintenance';
import { database, optional, required, wholeNumber } from '../values';

export const maintenanceShow = defineCommand({
  name: 'maintenance show',
  summary: 'Shows what maintenance did to a database and found in it, the newest first',
  effect: 'reads',
  changes: 'nothing.',
  json: 'the report `show` of `lambdas/maintenance/contract.ts`',
  arguments: { database: required(database, 'Database that was maintained') },
  options: { limit: optional(wholeNumber('count', 1, 100), 'Tasks to list at most. Default: 10') },
  examples: [{ line: 'maintenance show billing', explains: 'Did it run, what grows, what is bloated?' }],
  async run({ invoke, style, now }, { database: name, limit }) {
    const { contract, showReport } = await import('../../lambdas/maintenance/contract');
    const report = await invoke(
      'maintenance',
      { ...contract, report: showReport },
      { action: 'show', database: name, ...(limit === undefined ? {} : { limit }) },
    );
    const lines = taskLines(report.tasks, style, now());
    return { report, lines: lines.length > 0 ? lines : [`${name} was never maintained: ops maintenance run ${name}`] };
  },
});
