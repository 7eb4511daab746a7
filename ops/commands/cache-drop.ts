import { assertExactlyOne } from '../choices';
import { defineCommand } from '../command';
import { flag, optional, text } from '../values';

export const cacheDrop = defineCommand({
  name: 'cache drop',
  summary: 'Drops entries of the cache of entitlements; the next answers come from the database',
  details: 'No answer becomes wrong by it. Dropping all costs the database one query for each user who asks.',
  effect: 'changes',
  changes: 'the cache, never the database.',
  json: 'the report `drop-cached` of `lambdas/entitlements/contract.ts`',
  finding: 'the cache did not answer',
  arguments: {},
  options: {
    all: flag('Of every user'),
    user: optional(text('user'), 'Of one user'),
    project: optional(text('project'), 'Of one project; with --user, of the user in it'),
  },
  examples: [
    { line: 'cache drop --user user_1', explains: 'Ask the database again for one user.' },
    { line: 'cache drop --all', explains: 'After a restore of the database.' },
  ],
  async run({ invoke }, { all, user, project }) {
    assertExactlyOne({ '--all': all, '--user and/or --project': user !== undefined || project !== undefined });
    const { contract, dropCachedReport } = await import('../../lambdas/entitlements/contract');
    const form = { ...contract, report: dropCachedReport };
    const scope = all ? 'all' : { userId: user, projectId: project };
    const report = await invoke('entitlements', form, { action: 'drop-cached', scope });
    const line = {
      none: 'This environment has no cache: there is nothing to drop',
      unavailable: 'The cache does not answer: nothing was dropped, and entries expire within a minute',
      dropped: `${report.dropped.toLocaleString('en')} entries are dropped`,
    }[report.state];
    return { report, lines: [line], exit: report.state === 'unavailable' ? 'finding' : 'done' };
  },
});
