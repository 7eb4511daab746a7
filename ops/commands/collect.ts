import { defineCommand } from '../command';
import { counted } from '../print/units';

export const collect = defineCommand({
  name: 'collect',
  summary: 'Measures and publishes the gauges that alarms look at, now',
  details: 'The schedule does so every five minutes.',
  effect: 'reads',
  changes: 'nothing; it publishes metrics.',
  json: 'the report of `lambdas/collector/contract.ts`',
  arguments: {},
  options: {},
  examples: [{ line: 'collect', explains: 'Which gauge cannot be measured, and why?' }],
  async run({ invoke }) {
    const { contract } = await import('../../lambdas/collector/contract');
    const report = await invoke('collector', contract, {});
    return { report, lines: [`${counted(report.gauges, 'gauge')} measured and published`] };
  },
});
