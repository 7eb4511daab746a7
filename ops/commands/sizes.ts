import { defineCommand } from '../command';
import { inspect } from '../inspect';
import { table } from '../print/table';
import { bytes } from '../print/units';
import { database, optional, required, wholeNumber } from '../values';

export const sizes = defineCommand({
  name: 'sizes',
  summary: 'Lists the largest tables of a database',
  effect: 'reads',
  changes: 'nothing.',
  json: 'the report `tables` of `lambdas/inspect/contract.ts`',
  arguments: { database: required(database, 'Database whose tables are listed') },
  options: { limit: optional(wholeNumber('count', 1, 500), 'Tables to list at most. Default: 20') },
  examples: [{ line: 'sizes billing', explains: 'What fills the disk?' }],
  async run(context, { database: name, limit }) {
    const report = await inspect(context, 'tables', { database: name, limit });
    const rows = report.tables.map((each) => [
      each.table,
      bytes(each.bytes),
      bytes(each.indexBytes),
      each.rows,
      each.deadRows,
    ]);
    return {
      report,
      lines: [
        `${name}: ${bytes(report.databaseBytes)}`,
        ...table(['table', 'size', 'of it indexes', 'rows', 'dead rows'], rows, context.style),
      ],
    };
  },
});
