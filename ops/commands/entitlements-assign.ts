import { callerName } from '../audit';
import { defineCommand } from '../command';
import { CommandError } from '../errors';
import { counted } from '../print/units';
import { flag, optional, required, text } from '../values';

export const entitlementsAssign = defineCommand({
  name: 'entitlements assign',
  summary: 'Says whose a subscription or a purchase is, before everything that metadata say, and for good',
  details: 'Who assigned it, when and why stays on record in billing.owner_assignment_log.',
  effect: 'changes',
  changes: 'the owner of the object, and what it grants; with --dry-run, nothing.',
  json: 'the report `assign` of `lambdas/entitlements/contract.ts`',
  arguments: { object: required(text('object'), 'Id of a subscription or a checkout session') },
  options: {
    user: optional(text('user'), 'Its user. Default: as metadata say'),
    project: optional(text('project'), 'Its project. Default: as metadata say'),
    app: optional(text('app'), 'Its app. Default: as metadata say'),
    reason: required(text('reason'), 'Why it is theirs, for the record'),
    dryRun: flag('Report whose entitlements would change, and change nothing'),
  },
  examples: [
    {
      line: 'entitlements assign sub_1A2b3C --user user_1 --reason "wrote from the customer’s address"',
      explains: 'Give a user what was paid for without naming them.',
    },
  ],
  async run({ invoke, clients, target }, { object, user, project, app, reason, dryRun }) {
    if (user === undefined && project === undefined && app === undefined) {
      throw new CommandError('usage', 'Give at least one of --user, --project and --app');
    }
    const { contract, assignReport } = await import('../../lambdas/entitlements/contract');
    const by = await callerName(clients, target);
    const report = await invoke(
      'entitlements',
      { ...contract, report: assignReport },
      { action: 'assign', objectId: object, userId: user, projectId: project, appId: app, reason, by, dryRun },
    );
    const { owner, previous, changed } = report;
    const named = ({ userId, projectId, appId }: typeof owner) =>
      [`user ${userId ?? 'none'}`, `project ${projectId ?? 'none'}`, `app ${appId ?? 'none'}`].join(', ');
    return {
      report,
      lines: [
        `${report.source} ${object} ${dryRun ? 'would belong' : 'belongs'} to ${named(owner)}; before: ${named(previous)}`,
        `The entitlements of ${counted(changed, 'user')} ${dryRun ? 'would change' : 'changed'}`,
      ],
    };
  },
});
