import { defineCommand } from '../command';
import { describeChange, describeProgress, followProgress } from '../move';

export const moveCopy = defineCommand({
  name: 'move copy',
  summary: 'Makes billing on the new server, and copies its rows while the old one is in use',
  details:
    'Migrations, roles and privileges are frozen from now on until the move ends. Ctrl-C stops following, not the copy; killed, the same command continues it.',
  effect: 'adds',
  changes:
    'makes roles and the database on the new server; on the old one a publication, a replication slot, and a replica identity for tables without a key.',
  json: 'the report `progress` of `lambdas/move/contract.ts`',
  arguments: {},
  options: {},
  examples: [{ line: 'move copy', explains: 'Begin, or continue, to copy billing to the new server.' }],
  async run(context) {
    const { MOVES } = await import('../../lambdas/move/contract');
    const begun = await context.invoke('move', MOVES.copy, { action: 'copy' });
    for (const step of begun.steps) context.note(`· ${step}`);
    const report = await followProgress(context, ({ tablesReady, tablesAll }) => tablesReady === tablesAll);
    return { report, lines: describeChange({ ...begun, steps: [describeProgress(report)] }) };
  },
});
