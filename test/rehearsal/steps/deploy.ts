import { table } from '../../../local/runtime/console';
import { check } from '../../../local/pass/check';
import { STACKS } from '../not-rehearsed';
import type { RehearsalStep } from '../rehearsal';

/** Deploys every stack of the environment, unprocessed, as `cdk deploy --all` does anywhere. */
export const deploy: RehearsalStep = {
  title: 'cdk deploy: all stacks',
  essential: true,
  async run(rehearsal, tell) {
    const { cdk } = rehearsal.options;
    await cdk('deploy', '--all', '--app', rehearsal.folder('assembly-1'), '--require-approval', 'never');
    const rows: string[][] = [];
    for (const part of STACKS) {
      const status = (await rehearsal.deployment.stack(part))?.StackStatus ?? 'missing';
      const resources = await rehearsal.deployment.resources(part);
      rows.push([part, status, String(resources.length), String(new Set(resources.map(({ type }) => type)).size)]);
    }
    for (const line of table(['stack', 'status', 'resources', 'types'], rows)) tell(line);
    check(
      rows.every(([, status]) => status === 'CREATE_COMPLETE'),
      'a stack is not complete',
    );
    await rehearsal.deployment.refresh();
  },
};
