import { defineCommand } from '../command';
import { describeEvents, replayAll } from '../replay-all';
import { flag, optional, provider, required, time } from '../values';

export const webhooksReplay = defineCommand({
  name: 'webhooks replay',
  summary: 'Applies the events of a range that the ledger lacks, or has as failed',
  effect: 'changes',
  changes: 'applies the events to the billing database, each once; with --dry-run, nothing.',
  json: 'the report on events of `lambdas/replay/contract.ts`, without `next`',
  finding: 'an event could not be applied',
  arguments: {},
  options: {
    provider: optional(provider, 'Provider of the events. Default: stripe'),
    from: required(time(), 'Start of the range, by when the provider made the events; 30 days ago at most'),
    to: optional(time(), 'End of the range. Default: now'),
    dryRun: flag('Report what would be applied, and apply nothing'),
  },
  examples: [
    { line: 'webhooks replay --from 2026-11-21T06:00:00Z --dry-run', explains: 'See what a replay would apply.' },
    { line: 'webhooks replay --from 6h', explains: 'Apply what was missed in the last six hours.' },
  ],
  async run(context, { provider: of, from, to, dryRun }) {
    return describeEvents(await replayAll(context, { action: 'replay', provider: of, from, to, dryRun }), context);
  },
});
