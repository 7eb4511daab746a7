import { defineCommand } from '../command';
import { CommandError } from '../errors';
import { inspect } from '../inspect';
import { fields } from '../print/table';
import { moment } from '../print/units';
import { eventId, flag, required } from '../values';

export const webhooksShow = defineCommand({
  name: 'webhooks show',
  summary: 'Shows all that the ledger has of an event',
  effect: 'reads',
  changes: 'nothing.',
  json: 'the report `event` of `lambdas/inspect/contract.ts`',
  finding: 'the event failed or is not finished',
  arguments: { event: required(eventId, 'Id of the event') },
  options: { payload: flag('With what was delivered, which holds personal data') },
  examples: [{ line: 'webhooks show evt_1A2b3C', explains: 'What became of this event, and why?' }],
  async run(context, { event: id, payload }) {
    const report = await inspect(context, 'event', { id, payload });
    const { event } = report;
    if (event === null) {
      throw new CommandError('refused', `The ledger has no ${id}. If Stripe has it: ops webhooks retry ${id}`);
    }
    const at = context.now();
    const isOpen = ['received', 'processing', 'failed'].includes(event.status);
    return {
      report,
      lines: [
        ...fields(
          [
            ['event', event.id],
            ['type', event.type],
            ['object', event.objectId],
            ['customer', event.customerId],
            ['subscription', event.subscriptionId],
            ['app', event.appId],
            ['status', event.status],
            ['error', event.error],
            ['attempts', event.attempts],
            ['source', event.source],
            ['API version', event.apiVersion],
            ['mode', event.livemode ? 'live' : 'test'],
            ['happened', moment(event.occurredAt, at)],
            ['received', moment(event.receivedAt, at)],
            ['settled', moment(event.processedAt, at)],
            ...(event.dismissedBy === null
              ? []
              : [['dismissed', `by ${event.dismissedBy}: ${event.dismissalReason ?? ''}`] as const]),
          ],
          context.style,
        ),
        ...(payload ? JSON.stringify(event.payload, undefined, 2).split('\n') : []),
        ...(isOpen ? [`To apply it again: ops webhooks retry ${id}`] : []),
      ],
      exit: isOpen ? 'finding' : 'done',
    };
  },
});
