import type { PlanReport } from '../../lambdas/move/contract';
import { defineCommand } from '../command';
import type { Context } from '../context';
import { fields } from '../print/table';
import { bytes, moment } from '../print/units';

export const movePlan = defineCommand({
  name: 'move plan',
  summary: 'Checks the old and the new server of billing, and says how far its move is',
  effect: 'reads',
  changes: 'nothing.',
  json: 'the report `plan` of `lambdas/move/contract.ts`',
  finding: 'a check failed',
  arguments: {},
  options: {},
  examples: [{ line: 'move plan', explains: 'Can billing be moved, or how far is its move?' }],
  async run(context) {
    const { MOVES } = await import('../../lambdas/move/contract');
    const report = await context.invoke('move', MOVES.plan, { action: 'plan' });
    const failed = report.checks.some(({ ok }) => !ok);
    return { report, lines: describe(report, context), exit: failed ? 'finding' : 'done' };
  },
});

/** What comes after each stage. */
const NEXT: Readonly<Record<PlanReport['stage'], string>> = {
  none: 'ops move copy',
  copying: 'ops move catch-up, ops move verify, ops move cut-over. To give up: ops move roll-back',
  'cutting-over': 'the cut-over was interrupted: ops move cut-over, or ops move roll-back',
  switching: 'the cut-over was interrupted: ops move cut-over, or ops move roll-back',
  'cut-over': 'ops move verify at any time; after 7 days ops move finish. To go back: ops move roll-back',
  'rolling-back': 'the roll-back was interrupted: ops move roll-back, or ops move cut-over to stay on the new server',
  'switching-back': 'the roll-back was interrupted: ops move roll-back',
  'rolled-back': 'drop the new database, and begin again: ops move copy',
  finished: 'delete the old server',
};

function describe(report: PlanReport, { style, now }: Context): string[] {
  const at = now();
  const { stage, source, target, tables, rows, sequences, identities, retainedBytes } = report;
  const when = (iso: string | null) => iso && moment(iso, at);
  return [
    ...fields(
      [
        ['stage', stage === 'none' ? 'no move' : stage],
        ['old server', source],
        ['new server', target],
        [
          'size',
          `${tables} tables, about ${rows.toLocaleString('en')} rows, ${sequences} sequences, ${bytes(report.bytes)}`,
        ],
        ['without a key', identities.length === 0 ? 'no table' : identities.join(', ')],
        ['begun', when(report.startedAt)],
        ['compared', when(report.verifiedAt)],
        ['cut over', when(report.cutOverAt)],
        ['log kept for it', retainedBytes === null ? null : bytes(retainedBytes)],
      ],
      style,
    ),
    '',
    ...report.checks.map(({ check, ok, detail }) => {
      const line = `${ok ? 'ok  ' : 'FAIL'} ${check}: ${detail}`;
      return ok ? line : style.yellow(line);
    }),
    `Next: ${report.checks.some(({ ok }) => !ok) ? 'put right what failed, and ask again: ops move plan' : NEXT[stage]}`,
  ];
}
