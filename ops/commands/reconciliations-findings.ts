import { defineCommand } from '../command';
import { CommandError } from '../errors';
import { inspect } from '../inspect';
import { table } from '../print/table';
import { counted } from '../print/units';
import { type Form, optional, wholeNumber } from '../values';

const runId: Form<string> = {
  placeholder: 'run',
  parse(value) {
    if (!/^\d{1,18}$/.test(value)) throw new CommandError('usage', 'expected the id of a run, such as 42');
    return value;
  },
};

export const reconciliationsFindings = defineCommand({
  name: 'reconciliations findings',
  summary: 'Lists what a reconciliation found to differ from Stripe',
  effect: 'reads',
  changes: 'nothing.',
  json: 'the report `findings` of `lambdas/inspect/contract.ts`',
  finding: 'something differed',
  arguments: {},
  options: {
    run: optional(runId, 'Id of the run. Default: the last one that was no dry run'),
    limit: optional(wholeNumber('count', 1, 500), 'Findings to list at most. Default: 20'),
  },
  examples: [{ line: 'reconciliations findings', explains: 'What did last night’s run correct?' }],
  async run(context, { run, limit }) {
    const report = await inspect(context, 'findings', { runId: run, limit });
    const { total, findings } = report;
    if (report.runId === null)
      throw new CommandError('refused', `There is no ${run === undefined ? 'run yet' : `run ${run}`}`);
    const rows = findings.map((finding) => [
      finding.kind,
      `${finding.objectType} ${finding.objectId}`,
      finding.field ?? '',
      finding.localValue ?? '',
      finding.remoteValue ?? '',
      finding.corrected ? 'yes' : context.style.yellow('no'),
    ]);
    const more =
      total > findings.length ? [`and ${total - findings.length} more: --limit ${Math.min(500, total)}`] : [];
    return {
      report,
      lines:
        total === 0
          ? [`Run ${report.runId} found nothing`]
          : [
              `Run ${report.runId}: ${counted(total, 'finding')}`,
              ...table(['kind', 'object', 'field', 'here', 'at Stripe', 'corrected'], rows, context.style),
              ...more,
            ],
      exit: total > 0 ? 'finding' : 'done',
    };
  },
});
