import { callerName } from '../audit';
import { assertExactlyOne } from '../choices';
import { defineCommand } from '../command';
import { discardMessages } from '../discard-messages';
import { describeEvents, replayAll } from '../replay-all';
import { anyNumber, eventId, flag, messageId, optional, provider, required, text } from '../values';

export const webhooksDismiss = defineCommand({
  name: 'webhooks dismiss',
  summary:
    'Closes failed events, or deletes parked messages that are no event, which cannot be applied and need not be',
  details:
    'Events no longer count as failed. The ledger keeps who decided it, when and why. Messages that are parked for them leave the queue when they are moved back once more, by "ops webhooks redrive". A message that holds no event of a known provider is named by its id with --message, and deleted for good; one that holds an event stays parked. Who, when and why are in the audit log.',
  effect: 'changes',
  changes: 'the status of the events, to dismissed, or deletes the messages; with --dry-run, nothing.',
  json: 'the report on events of `lambdas/replay/contract.ts`, without `next`; with --message, that on a discard',
  finding: 'an event is not in the ledger, a message is not parked, or it holds an event',
  arguments: { events: anyNumber(eventId, 'Ids of events; up to 100') },
  options: {
    provider: optional(provider, 'Provider of the events. Default: stripe'),
    message: anyNumber(messageId, 'Instead: the id of a parked message that is no event; may be repeated'),
    reason: required(text('reason'), 'Why they need not be applied, for the record'),
    dryRun: flag('Report what would be dismissed or deleted, and change nothing'),
    confirm: optional(text('environment'), 'With --message: the name of the environment, typed again'),
  },
  examples: [
    {
      line: 'webhooks dismiss evt_1A2b3C --reason "made by a test of the endpoint"',
      explains: 'Close an event that a tester made up.',
    },
    {
      line: 'webhooks dismiss --message 1f0c9a3e-2b4d-4c6e-8f01-23456789abcd --reason "sent by hand" --dry-run',
      explains: 'See whether a parked message may be deleted.',
    },
  ],
  async run(context, { events, message: messages, provider: of, reason, dryRun, confirm: confirmed }) {
    assertExactlyOne({ 'ids of events': events.length > 0, '--message for a parked message': messages.length > 0 });
    if (messages.length > 0) return discardMessages(context, { messages, dryRun, confirmed });
    const by = await callerName(context.clients, context.target);
    const report = await replayAll(context, { action: 'dismiss', provider: of, events, reason, by, dryRun });
    return describeEvents(report, context);
  },
});
