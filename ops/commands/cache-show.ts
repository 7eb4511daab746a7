import { defineCommand } from '../command';
import { fields } from '../print/table';
import { optional, required, text } from '../values';

const MEANING = {
  none: 'this environment has no cache: the database answers',
  unavailable: 'the cache does not answer: the database does',
  missing: 'no entry: the next answer comes from the database',
  dropped: 'dropped: the next answer comes from the database',
  stored: 'stored: answers come from the cache, for a minute at most',
  unreadable: 'of another release, and not used',
} as const;

export const cacheShow = defineCommand({
  name: 'cache show',
  summary: 'Shows what the cache has of a user’s entitlements, beside what the database has',
  effect: 'reads',
  changes: 'nothing.',
  json: 'the report `cached` of `lambdas/entitlements/contract.ts`',
  finding: 'the cache answers with an older version, or does not answer',
  arguments: { user: required(text('user'), 'Id of the user') },
  options: { project: optional(text('project'), 'Id of the project. Default: entitlements that belong to none') },
  examples: [{ line: 'cache show user_1 --project project-1', explains: 'Is an old answer cached?' }],
  async run({ invoke, style }, { user, project = '' }) {
    const { contract, cachedReport } = await import('../../lambdas/entitlements/contract');
    const form = { ...contract, report: cachedReport };
    const report = await invoke('entitlements', form, { action: 'cached', userId: user, projectId: project });
    const { state, cachedVersion, databaseVersion, outdated, features } = report;
    return {
      report,
      lines: [
        ...fields(
          [
            ['cache', MEANING[state]],
            ['version in the cache', cachedVersion],
            ['version in the database', databaseVersion],
            ['features', features.join(', ') || 'none'],
          ],
          style,
        ),
        ...(outdated ? [style.red(`Outdated: ops cache drop --user ${user}`)] : []),
      ],
      exit: outdated || state === 'unavailable' ? 'finding' : 'done',
    };
  },
});
