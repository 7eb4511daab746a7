import { assertExactlyOne } from '../choices';
import { defineCommand } from '../command';
import { counted } from '../print/units';
import { flag, optional, text } from '../values';

export const entitlementsRecompute = defineCommand({
  name: 'entitlements recompute',
  summary: 'Computes entitlements again from the stored subscriptions, purchases and refunds',
  effect: 'changes',
  changes: 'writes entitlements that were wrong and drops their entries of the cache; with --dry-run, nothing.',
  json: 'the report `recompute` of `lambdas/entitlements/contract.ts`',
  finding: 'an entitlement was wrong',
  arguments: {},
  options: {
    all: flag('Of every user'),
    user: optional(text('user'), 'Of one user'),
    project: optional(text('project'), 'Of every user of one project'),
    dryRun: flag('Count what is wrong, and change nothing'),
  },
  examples: [
    { line: 'entitlements recompute --user user_1', explains: 'Correct one user.' },
    { line: 'entitlements recompute --all --dry-run', explains: 'Is anything wrong?' },
  ],
  async run({ invoke, note, signal }, { all, user, project, dryRun }) {
    assertExactlyOne({ '--all': all, '--user': user !== undefined, '--project': project !== undefined });
    const { contract, recomputeReport } = await import('../../lambdas/entitlements/contract');
    const recompute = { ...contract, report: recomputeReport };
    const scope = all ? 'all' : user === undefined ? { projectId: project } : { userId: user };
    let answer = await invoke('entitlements', recompute, { action: 'recompute', scope, dryRun });
    let { sources, changed } = answer;
    while (answer.cursor !== undefined) {
      signal.throwIfAborted();
      note(`${sources} subscriptions and purchases computed; the time was up, continuing`);
      answer = await invoke('entitlements', recompute, { action: 'recompute', scope, dryRun, cursor: answer.cursor });
      sources += answer.sources;
      changed += answer.changed;
    }
    const outcome = dryRun ? 'would change' : 'changed';
    return {
      report: { dryRun, sources, changed },
      lines: [`${counted(sources, 'source')} computed; the entitlements of ${counted(changed, 'user')} ${outcome}`],
      exit: changed > 0 ? 'finding' : 'done',
    };
  },
});
