import { defineCommand } from '../command';
import { describeProgress, followProgress } from '../move';

/** Less than this behind, a cut-over pauses writes for a moment only. */
const CLOSE_BYTES = 1024 * 1024;
const CLOSE_SECONDS = 2;

export const moveCatchUp = defineCommand({
  name: 'move catch-up',
  summary: 'Follows how far the copy of billing is behind, until it is close',
  details: 'After the cut-over it says how far the old server is behind the new one, for the way back.',
  effect: 'adds',
  changes: 'writes a row of its own, whose arrival it measures.',
  json: 'the report `progress` of `lambdas/move/contract.ts`',
  arguments: {},
  options: {},
  examples: [{ line: 'move catch-up', explains: 'How far is the new server behind?' }],
  async run(context) {
    const report = await followProgress(
      context,
      ({ lagBytes, lagSeconds }) =>
        lagBytes !== null && lagBytes < CLOSE_BYTES && lagSeconds !== null && lagSeconds < CLOSE_SECONDS,
    );
    const next = report.stage === 'copying' ? 'ops move verify' : 'ops move finish, or ops move roll-back';
    return { report, lines: [describeProgress(report), `Next: ${next}`] };
  },
});
