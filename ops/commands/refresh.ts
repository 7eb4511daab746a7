import { defineCommand } from '../command';
import { table } from '../print/table';
import { flag, optional, text } from '../values';

export const refresh = defineCommand({
  name: 'refresh',
  summary: 'Reads objects from Stripe again that events alone cannot bring up to date',
  details: 'The schedule does so every minute. An object that is named is read whether or not it waits.',
  effect: 'changes',
  changes: 'stores the objects as Stripe has them, and what they grant; with --dry-run, nothing.',
  json: 'the report of `lambdas/refresh/contract.ts`',
  finding: 'an object could not be read or stored, or Stripe does not have it',
  arguments: {},
  options: {
    object: optional(text('object'), 'Id of one object, such as sub_123. Default: every object whose refresh is due'),
    dryRun: flag('Report what would be stored, and store nothing'),
  },
  examples: [
    { line: 'refresh --object sub_1A2b3C', explains: 'Store a subscription as Stripe has it.' },
    { line: 'refresh --dry-run', explains: 'What waits, and what would become of it?' },
  ],
  async run({ invoke, style }, { object, dryRun }) {
    const { contract } = await import('../../lambdas/refresh/contract');
    const report = await invoke('refresh', contract, { object, dryRun });
    const { outcomes, objects, pending } = report;
    const rows = objects.map(({ id, kind, outcome, error }) => [kind, id, outcome, error ?? '']);
    return {
      report,
      lines: [
        ...(rows.length === 0 ? ['No refresh is due'] : table(['kind', 'object', 'outcome', 'error'], rows, style)),
        pending === 1 ? '1 refresh is pending' : `${pending} refreshes are pending`,
      ],
      exit: (outcomes.failed ?? 0) + (outcomes.missing ?? 0) > 0 ? 'finding' : 'done',
    };
  },
});
