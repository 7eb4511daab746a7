import { defineCommand } from '../command';
import { describeKeys } from '../keys';

export const keysList = defineCommand({
  name: 'keys list',
  summary: 'Lists the keys of the HTTP API, without their secrets',
  effect: 'reads',
  changes: 'nothing.',
  json: 'the report `list` of `lambdas/keys/contract.ts`',
  arguments: {},
  options: {},
  examples: [{ line: 'keys list', explains: 'Which keys are valid, and when were they last used?' }],
  async run({ invoke, now, style }) {
    const { contract, listKeysReport } = await import('../../lambdas/keys/contract');
    const report = await invoke('keys', { ...contract, report: listKeysReport }, { action: 'list' });
    return {
      report,
      lines: report.keys.length === 0 ? ['There are no keys'] : describeKeys(report.keys, now(), style),
    };
  },
});
