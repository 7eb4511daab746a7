import { defineCommand } from '../command';
import { table } from '../print/table';
import { moment } from '../print/units';
import { optional, wholeNumber } from '../values';

export const audit = defineCommand({
  name: 'audit',
  summary: 'Lists what operators did: who, what, when, and how it ended',
  effect: 'reads',
  changes: 'nothing.',
  json: 'the report `list` of `lambdas/audit/contract.ts`',
  arguments: {},
  options: {
    days: optional(wholeNumber('days', 1, 400), 'Days to look back. Default: 7'),
    limit: optional(wholeNumber('count', 1, 200), 'Actions to list at most. Default: 50'),
  },
  examples: [{ line: 'audit --days 30', explains: 'Who changed what in the last month?' }],
  async run({ invoke, style, now }, { days, limit }) {
    const { contract } = await import('../../lambdas/audit/contract');
    const report = await invoke('audit', contract, { action: 'list', days, limit });
    if (report.action !== 'list') throw new Error('The audit function answered another request');
    const rows = report.actions.map(({ begunAt, who, command, result, message }) => [
      moment(begunAt, now()),
      who.startsWith('arn:') ? who.split(':').slice(4).join(':') : who,
      command,
      result ?? 'not recorded',
      message ?? '',
    ]);
    const headings = ['begun', 'who', 'command', 'result', 'message'];
    return { report, lines: rows.length === 0 ? ['No actions'] : table(headings, rows, style) };
  },
});
