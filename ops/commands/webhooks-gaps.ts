import { defineCommand } from '../command';
import { describeEvents, replayAll } from '../replay-all';
import { optional, provider, required, time } from '../values';

export const webhooksGaps = defineCommand({
  name: 'webhooks gaps',
  summary: 'Lists the events that the provider has and the ledger lacks, or has as failed',
  effect: 'reads',
  changes: 'nothing.',
  json: 'the report on events of `lambdas/replay/contract.ts`, without `next`',
  finding: 'there is a gap',
  arguments: {},
  options: {
    provider: optional(provider, 'Provider of the events. Default: stripe'),
    from: required(time(), 'Start of the range, by when the provider made the events; 30 days ago at most'),
    to: optional(time(), 'End of the range. Default: now'),
  },
  examples: [
    { line: 'webhooks gaps --from 6h', explains: 'What was missed in the last six hours?' },
    { line: 'webhooks gaps --provider tilled --from 6h', explains: 'And of Tilled?' },
  ],
  async run(context, { provider: of, from, to }) {
    return describeEvents(await replayAll(context, { action: 'gaps', provider: of, from, to }), context);
  },
});
