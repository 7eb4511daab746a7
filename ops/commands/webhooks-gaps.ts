import { defineCommand } from '../command';
import { describeEvents, replayAll } from '../replay-all';
import { optional, required, time } from '../values';

export const webhooksGaps = defineCommand({
  name: 'webhooks gaps',
  summary: 'Lists the events that Stripe has and the ledger lacks, or has as failed',
  effect: 'reads',
  changes: 'nothing.',
  json: 'the report on events of `lambdas/replay/contract.ts`, without `next`',
  finding: 'there is a gap',
  arguments: {},
  options: {
    from: required(time(), 'Start of the range, by when Stripe made the events; 30 days ago at most'),
    to: optional(time(), 'End of the range. Default: now'),
  },
  examples: [{ line: 'webhooks gaps --from 6h', explains: 'What was missed in the last six hours?' }],
  async run(context, { from, to }) {
    return describeEvents(await replayAll(context, { action: 'gaps', from, to }), context);
  },
});
