import { defineCommand } from '../command';
import { inspect } from '../inspect';
import { table } from '../print/table';
import { moment } from '../print/units';
import { optional, wholeNumber } from '../values';

export const reconciliationsList = defineCommand({
  name: 'reconciliations list',
  summary: 'Lists the reconciliations, the newest first',
  effect: 'reads',
  changes: 'nothing.',
  json: 'the report `reconciliations` of `lambdas/inspect/contract.ts`',
  finding: 'the newest run failed',
  arguments: {},
  options: { limit: optional(wholeNumber('count', 1, 500), 'Runs to list at most. Default: 20') },
  examples: [
    { line: 'reconciliations list --limit 5', explains: 'Did the last nights complete, and what did they find?' },
  ],
  async run(context, { limit }) {
    const report = await inspect(context, 'reconciliations', { limit });
    const rows = report.runs.map((run) => [
      run.runId,
      `${run.status}${run.dryRun ? ' (dry)' : ''}`,
      moment(run.startedAt, context.now()),
      run.eventsMissed,
      run.driftDetected,
      run.corrected,
      run.error ?? '',
    ]);
    const headings = ['run', 'status', 'started', 'missed', 'drift', 'corrected', 'error'];
    return {
      report,
      lines: rows.length === 0 ? ['None yet: ops reconcile'] : table(headings, rows, context.style),
      exit: report.runs[0]?.status === 'failed' ? 'finding' : 'done',
    };
  },
});
