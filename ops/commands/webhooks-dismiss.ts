import { callerName } from '../audit';
import { defineCommand } from '../command';
import { describeEvents, replayAll } from '../replay-all';
import { eventId, flag, optional, provider, required, several, text } from '../values';

export const webhooksDismiss = defineCommand({
  name: 'webhooks dismiss',
  summary: 'Closes failed events that cannot be applied and need not be',
  details:
    'They no longer count as failed. The ledger keeps who decided it, when and why. Messages that are parked for them leave the queue when they are moved back once more, by "ops webhooks redrive".',
  effect: 'changes',
  changes: 'the status of the events, to dismissed; with --dry-run, nothing.',
  json: 'the report on events of `lambdas/replay/contract.ts`, without `next`',
  finding: 'an event is not in the ledger',
  arguments: { events: several(eventId, 'Ids of events; up to 100') },
  options: {
    provider: optional(provider, 'Provider of the events. Default: stripe'),
    reason: required(text('reason'), 'Why they need not be applied, for the record'),
    dryRun: flag('Report what would be dismissed, and change nothing'),
  },
  examples: [
    {
      line: 'webhooks dismiss evt_1A2b3C --reason "made by a test of the endpoint"',
      explains: 'Close an event that a tester made up.',
    },
  ],
  async run(context, { events, provider: of, reason, dryRun }) {
    const by = await callerName(context.clients, context.target);
    const report = await replayAll(context, { action: 'dismiss', provider: of, events, reason, by, dryRun });
    return describeEvents(report, context);
  },
});
