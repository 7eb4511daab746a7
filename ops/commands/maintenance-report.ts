import { defineCommand } from '../command';
import { flag } from '../values';

export const maintenanceReport = defineCommand({
  name: 'maintenance report',
  summary: 'Writes the monthly report: what to decide, backups, drills, drift, secrets, sizes and indexes',
  details: 'The schedule sends it on the sixth of each month to the topic of reports.',
  effect: 'adds',
  changes: 'nothing; with --send, it is mailed to those who subscribed to the topic of reports, and recorded.',
  json: 'the report `report` of `lambdas/maintenance/contract.ts`',
  finding: 'there is something to decide',
  arguments: {},
  options: { send: flag('Send it to the topic of reports as well') },
  examples: [{ line: 'maintenance report', explains: 'What is there to decide this month?' }],
  async run({ invoke }, { send }) {
    const { contract, monthlyReport } = await import('../../lambdas/maintenance/contract');
    const report = await invoke('maintenance', { ...contract, report: monthlyReport }, { action: 'report', send });
    return {
      report,
      lines: [...report.text.trimEnd().split('\n'), ...(report.sent ? ['', 'Sent.'] : [])],
      exit: report.decisions > 0 ? 'finding' : 'done',
    };
  },
});
