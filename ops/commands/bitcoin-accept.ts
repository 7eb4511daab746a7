import { callerName } from '../audit';
import { defineCommand } from '../command';
import { CommandError } from '../errors';
import { amountText } from '../../core/runtime/money';
import { flag, optional, required, text } from '../values';

export const bitcoinAccept = defineCommand({
  name: 'bitcoin accept',
  summary: 'Takes what has arrived for a payment in bitcoin as all of it: too late, or too little',
  details:
    'It is settled once it has its confirmations, grants what was bought, and counts as revenue with what has arrived. Who accepted it, when and why stays on record in billing.bitcoin_payments.',
  effect: 'changes',
  changes: 'the payment, what it grants, and brings all payments up to date with the node; with --dry-run, nothing.',
  json: 'the report of `lambdas/confirmations/contract.ts`, with `accepted`',
  arguments: { payment: required(text('payment'), 'Id of the payment, as `bitcoin status` lists it') },
  options: {
    reason: required(text('reason'), 'Why it is accepted, for the record'),
    confirm: optional(text('payment'), 'Id of the payment, to act without being asked'),
    dryRun: flag('Say what would be accepted, and change nothing'),
  },
  examples: [
    {
      line: 'bitcoin accept btc_order-17 --reason "two hours late, price unchanged" --dry-run',
      explains: 'What has arrived, and of how much?',
    },
  ],
  async run({ invoke, clients, target, confirm }, { payment, reason, confirm: confirmed, dryRun }) {
    const { contract } = await import('../../lambdas/confirmations/contract');
    const by = await callerName(clients, target);
    const ask = async (isDry: boolean) => {
      const report = await invoke('confirmations', contract, { accept: { payment, reason, by }, dryRun: isDry });
      if (report.accepted === null) throw new CommandError('failed', 'The function did not say what it accepted');
      return { report, accepted: report.accepted };
    };
    let { report, accepted } = await ask(true);
    const what = `${amountText(accepted.received, 'BTC')} of ${amountText(accepted.asked, 'BTC')} for ${payment}, ${accepted.before} so far`;
    if (dryRun) return { report, lines: [`${what}, would be accepted`] };
    await confirm(payment, confirmed, `The platform takes ${what}, as all of it.`);
    ({ report, accepted } = await ask(false));
    const next = accepted.status === 'settled' ? '' : ': it is settled by the blocks to come';
    return { report, lines: [`Accepted ${what}. It is ${accepted.status} now${next}`] };
  },
});
