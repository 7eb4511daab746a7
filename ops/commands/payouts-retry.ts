import { callerName } from '../audit';
import { defineCommand } from '../command';
import { amountText } from '../../core/runtime/money';
import { moment } from '../print/units';
import { flag, optional, required, text } from '../values';

export const payoutsRetry = defineCommand({
  name: 'payouts retry',
  summary: 'Pays a connected account the amount of a failed payout again',
  details:
    'Stripe makes a new payout from the balance of the account. Refused while the account is restricted. Repeated, the command answers with the payout that it made. The API key needs the permission to write payouts of connected accounts.',
  effect: 'changes',
  changes: 'makes a payout at Stripe; with --dry-run, nothing.',
  json: 'the report of `lambdas/payouts/contract.ts`',
  arguments: { payout: required(text('payout'), 'Id of the failed payout') },
  options: {
    confirm: optional(text('payout'), 'Id of the payout, to act without being asked'),
    dryRun: flag('Say whether it could be paid again, and pay nothing'),
  },
  examples: [{ line: 'payouts retry po_1A2b3C --dry-run', explains: 'Does anything still stand in its way?' }],
  async run({ invoke, clients, target, confirm, now }, { payout, confirm: confirmed, dryRun }) {
    const { contract } = await import('../../lambdas/payouts/contract');
    const by = await callerName(clients, target);
    const looked = await invoke('payouts', contract, { payout, by, dryRun: true });
    const { account, amount, currency } = looked;
    const what = `${amountText(amount, currency)} to ${account ?? 'the platform'}`;
    let report = looked;
    if (!dryRun && looked.outcome === 'wouldRetry') {
      await confirm(payout, confirmed, `Stripe pays ${what} from the balance of the account.`);
      report = await invoke('payouts', contract, { payout, by, dryRun: false });
    }
    const made = report.newPayout;
    const madeText = made === null ? '' : `${made.id}, ${made.status}, arrives ${moment(made.arrivesAt, now())}`;
    const next = made?.status === 'failed' ? `. That one failed as well: ops payouts retry ${made.id}` : '';
    const lines = {
      created: `${what} is paid again: ${madeText}`,
      alreadyRetried: `It was paid again before: ${madeText}. Nothing was done${next}`,
      wouldRetry: `${what} would be paid again`,
    };
    return { report, lines: [lines[report.outcome]] };
  },
});
