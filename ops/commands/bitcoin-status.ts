import { bitcoinText } from '../../core/runtime/money';
import type { InspectionReport } from '../../lambdas/inspect/contract';
import { defineCommand } from '../command';
import type { Context } from '../context';
import { inspect } from '../inspect';
import { fields, table } from '../print/table';
import { counted, moment, span } from '../print/units';
import { optional, wholeNumber } from '../values';

type Report = InspectionReport<'bitcoin'>;

export const bitcoinStatus = defineCommand({
  name: 'bitcoin status',
  summary: 'Shows how payments in bitcoin are: under way, lost, how long they take, for whom, and how far the node is',
  effect: 'reads',
  changes: 'nothing.',
  json: 'the report `bitcoin` of `lambdas/inspect/contract.ts`; amounts in satoshi',
  finding: 'a payment failed or came too late in the last 7 days',
  arguments: {},
  options: { limit: optional(wholeNumber('count', 1, 200), 'Payments to list at most, of each kind. Default: 20') },
  examples: [
    { line: 'bitcoin status', explains: 'Is the node up to date, and who waits for a payment?' },
    { line: 'bitcoin status --limit 200 --json', explains: 'The same for a script, with more payments.' },
  ],
  async run(context, { limit }) {
    const report = await inspect(context, 'bitcoin', { limit });
    const { style } = context;
    return {
      report,
      lines: [
        ...fields(summaryOf(report, context), style),
        ...titled('Under way', paymentRows(report.underWay, context), style),
        ...titled('Failed or too late, 7 days', paymentRows(report.lost, context), style),
        ...titled('Paid too much, 7 days', paymentRows(report.overpaid, context), style),
        ...titled('Settled by project, 30 days', projectRows(report, context), style),
        ...titled('Reorganisations', reorganisationRows(report, context), style),
      ],
      exit: report.lost.length > 0 ? 'finding' : 'done',
    };
  },
});

function titled(title: string, lines: readonly string[], style: Context['style']): string[] {
  return lines.length === 0 ? [] : ['', style.bold(title), ...lines];
}

function summaryOf({ chain, statuses, lastDay }: Report, { now }: Context): (readonly [string, string | null])[] {
  const at = now();
  const behind = chain === null ? 0 : Math.max(0, chain.nodeHeight - chain.height);
  const { settled, lost, meanMinutes } = lastDay;
  const mean = meanMinutes === null ? '' : `, after ${span(meanMinutes * 60)} on average`;
  return [
    ['network', chain?.network ?? 'no run yet: the environment takes no bitcoin, or its schedule has not started one'],
    ['last block', chain && `${chain.height}, ${moment(chain.blockAt, at)}`],
    ['node', chain && `${behind === 0 ? 'no' : behind} blocks ahead, answered ${moment(chain.nodeAt, at)}`],
    ['mempool', chain && `looked at ${moment(chain.scannedAt, at)}`],
    [
      'payments',
      statuses.map(({ status, payments }) => `${payments.toLocaleString('en')} ${status}`).join(', ') || 'none',
    ],
    ['last 24 h', `${counted(settled, 'payment')} settled${mean}; ${lost} failed or too late`],
  ];
}

function paymentRows(payments: Report['underWay'], { style, now }: Context): string[] {
  if (payments.length === 0) return [];
  const rows = payments.map(({ id, projectId, status, amount, received, firstSeenAt, transactions }) => [
    id,
    projectId,
    status,
    bitcoinText(amount),
    bitcoinText(received),
    moment(firstSeenAt, now()),
    transactions
      .map(
        ({ txid, state, blockHeight }) =>
          `${txid.slice(0, 8)}… ${state}${blockHeight === null ? '' : ` ${blockHeight}`}`,
      )
      .join(', '),
  ]);
  return table(['payment', 'project', 'status', 'BTC', 'received', 'first seen', 'transactions'], rows, style);
}

function projectRows({ projects }: Report, { style }: Context): string[] {
  if (projects.length === 0) return [];
  const rows = projects.map(({ projectId, payments, amount }) => [projectId, payments, bitcoinText(amount)]);
  return table(['project', 'payments', 'BTC'], rows, style);
}

function reorganisationRows({ reorganisations }: Report, { style, now }: Context): string[] {
  if (reorganisations.length === 0) return [];
  const rows = reorganisations.map(({ noticedAt, forkHeight, depth, transactions }) => [
    moment(noticedAt, now()),
    forkHeight,
    depth,
    transactions,
  ]);
  return table(['noticed', 'after block', 'blocks', 'transactions'], rows, style);
}
