import { defineCommand } from '../command';
import { taskLines } from '../print/maintenance';
import { database, flag, required } from '../values';

export const cardsScan = defineCommand({
  name: 'cards scan',
  summary: 'Looks for card numbers in every text and JSON column of a database',
  details:
    'The schedule does so monthly. It reads for 14 minutes at most, a large table from where the last scan stopped, and says what it read. Findings name table, column and row, never a digit of the number.',
  effect: 'adds',
  changes: 'adds a record of the scan; reads tables in transactions that can change nothing; with --dry-run, nothing.',
  json: 'the report `run` of `lambdas/maintenance/contract.ts`, with the one task `cards`',
  finding: 'a card number was found, or something could not be read',
  arguments: { database: required(database, 'Database that is scanned') },
  options: { dryRun: flag('Record nothing, so that the next scan begins where this one did') },
  examples: [{ line: 'cards scan billing', explains: 'Is a card number anywhere in billing?' }],
  async run({ invoke, style, now }, { database: name, dryRun }) {
    const { contract, runReport } = await import('../../lambdas/maintenance/contract');
    const report = await invoke(
      'maintenance',
      { ...contract, report: runReport },
      { action: 'run', database: name, tasks: ['cards'], dryRun },
    );
    const isClean = report.tasks.every(
      (record) => record.outcome === 'done' && record.task === 'cards' && record.result?.found === 0,
    );
    return { report, lines: taskLines(report.tasks, style, now()), exit: isClean ? 'done' : 'finding' };
  },
});
