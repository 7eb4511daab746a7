import { defineCommand } from '../command';
import { CommandError } from '../errors';
import { inspect } from '../inspect';
import { fields } from '../print/table';
import { moment } from '../print/units';

export const webhooksStatus = defineCommand({
  name: 'webhooks status',
  summary: 'Counts the events that failed, wait or are parked',
  effect: 'reads',
  changes: 'nothing.',
  json: '`events` and `queues` of the report `status` of `lambdas/inspect/contract.ts`',
  finding: 'an event failed or is parked',
  arguments: {},
  options: {},
  examples: [{ line: 'webhooks status', explains: 'Do events arrive, and are they applied?' }],
  async run(context) {
    const { events, queues, problems } = await inspect(context, 'status', {});
    if (events === null || queues === null) throw new CommandError('failed', problems.join('; '));
    return {
      report: { events, queues },
      lines: fields(
        [
          ['last hour', events.lastHour],
          ['newest', moment(events.newestAt, context.now())],
          ['failed', events.failed],
          ['unfinished', events.unfinished],
          ['in the queue', queues.waiting],
          ['parked', queues.parked],
        ],
        context.style,
      ),
      exit: events.failed > 0 || queues.parked > 0 ? 'finding' : 'done',
    };
  },
});
