import { defineCommand } from '../command';
import { table } from '../print/table';

export const rulesGet = defineCommand({
  name: 'entitlements rules get',
  summary: 'Prints the rules of who may use what; with --json, as a file for "rules put"',
  effect: 'reads',
  changes: 'nothing.',
  json: 'the list of rules, as `core/entitlements/contract.ts` describes them',
  arguments: {},
  options: {},
  examples: [
    { line: 'entitlements rules get --json > rules.json', explains: 'Save the rules in force, to edit them.' },
  ],
  async run({ invoke, style }) {
    const { contract, getRulesReport } = await import('../../lambdas/entitlements/contract');
    const { rules } = await invoke('entitlements', { ...contract, report: getRulesReport }, { action: 'get-rules' });
    const rows = rules.map(({ id, appId, projectId, grants, features }) => [
      id,
      [appId ?? 'any app', projectId ?? 'any project'].join(', '),
      grants.source === 'purchase'
        ? `${grants.kind} ${grants.itemId ?? '(any)'}`
        : `plan ${grants.priceId ?? grants.productId}`,
      features.join(', '),
    ]);
    return {
      report: rules,
      lines:
        rows.length === 0
          ? ['There are no rules: no user may use anything']
          : table(['rule', 'where', 'grants for', 'features'], rows, style),
    };
  },
});
