import { assertExactlyOne } from '../choices';
import { defineCommand } from '../command';
import { describeEvents, replayAll } from '../replay-all';
import { anyNumber, eventId, flag, optional, provider } from '../values';

export const webhooksRetry = defineCommand({
  name: 'webhooks retry',
  summary: 'Applies single events again, or all that failed',
  details: 'From the ledger; what it does not have, from the provider, which lists events for 30 days.',
  effect: 'changes',
  changes: 'applies the events to the billing database, each once; with --dry-run, nothing.',
  json: 'the report on events of `lambdas/replay/contract.ts`, without `next`',
  finding: 'an event failed again, or was found neither here nor at the provider',
  arguments: { events: anyNumber(eventId, 'Ids of events; up to 100') },
  options: {
    provider: optional(provider, 'Provider of the events. Default: stripe'),
    failed: flag('Every event that the ledger has as not processed'),
    dryRun: flag('Report what would be applied, and apply nothing'),
  },
  examples: [
    { line: 'webhooks retry evt_1A2b3C', explains: 'Apply one event again.' },
    { line: 'webhooks retry --failed --dry-run', explains: 'See what a retry of all failed events would do.' },
    { line: 'webhooks retry --provider tilled --failed', explains: 'Apply every event of Tilled that failed.' },
  ],
  async run(context, { events, provider: of, failed, dryRun }) {
    assertExactlyOne({ 'ids of events': events.length > 0, '--failed for every event that failed': failed });
    const chosen = failed ? 'failed' : events;
    const report = await replayAll(context, { action: 'retry', provider: of, events: chosen, dryRun });
    return describeEvents(report, context);
  },
});
