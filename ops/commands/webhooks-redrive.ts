import { defineCommand } from '../command';
import { fields } from '../print/table';
import { flag, optional, wholeNumber } from '../values';

export const webhooksRedrive = defineCommand({
  name: 'webhooks redrive',
  summary: 'Moves parked messages back to the queue, to be processed again',
  effect: 'changes',
  changes: 'moves messages from the dead-letter queue to the queue; with --dry-run, nothing.',
  json: 'the report on a redrive of `lambdas/replay/contract.ts`',
  arguments: {},
  options: {
    limit: optional(wholeNumber('messages', 1, 100_000), 'Messages to move at most. Default: all that are parked'),
    dryRun: flag('Count what is parked, and move nothing'),
  },
  examples: [
    { line: 'webhooks redrive --dry-run', explains: 'Count what is parked.' },
    { line: 'webhooks redrive --limit 1', explains: 'Try with one message first.' },
  ],
  async run({ invoke, style, note, signal }, { limit, dryRun }) {
    const { contract } = await import('../../lambdas/replay/contract');
    let report = await invoke('replay', contract, { action: 'redrive', limit, dryRun });
    if (report.action !== 'redrive') throw new Error('The replay function answered with a report on events');
    const { parked } = report;
    let { moved } = report;
    while (report.next !== undefined) {
      signal.throwIfAborted();
      note(`${moved} of ${parked} moved; the time was up, continuing`);
      report = await invoke('replay', contract, report.next);
      if (report.action !== 'redrive') throw new Error('The replay function answered with a report on events');
      moved += report.moved;
    }
    return {
      report: { action: 'redrive', dryRun, parked, moved },
      lines: fields(
        [
          ['parked', `${parked} when it began`],
          ['moved back', dryRun ? 'nothing: dry run' : moved],
        ],
        style,
      ),
    };
  },
});
