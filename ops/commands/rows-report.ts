import type { RowCondition, RowOperator } from '../../lambdas/row-recovery/contract';
import { defineCommand } from '../command';
import { CommandError } from '../errors';
import { table } from '../print/table';
import { anyNumber, database, type Form, optional, required, several, sha256, text, time } from '../values';

const OPERATORS: readonly RowOperator[] = ['=', '<>', '<', '<=', '>', '>=', 'in', 'like', 'is-null', 'is-not-null'];
const CONDITION = /^(?:([^\s.]+\.[^\s.]+)\.)?([^\s.]+)\s+(<>|<=|>=|=|<|>|in|like|is-null|is-not-null)(?:\s+(.*))?$/;

/** `column operator value`, such as `created_at < 2026-01-22`; `table.column` when it is about one table only. */
const condition: Form<RowCondition> = {
  placeholder: 'condition',
  parse(value) {
    const [, tableName, column, operator, operand] = CONDITION.exec(value) ?? [];
    const known = OPERATORS.find((candidate) => candidate === operator);
    const takesValue = operator !== 'is-null' && operator !== 'is-not-null';
    if (column === undefined || known === undefined || takesValue !== (operand !== undefined && operand !== '')) {
      throw new CommandError(
        'usage',
        'expected "column operator value" such as "created_at < 2026-01-22", "status in active,past_due" or "ended_at is-null"',
      );
    }
    return {
      ...(tableName === undefined ? {} : { table: tableName }),
      column,
      operator: known,
      ...(operand === undefined ? {} : { value: known === 'in' ? operand.split(',') : operand }),
    };
  },
};

export const rowsReport = defineCommand({
  name: 'rows report',
  summary: 'Finds rows that were deleted or changed since an archive',
  details: 'It reads the live tables and writes the rows found to the bucket; "ops rows merge" puts chosen ones back.',
  effect: 'adds',
  changes: 'adds a report to the archive bucket, which expires after 30 days.',
  json: 'the report of a report in `lambdas/row-recovery/contract.ts`',
  finding: 'rows are gone or differ',
  arguments: {
    database: required(database, 'Database that lost rows'),
    tables: several(text('table'), 'Tables to compare, as schema.table'),
  },
  options: {
    archive: optional(time(), 'Moment that names the archive. Default: the newest one'),
    manifestSha256: optional(
      sha256,
      'With --archive: digest of its manifest, which you have checked, for an archive without a signature',
    ),
    before: optional(time(), 'The newest archive that was finished by this moment, before the loss'),
    where: anyNumber(
      condition,
      'Condition on the archived rows, such as "created_at < 2026-01-22"; several must all hold',
    ),
  },
  examples: [
    {
      line: 'rows report billing billing.subscriptions billing.subscription_items --before 2026-11-21T09:00:00Z',
      explains: 'What did the deletion at 9 o’clock take?',
    },
    { line: 'rows report main public.users --where "email = user1@example.com"', explains: 'Is one user as archived?' },
  ],
  async run({ invoke, style }, { database: name, tables, archive, manifestSha256, before, where }) {
    if (archive !== undefined && before !== undefined) {
      throw new CommandError('usage', '--archive and --before exclude each other: give one of them');
    }
    if (manifestSha256 !== undefined && archive === undefined) {
      throw new CommandError('usage', '--manifest-sha256 needs --archive: name the archive that was checked');
    }
    const { contract, rowRecoveryReport } = await import('../../lambdas/row-recovery/contract');
    const report = await invoke(
      'row-recovery',
      { ...contract, report: rowRecoveryReport },
      {
        action: 'report',
        database: name,
        archive: archive ?? 'latest',
        notAfter: before,
        manifestSha256,
        tables,
        where: where.length === 0 ? undefined : where,
      },
    );
    const rows = report.tables.map(({ table: each, compared, deleted, changed }) => [each, compared, deleted, changed]);
    return {
      report,
      lines: [
        `Report ${report.reportId}, against the archive of ${report.slot}`,
        ...table(['table', 'compared', 'deleted', 'changed'], rows, style),
        ...(report.related.length === 0
          ? []
          : [style.yellow(`Belong to these rows, and were not compared: ${report.related.join(', ')}`)]),
        ...(report.deleted + report.changed === 0
          ? []
          : [
              ...report.firstIds.map((id) => `  ${id}`),
              `All rows: ops rows show ${name} ${report.reportId}`,
              `To see what a merge would do: ops rows merge ${name} ${report.reportId} --dry-run`,
            ]),
      ],
      exit: report.deleted + report.changed > 0 ? 'finding' : 'done',
    };
  },
});
