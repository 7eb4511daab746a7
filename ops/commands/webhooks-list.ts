import { defineCommand } from '../command';
import { inspect } from '../inspect';
import { table } from '../print/table';
import { moment, span } from '../print/units';
import { oneOf, optional, text, time, wholeNumber } from '../values';

export const webhooksList = defineCommand({
  name: 'webhooks list',
  summary: 'Lists events of the ledger, the newest first',
  details:
    'The newest are those that happened last at the provider: `received` says how much later each arrived, and `--since` chooses by that. Object, customer, subscription and app of each are in `--json` and in `ops webhooks show`: the lines are as wide as a terminal without them.',
  effect: 'reads',
  changes: 'nothing.',
  json: 'the report `events` of `lambdas/inspect/contract.ts`',
  arguments: {},
  options: {
    status: optional(
      oneOf('status', ['received', 'processing', 'processed', 'ignored', 'failed', 'dismissed']),
      'Only events of this status',
    ),
    type: optional(text('type'), 'Only events of this type, such as invoice.paid'),
    since: optional(time(), 'Only events that were received from this moment on'),
    about: optional(text('id'), 'Only events of this id, or about this object, customer or subscription'),
    before: optional(text('cursor'), 'Continues where an earlier list ended, which names it'),
    limit: optional(wholeNumber('count', 1, 500), 'Events to list at most. Default: 20'),
  },
  examples: [
    { line: 'webhooks list --status failed', explains: 'Which events could not be applied, and why?' },
    { line: 'webhooks list --type invoice.paid --since 1h', explains: 'Which payments arrived in the last hour?' },
    { line: 'webhooks list --about cus_4fGh1kL0pQr2', explains: 'What happened to this customer?' },
  ],
  async run(context, options) {
    const report = await inspect(context, 'events', options);
    const rows = report.events.map(({ id, type, status, attempts, source, occurredAt, receivedAt, error }) => [
      id,
      type,
      status,
      attempts,
      source,
      moment(occurredAt, context.now()),
      // The provider's clock may be ahead.
      `${span(Math.max(0, Date.parse(receivedAt) - Date.parse(occurredAt)) / 1000)} later`,
      error ?? '',
    ]);
    const headings = ['event', 'type', 'status', 'attempts', 'source', 'happened', 'received', 'error'];
    const found = rows.length === 0 ? ['No event matches'] : table(headings, rows, context.style);
    const more = report.next === null ? [] : [`Older ones: the same command with --before ${report.next}`];
    return { report, lines: [...found, ...more] };
  },
});
