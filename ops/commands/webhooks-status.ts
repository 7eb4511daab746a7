import { isLookedUp } from '../../core/contract';
import { defineCommand } from '../command';
import { CommandError } from '../errors';
import { inspect } from '../inspect';
import { fields } from '../print/table';
import { moment } from '../print/units';

export const webhooksStatus = defineCommand({
  name: 'webhooks status',
  summary: 'Counts the events that failed, wait or are parked',
  details:
    'Counts of the last hour, and the newest, are by the time at which events happened at the provider. After an outage, what the provider delivers again is older than that: `ops webhooks list --since 1h` lists what arrived.',
  effect: 'reads',
  changes: 'nothing.',
  json: '`events` and `queues` of the report `status` of `lambdas/inspect/contract.ts`, with the `problems` of both',
  finding: 'an event failed or is parked, or the ledger or the queues could not be looked up',
  arguments: {},
  options: {},
  examples: [{ line: 'webhooks status', explains: 'Do events arrive, and are they applied?' }],
  async run(context) {
    const { events, queues, problems: all } = await inspect(context, 'status', {});
    const problems = all.filter((problem) => ['ledger', 'queues'].some((subject) => !isLookedUp([problem], subject)));
    if (events === null && queues === null) throw new CommandError('failed', problems.join('; '));
    const found = problems.length + (events?.failed ?? 0) + (queues?.parked ?? 0);
    return {
      report: { events, queues, problems },
      lines: [
        ...fields(
          [
            ['last hour', events?.lastHour],
            ['newest', events?.newestAt && `happened ${moment(events.newestAt, context.now())}`],
            ['failed', events?.failed],
            ['unfinished', events?.unfinished],
            ['in the queue', queues?.waiting],
            ['parked', queues?.parked],
          ],
          context.style,
        ),
        ...problems.map((problem) => context.style.red(problem)),
      ],
      exit: found > 0 ? 'finding' : 'done',
    };
  },
});
