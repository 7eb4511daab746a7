import { defineCommand } from '../command';
import { inspect } from '../inspect';
import { amountText } from '../../core/runtime/money';
import { table } from '../print/table';
import { counted, moment } from '../print/units';
import { flag, oneOf, optional, text, wholeNumber } from '../values';

export const payoutsList = defineCommand({
  name: 'payouts list',
  summary: 'Lists payouts to the banks of connected accounts, the newest first, and restricted accounts',
  effect: 'reads',
  changes: 'nothing.',
  json: 'the report `payouts` of `lambdas/inspect/contract.ts`',
  finding: 'a listed payout failed and nothing replaced it, one is late, or an account is restricted',
  arguments: {},
  options: {
    status: optional(
      oneOf('status', ['pending', 'in_transit', 'paid', 'failed', 'canceled']),
      'Only payouts of this status',
    ),
    open: flag('Only payouts that failed and nothing replaced, and late ones'),
    account: optional(text('account'), 'Only payouts of this connected account'),
    limit: optional(wholeNumber('count', 1, 500), 'Payouts to list at most. Default: 20'),
  },
  examples: [
    { line: 'payouts list --open', explains: 'Which coaches were not paid, and why?' },
    { line: 'payouts list --account acct_1A2b3C', explains: 'What was this coach paid?' },
  ],
  async run(context, options) {
    const report = await inspect(context, 'payouts', options);
    const { payouts, restrictedAccounts, restrictedTotal, totals } = report;
    const now = context.now();
    const rows = payouts.map((payout) => [
      payout.id,
      payout.account ?? 'the platform',
      `${payout.status}${payout.isLate ? ', late' : ''}`,
      amountText(payout.amount, payout.currency),
      moment(payout.arrivesAt, now),
      payout.failureCode ?? '',
      payout.retriedBy ?? (payout.isOpen ? 'no' : ''),
    ]);
    const headings = ['payout', 'account', 'status', 'amount', 'arrives', 'failure', 'repeated by'];
    const restricted = restrictedAccounts.map(({ id, cause, requirementsDue }) => [
      id,
      cause ?? '',
      requirementsDue.join(', '),
    ]);
    const needsAttention = restrictedTotal > 0 || payouts.some(({ isOpen, isLate }) => isOpen || isLate);
    return {
      report,
      lines: [
        `${totals.underWay} under way, ${totals.late} of them late; ${totals.failed} failed and not replaced; ${totals.paid} of the last 24 hours paid`,
        ...(rows.length === 0 ? ['No payout matches'] : table(headings, rows, context.style)),
        ...(restrictedTotal === 0
          ? []
          : [
              `${counted(restrictedTotal, 'connected account')} restricted:`,
              ...table(['account', 'cause', 'due'], restricted, context.style),
            ]),
      ],
      exit: needsAttention ? 'finding' : 'done',
    };
  },
});
