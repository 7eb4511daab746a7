import { defineCommand } from '../command';
import { runChecks } from '../doctor/run-checks';
import { flag } from '../values';

export const doctor = defineCommand({
  name: 'doctor',
  summary: 'Checks everything that can be asked, a line each, with the fix of what is wrong',
  details:
    'It can gate a deployment: run it before and after. After a first deployment it says which step of docs/deploy.md is left.',
  effect: 'reads',
  changes: 'nothing.',
  json: 'a list of `{check, state, detail, fix}`; `state` is `good`, `wrong` or `skipped`',
  finding: 'a check found something wrong',
  arguments: {},
  options: { quick: flag('Leave out the verification of both databases, which reads every table') },
  examples: [
    { line: 'doctor', explains: 'Is everything as it should be?' },
    { line: 'doctor --quick && npx cdk deploy', explains: 'Deploy only what is healthy.' },
  ],
  async run(context, { quick }) {
    const { style } = context;
    const report = await runChecks(context, quick);
    const marks = { good: style.green('good   '), wrong: style.red('WRONG  '), skipped: style.dim('skipped') };
    const width = Math.max(...report.map(({ check }) => check.length));
    const wrong = report.filter(({ state }) => state === 'wrong');
    return {
      report,
      lines: [
        ...report.flatMap(({ check, state, detail, fix }) => [
          `${marks[state]} ${check.padEnd(width)}  ${detail}`,
          ...(fix === null ? [] : [`${' '.repeat(width + 10)}${style.bold(fix)}`]),
        ]),
        '',
        wrong.length === 0
          ? style.green('Everything is as it should be')
          : style.red(`${wrong.length} of ${report.length} checks found something wrong`),
      ],
      exit: wrong.length === 0 ? 'done' : 'finding',
    };
  },
});
