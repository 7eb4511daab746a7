import { amountText } from '../../core/runtime/money';
import type { InspectionReport } from '../../lambdas/inspect/contract';
import { defineCommand } from '../command';
import { inspect } from '../inspect';
import { fields, table } from '../print/table';
import { optional, required, text, time } from '../values';

export const revenue = defineCommand({
  name: 'revenue',
  summary: 'Shows what a project took in, by currency, less refunds, and how many subscriptions it has',
  effect: 'reads',
  changes: 'nothing.',
  json: 'the report `figures` of `lambdas/inspect/contract.ts`; amounts in the smallest unit',
  arguments: { project: required(text('project'), 'Id of the project') },
  options: {
    from: optional(time(), 'First moment. Default: 30 days before the end'),
    to: optional(time(), 'Moment that the range ends before, at most 366 days later. Default: now'),
  },
  examples: [
    { line: 'revenue project-1', explains: 'What did this project take in over the last 30 days?' },
    {
      line: 'revenue project-1 --from 2026-10-01T00:00:00Z --to 2026-11-01T00:00:00Z --json',
      explains: 'October, for a script.',
    },
  ],
  async run(context, { project, from, to }) {
    const report = await inspect(context, 'figures', { projectId: project, from, to });
    const { style } = context;
    const rows = report.currencies.map(({ currency, charges, ...sums }) => [
      currency.toUpperCase(),
      ...[sums.gross, sums.refunded, sums.net].map((amount) => amountText(String(amount), currency)),
      charges.toLocaleString('en'),
    ]);
    return {
      report,
      lines: [
        ...fields(summaryOf(report), style),
        ...(rows.length === 0
          ? ['Nothing was paid or refunded in this range: is the id of the project right?']
          : table(['currency', 'gross', 'refunded', 'net', 'charges'], rows, style)),
      ],
    };
  },
});

function summaryOf({
  projectId,
  from,
  to,
  subscriptions,
}: InspectionReport<'figures'>): (readonly [string, string | null])[] {
  const { byStatus, ending, started, ended } = subscriptions;
  const states = Object.entries(byStatus).map(([status, number]) => `${number.toLocaleString('en')} ${status}`);
  return [
    ['project', projectId],
    ['from', from],
    ['to', `${to}, which is not part of it`],
    ['subscriptions', states.join(', ') || 'none'],
    ['ending', `${ending.toLocaleString('en')} with their period`],
    ['in the range', `${started.toLocaleString('en')} started, ${ended.toLocaleString('en')} ended`],
  ];
}
