import { defineCommand } from '../command';
import { counted, moment } from '../print/units';
import { flag } from '../values';

export const cleanup = defineCommand({
  name: 'cleanup',
  summary: 'Deletes processed events that are past their retention',
  details: 'The schedule does so every night.',
  effect: 'changes',
  changes: 'deletes processed events of the ledger past their retention, never failed ones; with --dry-run, nothing.',
  json: 'the report of `lambdas/cleanup/contract.ts`',
  finding: 'time ran out before all were deleted',
  arguments: {},
  options: { dryRun: flag('Count what would be deleted, and delete nothing') },
  examples: [{ line: 'cleanup --dry-run', explains: 'How many events are past their retention?' }],
  async run({ invoke, now }, { dryRun }) {
    const { contract } = await import('../../lambdas/cleanup/contract');
    const report = await invoke('cleanup', contract, { dryRun });
    const outcome = dryRun ? 'would be deleted' : 'deleted';
    const rest = report.complete ? '' : '; time ran out, repeat the command';
    return {
      report,
      lines: [`${counted(report.deleted, 'event')} from before ${moment(report.before, now())} ${outcome}${rest}`],
      exit: report.complete ? 'done' : 'finding',
    };
  },
});
