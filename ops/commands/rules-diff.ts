import { defineCommand } from '../command';
import { describePlan, planRules, readRules } from '../rules';
import { required, text } from '../values';

export const rulesDiff = defineCommand({
  name: 'entitlements rules diff',
  summary: 'Shows who would gain and who would lose what by the rules of a file',
  effect: 'reads',
  changes: 'nothing.',
  json: 'the plan of `put-rules` of `lambdas/entitlements/contract.ts`',
  finding: 'a user would gain or lose a feature',
  arguments: { file: required(text('file'), 'JSON file with the whole list of rules') },
  options: {},
  examples: [{ line: 'entitlements rules diff rules.json', explains: 'What would these rules change?' }],
  async run(context, { file }) {
    const report = await planRules(context, readRules(file));
    return {
      report,
      lines: describePlan(report, context),
      exit: report.usersGaining + report.usersLosing > 0 ? 'finding' : 'done',
    };
  },
});
