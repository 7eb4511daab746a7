import { defineCommand } from '../command';
import { taskLines } from '../print/maintenance';
import { flag, oneOf, required } from '../values';

const PLACES = ['billing', 'main', 'logs'] as const;

export const cardsScan = defineCommand({
  name: 'cards scan',
  summary: 'Looks for card numbers in every text and JSON column of a database, or in the logs',
  details:
    'The schedules do so monthly, and weekly for the logs. It reads for 14 minutes at most, a large table or log from where the last scan stopped, and says what it read. Findings name table, column and row, or log, stream and time, never a digit of the number. `logs` are all of the stacks but the flow log of the network, which has no text, and those that existing instances export to CloudWatch; it names servers whose logs no scan reads.',
  effect: 'adds',
  changes:
    'adds a record of the scan, that of the logs in billing; reads tables in transactions that can change nothing; with --dry-run, nothing.',
  json: 'the report `run` of `lambdas/maintenance/contract.ts`, with the one task `cards` or `logs`',
  finding: 'a card number was found, or something could not be read',
  arguments: { place: required(oneOf('place', PLACES), 'Database that is scanned, or `logs`') },
  options: { dryRun: flag('Record nothing, so that the next scan begins where this one did') },
  examples: [
    { line: 'cards scan billing', explains: 'Is a card number anywhere in billing?' },
    { line: 'cards scan logs', explains: 'Did anything write a card number to a log?' },
  ],
  async run({ invoke, style, now }, { place, dryRun }) {
    const { contract, runReport } = await import('../../lambdas/maintenance/contract');
    const report = await invoke(
      'maintenance',
      { ...contract, report: runReport },
      place === 'logs'
        ? { action: 'run', database: 'billing', tasks: ['logs'], dryRun }
        : { action: 'run', database: place, tasks: ['cards'], dryRun },
    );
    const isClean = report.tasks.every(
      (record) =>
        record.outcome === 'done' && record.result !== null && 'found' in record.result && record.result.found === 0,
    );
    return { report, lines: taskLines(report.tasks, style, now()), exit: isClean ? 'done' : 'finding' };
  },
});
