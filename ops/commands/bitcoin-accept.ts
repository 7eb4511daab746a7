import { callerName } from '../audit';
import { defineCommand } from '../command';
import { CommandError } from '../errors';
import type { ConfirmationsReport } from '../../lambdas/confirmations/contract';
import { amountText } from '../../core/runtime/money';
import { flag, optional, required, text } from '../values';

type Accepted = NonNullable<ConfirmationsReport['accepted']>;

export const bitcoinAccept = defineCommand({
  name: 'bitcoin accept',
  summary: 'Takes what has arrived for a payment in bitcoin as all of it: too late, or too little',
  details:
    'It is settled once it has its confirmations, grants what was bought, and counts as revenue with what has arrived. What arrives between the question and the answer is not accepted unseen: the command is refused then. Who accepted it, when and why stays on record in billing.bitcoin_payments.',
  effect: 'changes',
  changes: 'the payment and what it grants; with --dry-run, nothing.',
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
    const ask = async (received?: string) => {
      const report = await invoke('confirmations', contract, {
        accept: { payment, reason, by, received },
        dryRun: received === undefined,
      });
      if (report.accepted === null) throw new CommandError('failed', 'The function did not say what it accepted');
      return { report, accepted: report.accepted };
    };
    const first = await ask();
    const what = described(first.accepted);
    if (dryRun) return { report: first.report, lines: [`${what}, would be accepted`] };
    await confirm(payment, confirmed, `The platform takes ${what}, as all of it.`);
    const { report, accepted } = await ask(first.accepted.received);
    const next = accepted.status === 'settled' ? '' : ': it is settled by the blocks to come';
    return { report, lines: [`Accepted ${described(accepted)}. It is ${accepted.status} now${next}`] };
  },
});

const described = ({ payment, before, asked, received }: Accepted): string =>
  `${amountText(received, 'BTC')} of ${amountText(asked, 'BTC')} for ${payment}, ${before} so far`;
