import { defineCommand } from '../command';
import { table } from '../print/table';
import { moment } from '../print/units';
import { optional, required, text } from '../values';

export const entitlementsShow = defineCommand({
  name: 'entitlements show',
  summary: 'Shows what a user may use now, and why',
  effect: 'reads',
  changes: 'nothing.',
  json: 'the report `read` of `lambdas/entitlements/contract.ts`',
  arguments: { user: required(text('user'), 'Id of the user') },
  options: { project: optional(text('project'), 'Id of the project. Default: entitlements that belong to none') },
  examples: [
    { line: 'entitlements show user_1 --project project-1', explains: 'Why can this user not open the course?' },
  ],
  async run({ invoke, style, now }, { user, project }) {
    const { contract, readReport } = await import('../../lambdas/entitlements/contract');
    const request = { action: 'read', userId: user, projectId: project ?? '' } as const;
    const report = await invoke('entitlements', { ...contract, report: readReport }, request);
    const rows = report.entitlements.map(({ feature, source, sourceId, validFrom, validUntil }) => [
      feature,
      `${source} ${sourceId}`,
      moment(validFrom, now()),
      validUntil === null ? 'for good' : moment(validUntil, now()),
    ]);
    return {
      report,
      lines:
        rows.length === 0
          ? [
              `${user} may use nothing${project === undefined ? ' outside of projects; see --project' : ` in ${project}`}`,
            ]
          : table(['feature', 'because of', 'from', 'until'], rows, style),
    };
  },
});
