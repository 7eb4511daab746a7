import type { DatabaseName } from '../../core/contract';
import type { RowRecoveryMergeReport } from '../../lambdas/row-recovery/contract';
import { assertAtMostOne } from '../choices';
import { defineCommand } from '../command';
import type { Context } from '../context';
import { CommandError } from '../errors';
import { readNamedFile } from '../files';
import { mergeRows } from '../merge-rows';
import { table } from '../print/table';
import { idsIn, match, matchingIds, type RowFilter } from '../row-choice';
import { anyNumber, database, flag, oneOf, optional, required, text } from '../values';

export const rowsMerge = defineCommand({
  name: 'rows merge',
  summary: 'Puts rows of a report back',
  details:
    'Rows that are named are put back in one transaction. Of all that are gone, 200,000 at a time, parents before children: a merge that was interrupted continues when the command is repeated. Rows that refer to others of their own table, or in a circle, are put back in one transaction as well. Rows that exist again are skipped. Rows that changed since the report are refused, and so are those whose live state is newer than the archive. A dry run puts the first 200,000 rows back and takes that back, so that what would refuse them refuses it; further ones it only counts.',
  effect: 'changes',
  changes: 'inserts deleted rows and sets changed ones back; recomputes entitlements. With --dry-run, nothing.',
  json: 'the report of a merge in `lambdas/row-recovery/contract.ts`',
  finding: 'a dry run found rows that changed since the report, or are newer than the archive',
  arguments: {
    database: required(database, 'Database of the report'),
    report: required(text('report'), 'Id of the report, as "ops rows report" prints it'),
    rows: anyNumber(
      text('row'),
      'Ids of the rows to put back; a changed row is set back only when it is chosen. Default: all that are gone',
    ),
  },
  options: {
    from: optional(text('file'), 'File with the ids, one a line, or rows as JSON lines; - reads the standard input'),
    table: optional(text('table'), 'Put back the rows of this table, as schema.table'),
    kind: optional(oneOf('kind', ['deleted', 'changed']), 'Put back the rows that are gone, or those that changed'),
    match: anyNumber(match, 'Put back the rows whose archived column has this value; several must all hold'),
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
    {
      line: 'rows merge billing 20261121T061500Z-1f0c9a3e --match customer_id=cus_1 --dry-run',
      explains: 'See what bringing back one customer would do.',
    },
    {
      line: 'rows merge billing 20261121T061500Z-1f0c9a3e --from chosen.txt --confirm billing',
      explains: 'Put back what a file names.',
    },
  ],
  async run(context, { database: name, report: reportId, rows, from, dryRun, confirm, ...filter }) {
    const ids = await chooseRows(context, { database: name, reportId, rows, from, filter });
    const request = {
      action: 'merge',
      database: name,
      reportId,
      choose: ids ?? 'deleted',
    } as const;
    const plan = await mergeRows(context, request);
    if (dryRun)
      return { report: plan, lines: describe(plan, context), exit: plan.conflicts.length > 0 ? 'finding' : 'done' };
    for (const line of describe(plan, context)) context.note(line);
    const count = plan.inserted + plan.updated;
    await context.confirm(name, confirm, `${count} rows of ${name} would be written in ${context.target.environment}.`);
    const report = await mergeRows(context, { ...request, confirm: name });
    return { report, lines: describe(report, context) };
  },
});

/** Lambda takes requests of 6 MB. */
const MAX_REQUEST_BYTES = 5_500_000;

interface Choice {
  readonly database: DatabaseName;
  readonly reportId: string;
  readonly rows: readonly string[];
  readonly from: string | undefined;
  readonly filter: RowFilter;
}

/** The chosen ids; undefined where the choice is left to the default. */
async function chooseRows(
  context: Context,
  { database: name, reportId, rows, from, filter }: Choice,
): Promise<readonly string[] | undefined> {
  const isFiltered = filter.table !== undefined || filter.kind !== undefined || filter.match.length > 0;
  assertAtMostOne({
    'Ids of rows': rows.length > 0,
    '--from': from !== undefined,
    'a choice by --table, --kind or --match': isFiltered,
  });
  let ids: readonly string[] | undefined = rows.length === 0 ? undefined : rows;
  if (from !== undefined) ids = idsIn(await readInput(context, from), from);
  if (isFiltered) ids = await matchingIds(context, name, reportId, filter);
  if (ids !== undefined && JSON.stringify(ids).length > MAX_REQUEST_BYTES) {
    throw new CommandError('refused', `${ids.length} rows are more than one request takes: choose fewer, by --table`);
  }
  return ids;
}

async function readInput({ readInput: read }: Context, file: string): Promise<string> {
  return file === '-' ? read() : readNamedFile(file, '--from');
}

function describe(report: RowRecoveryMergeReport, { style }: Pick<Context, 'style'>): string[] {
  const rows = report.tables.map(({ table: each, inserted, updated, skipped }) => [each, inserted, updated, skipped]);
  return [
    report.dryRun ? 'Would be put back:' : `Put back; entitlements of ${report.entitlementsChanged} users changed:`,
    ...table(['table', 'inserted', 'updated', 'skipped'], rows, style),
    ...(report.migrationFailed === undefined
      ? []
      : [style.yellow(`These rows are as they were before a migration: ${report.migrationFailed}`)]),
    ...report.conflicts.map((id) => style.yellow(`changed since the report: ${id}`)),
  ];
}
