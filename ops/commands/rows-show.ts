import { defineCommand } from '../command';
import { match, showRows } from '../row-choice';
import { anyNumber, database, flag, oneOf, optional, required, text, wholeNumber } from '../values';

export const rowsShow = defineCommand({
  name: 'rows show',
  summary: 'Shows the rows of a report, to review them and to choose from',
  effect: 'reads',
  changes: 'nothing.',
  json: 'the report `show` of `lambdas/row-recovery/contract.ts`',
  arguments: {
    database: required(database, 'Database of the report'),
    report: required(text('report'), 'Id of the report, as "ops rows report" prints it'),
  },
  options: {
    table: optional(text('table'), 'Only rows of this table, as schema.table'),
    kind: optional(oneOf('kind', ['deleted', 'changed']), 'Only rows that are gone, or that changed'),
    match: anyNumber(match, 'Only rows whose archived column has this value; several must all hold'),
    ids: flag('Ids alone, one a line, for a file to edit and to merge'),
    offset: optional(wholeNumber('count', 0, 100_000_000), 'Rows to leave out first. Default: 0'),
    limit: optional(wholeNumber('count', 1, 20_000), 'Rows to show at most. Default: 100; with --ids, 20000'),
  },
  examples: [
    { line: 'rows show billing 20261121T061500Z-1f0c9a3e --kind changed', explains: 'What was changed, and how?' },
    {
      line: 'rows show billing 20261121T061500Z-1f0c9a3e --match customer_id=cus_1 --ids > chosen.txt',
      explains: 'Choose the rows of one customer.',
    },
  ],
  async run(context, { database: name, report: reportId, ids, offset, limit, ...filter }) {
    const page = { offset, limit: limit ?? (ids ? 20_000 : 100), idsOnly: ids };
    const report = await showRows(context, name, reportId, filter, page);
    const { style } = context;
    const shown = report.rows.flatMap(({ id, kind, archived, live }) => {
      if (ids) return [id];
      const values = Object.entries(archived ?? {}).filter(([column]) => live === null || column in live);
      return [
        `${style.bold(id)} ${kind === 'deleted' ? style.red(kind) : style.yellow(kind)}`,
        ...values.map(([column, value]) => {
          const now = live === null ? '' : `  now ${live[column] ?? 'NULL'}`;
          return `  ${column} = ${value ?? 'NULL'}${style.dim(now)}`;
        }),
      ];
    });
    const next = (offset ?? 0) + report.rows.length;
    if (!report.complete) context.note(`${next} of ${report.total} rows; the others: --offset ${next}`);
    return { report, lines: report.total === 0 ? ['No row matches'] : shown };
  },
});
