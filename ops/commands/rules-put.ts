import { defineCommand } from '../command';
import { describePlan, planRules, readRules } from '../rules';
import { optional, required, text } from '../values';

export const rulesPut = defineCommand({
  name: 'entitlements rules put',
  summary: 'Replaces all rules by those of a file, after showing who gains and who loses what',
  effect: 'changes',
  changes: 'the rules, and with them the entitlements of every user.',
  json: 'the report `put-rules` of `lambdas/entitlements/contract.ts`',
  arguments: { file: required(text('file'), 'JSON file with the whole list of rules') },
  options: { confirm: optional(text('environment'), 'The name of the environment, typed again') },
  examples: [
    { line: 'entitlements rules put rules.json --confirm staging', explains: 'Put the rules of a file in force.' },
  ],
  async run(context, { file, confirm }) {
    const rules = readRules(file);
    const plan = await planRules(context, rules);
    for (const line of describePlan(plan, context)) context.note(line);
    const { environment } = context.target;
    await context.confirm(environment, confirm, `${plan.rules} rules would replace those of ${environment}.`);
    const { contract, putRulesReport, recomputeReport } = await import('../../lambdas/entitlements/contract');
    const put = { ...contract, report: putRulesReport };
    const request = { action: 'put-rules', rules, dryRun: false } as const;
    let report: { readonly changed: number; readonly cursor?: string } = await context.invoke(
      'entitlements',
      put,
      request,
    );
    let { changed } = report;
    while (report.cursor !== undefined) {
      context.signal.throwIfAborted();
      report = await context.invoke(
        'entitlements',
        { ...contract, report: recomputeReport },
        {
          action: 'recompute',
          scope: 'all',
          cursor: report.cursor,
          dryRun: false,
        },
      );
      changed += report.changed;
    }
    return {
      report: { dryRun: false, rules: plan.rules, changed },
      lines: [`${plan.rules} rules are in force; the entitlements of ${changed} users changed`],
    };
  },
});
