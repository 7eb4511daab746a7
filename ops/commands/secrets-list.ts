import { ROTATION_GRACE_DAYS, SECRET_ROTATION_DAYS } from '../../lambdas/inspect/contract';
import { defineCommand } from '../command';
import { inspect } from '../inspect';
import { table } from '../print/table';
import { moment } from '../print/units';
import { daysSince } from '../limits';

export const secretsList = defineCommand({
  name: 'secrets list',
  summary: 'Lists the secrets with the age of their current values, never the values',
  effect: 'reads',
  changes: 'nothing.',
  json: '`secrets` of the report `status` of `lambdas/inspect/contract.ts`',
  finding: `a secret is older than ${SECRET_ROTATION_DAYS} days`,
  arguments: {},
  options: {},
  examples: [{ line: 'secrets list', explains: 'Which secret is due for a change?' }],
  async run(context) {
    const { secrets, problems } = await inspect(context, 'status', {});
    const { style } = context;
    const isOld = ({ changedAt }: (typeof secrets)[number]): boolean =>
      changedAt === null || daysSince(changedAt, context.now()) > SECRET_ROTATION_DAYS + ROTATION_GRACE_DAYS;
    const rows = secrets.map((each) => [
      each.secret,
      moment(each.changedAt, context.now()),
      isOld(each) ? style.red('due') : 'good',
    ]);
    return {
      report: secrets,
      lines: [
        ...table(['secret', 'changed', ''], rows, style),
        ...problems.filter((each) => each.startsWith('secret ')),
      ],
      exit: secrets.some(isOld) ? 'finding' : 'done',
    };
  },
});
