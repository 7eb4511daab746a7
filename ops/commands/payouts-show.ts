import { defineCommand } from '../command';
import { CommandError } from '../errors';
import { inspect } from '../inspect';
import { amountText } from '../../core/runtime/money';
import { fields } from '../print/table';
import { moment } from '../print/units';
import { required, text } from '../values';

export const payoutsShow = defineCommand({
  name: 'payouts show',
  summary: 'Shows what became of a payout, and what stands in its way',
  effect: 'reads',
  changes: 'nothing.',
  json: 'the report `payouts` of `lambdas/inspect/contract.ts`',
  finding: 'the payout failed and nothing replaced it, or it is late',
  arguments: { payout: required(text('payout'), 'Id of the payout') },
  options: {},
  examples: [{ line: 'payouts show po_1A2b3C', explains: 'Why was this coach not paid?' }],
  async run(context, { payout: id }) {
    const report = await inspect(context, 'payouts', { id, limit: 500 });
    const [payout] = report.payouts;
    if (payout === undefined) {
      throw new CommandError(
        'refused',
        `No event told of ${id}. Of a connected account: ops webhooks list --about ${id}`,
      );
    }
    const restriction = report.restrictedAccounts.find((account) => account.id === payout.account);
    const reasons = [restriction?.cause ?? null, ...(restriction?.requirementsDue ?? [])].filter(
      (reason) => reason !== null,
    );
    const at = context.now();
    return {
      report,
      lines: [
        ...fields(
          [
            ['payout', payout.id],
            ['account', payout.account ?? 'the platform'],
            ['restricted', restriction === undefined ? 'no' : `yes: ${reasons.join(', ') || 'Stripe names no reason'}`],
            ['status', `${payout.status}${payout.isLate ? ', late' : ''}`],
            ['amount', amountText(payout.amount, payout.currency)],
            ['created', moment(payout.createdAt, at)],
            ['arrives', moment(payout.arrivesAt, at)],
            ['failure', payout.failureCode],
            ['reason', payout.failureMessage],
            ['repeats', payout.retryOf],
            ['repeated by', payout.retriedBy],
          ],
          context.style,
        ),
        ...(payout.isOpen ? [`To pay it again, once the account is put right: ops payouts retry ${id}`] : []),
        ...(payout.isLate ? [`To compare it with Stripe: ops refresh --object ${id}`] : []),
      ],
      exit: payout.isOpen || payout.isLate ? 'finding' : 'done',
    };
  },
});
