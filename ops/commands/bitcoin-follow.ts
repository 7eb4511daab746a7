import { defineCommand } from '../command';
import { fields } from '../print/table';
import { counted, duration, moment } from '../print/units';
import { flag } from '../values';

export const bitcoinFollow = defineCommand({
  name: 'bitcoin follow',
  summary: 'Brings payments in bitcoin up to date with the node',
  details: 'The schedule does so every two minutes. It answers why the node cannot be reached.',
  effect: 'changes',
  changes:
    'stores what the chain and the mempool say of expected payments, and what they grant; with --dry-run, nothing.',
  json: 'the report of `lambdas/confirmations/contract.ts`',
  finding: 'the node cannot be reached, is behind, or was reorganised',
  arguments: {},
  options: { dryRun: flag('Compare the last block with the chain of the node, and store nothing') },
  examples: [{ line: 'bitcoin follow --dry-run', explains: 'Is the node there, and are we where it is?' }],
  async run({ invoke, style, now }, { dryRun }) {
    const { contract } = await import('../../lambdas/confirmations/contract');
    const report = await invoke('confirmations', contract, { dryRun });
    const { outcome, problem, height, nodeHeight, blockAt, blocks, reorganisations, mempool, changes } = report;
    const changed = Object.entries(changes).map(([status, payments]) => `${payments} ${status}`);
    return {
      report,
      lines: [
        ...fields(
          [
            ['outcome', problem === null ? outcome : `${outcome}: ${problem}`],
            ['last block', height === null ? null : `${height}, ${moment(blockAt, now())}`],
            ['node', nodeHeight],
            ['looked at', `${counted(blocks, 'block')} in ${duration(report.durationMs)}`],
            ['mempool', mempool && `${mempool.examined} of ${mempool.size} transactions were new`],
            ['changed', changed.join(', ') || 'no payment'],
          ],
          style,
        ),
        ...reorganisations.map(({ depth, forkHeight, transactions }) =>
          style.yellow(
            `The chain was reorganised: ${counted(depth, 'block')} behind ${forkHeight}, with ${counted(transactions, 'transaction')} of payments`,
          ),
        ),
      ],
      exit:
        outcome === 'node_unreachable' || outcome === 'node_behind' || reorganisations.length > 0 ? 'finding' : 'done',
    };
  },
});
