import type * as z from 'zod';
import type { rowRecoveryMergeReport } from '../../lambdas/row-recovery/contract';
import { defineCommand } from '../command';
import type { Context } from '../context';
import { table } from '../print/table';
import { anyNumber, database, flag, optional, required, text } from '../values';

export const rowsMerge = defineCommand({
  name: 'rows merge',
  summary: 'Puts rows of a report back, in one transaction',
  details:
    'Rows that exist again are skipped. Rows that changed since the report are refused, and so are those whose live state is newer than the archive.',
  effect: 'changes',
  changes: 'inserts deleted rows and sets changed ones back; recomputes entitlements. With --dry-run, nothing.',
  json: 'the report of a merge in `lambdas/row-recovery/contract.ts`',
  finding: 'a dry run found rows that changed since the report, or are newer than the archive',
  arguments: {
    database: required(database, 'Database of the report'),
    report: required(text('report'), 'Id of the report, as "ops rows report" prints it'),
    rows: anyNumber(
      text('row'),
      'Ids of the rows to put back; a changed row is set back only by its id. Default: all that are gone',
    ),
  },
  options: {
    dryRun: flag('Report what would be put back, and change nothing'),
    confirm: optional(text('database'), 'The name of the database, typed again'),
  },
  examples: [
    {
      line: 'rows merge billing 20261121T061500Z-1f0c9a3e --dry-run',
      explains: 'See what bringing back all deleted rows would do.',
    },
    {
      line: 'rows merge billing 20261121T061500Z-1f0c9a3e billing.subscriptions:sub_1 --confirm billing',
      explains: 'Put one subscription back.',
    },
  ],
  async run(context, { database: name, report: reportId, rows, dryRun, confirm }) {
    const { contract, rowRecoveryMergeReport: form } = await import('../../lambdas/row-recovery/contract');
    const request = {
      action: 'merge',
      database: name,
      reportId,
      choose: rows.length === 0 ? 'deleted' : rows,
    } as const;
    const merges = { ...contract, report: form };
    const plan = await context.invoke('row-recovery', merges, request);
    if (dryRun)
      return { report: plan, lines: describe(plan, context), exit: plan.conflicts.length > 0 ? 'finding' : 'done' };
    for (const line of describe(plan, context)) context.note(line);
    const count = plan.inserted + plan.updated;
    await context.confirm(name, confirm, `${count} rows of ${name} would be written in ${context.target.environment}.`);
    const report = await context.invoke('row-recovery', merges, { ...request, confirm: name });
    return { report, lines: describe(report, context) };
  },
});

function describe(report: z.infer<typeof rowRecoveryMergeReport>, { style }: Pick<Context, 'style'>): string[] {
  const rows = report.tables.map(({ table: each, inserted, updated, skipped }) => [each, inserted, updated, skipped]);
  return [
    report.dryRun ? 'Would be put back:' : `Put back; entitlements of ${report.entitlementsChanged} users changed:`,
    ...table(['table', 'inserted', 'updated', 'skipped'], rows, style),
    ...report.conflicts.map((id) => style.yellow(`changed since the report: ${id}`)),
  ];
}
