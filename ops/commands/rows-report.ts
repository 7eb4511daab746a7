import type { DatabaseName } from '../../core/contract';
import type {
  RestoredInstance,
  RowCondition,
  RowOperator,
  RowRecoveryReport,
} from '../../lambdas/row-recovery/contract';
import { assertAtMostOne } from '../choices';
import { defineCommand } from '../command';
import { compareRows } from '../compare-rows';
import type { Context } from '../context';
import { CommandError } from '../errors';
import { table } from '../print/table';
import { moment } from '../print/units';
import { nextSteps, reportMoment } from '../row-moment';
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

/** An RDS identifier, or a host with an optional port and database. */
const instance: Form<RestoredInstance> = {
  placeholder: 'instance',
  parse(value) {
    const [, host, port, targetDatabase] = /^([^\s:/]+)(?::(\d{1,5}))?(?:\/([^\s/]+))?$/.exec(value) ?? [];
    if (host === undefined) {
      throw new CommandError('usage', 'expected an identifier, or host[:port][/database] such as db.example.com:5432');
    }
    const isHost = host.includes('.') || port !== undefined;
    return {
      ...(isHost ? { host } : { identifier: host }),
      ...(port === undefined ? {} : { port: Number(port) }),
      ...(targetDatabase === undefined ? {} : { targetDatabase }),
    };
  },
};

/** A moment, or the latest one that RDS can restore. */
const latestOrTime: Form<string> = {
  placeholder: 'time',
  parse: (value) => (value === 'latest' ? value : time().parse(value)),
};

export const rowsReport = defineCommand({
  name: 'rows report',
  summary: 'Finds rows that were deleted or changed since an archive, or since a second',
  details:
    'It reads the live tables and writes the rows found to the bucket; "ops rows merge" puts chosen ones back. With --at or --snapshot, a workflow restores a small instance of that moment, which takes as long as RDS does; the command follows it, and can be left. The instance costs until "ops rows done", or for a day. Large tables take several calls, each of which compares with the live rows of its own moment; the last report has the rows of all.',
  effect: 'adds',
  changes:
    'adds a report to the archive bucket, which expires after 30 days; with --at or --snapshot, an RDS instance that is removed afterwards.',
  json: 'the answer to `report` in `lambdas/row-recovery/contract.ts`; with --at or --snapshot `{executionArn, run, question}`',
  finding:
    'rows are gone or differ, a pending migration could not be applied to those of an older archive, or the workflow did not end well',
  arguments: {
    database: required(database, 'Database that lost rows'),
    tables: several(text('table'), 'Tables to compare, as schema.table'),
  },
  options: {
    fromArchive: optional(time(), 'Moment that names the archive. Default: the newest one'),
    manifestSha256: optional(
      sha256,
      'With --from-archive: digest of its manifest, which you have checked, for an archive without a signature',
    ),
    continue: optional(
      text('report'),
      'With --from-archive or --from-instance: report of a comparison of large tables that was interrupted, as it has printed',
    ),
    before: optional(time(), 'The newest archive that was finished by this moment, before the loss'),
    fromInstance: optional(
      instance,
      'A restored or recovered instance: its RDS identifier, or host[:port][/database]; never the live one',
    ),
    at: optional(latestOrTime, 'A second of the last 35 days, or "latest": RDS restores an instance of it first'),
    snapshot: optional(text('arn'), 'ARN of a snapshot or recovery point that RDS restores an instance of first'),
    where: anyNumber(
      condition,
      'Condition on the former rows, such as "created_at < 2026-01-22"; several must all hold',
    ),
  },
  examples: [
    {
      line: 'rows report billing billing.subscriptions billing.subscription_items --before 2026-11-21T09:00:00Z',
      explains: 'What did the deletion at 9 o’clock take, of what was archived before?',
    },
    {
      line: 'rows report billing billing.subscriptions --at 2026-11-21T08:59:59Z',
      explains: 'What did it take, to the second?',
    },
    {
      line: 'rows report main app.users --from-instance billing-operations-production-main-before-0123abcd',
      explains: 'What does the former instance have, after a recovery?',
    },
    { line: 'rows report main public.users --where "email = user1@example.com"', explains: 'Is one user as archived?' },
  ],
  async run(context, { database: name, tables, where, ...source }) {
    const { fromArchive, manifestSha256, before, fromInstance, at, snapshot, continue: continues } = source;
    assertAtMostOne({
      '--from-archive': fromArchive !== undefined,
      '--before': before !== undefined,
      '--from-instance': fromInstance !== undefined,
      '--at': at !== undefined,
      '--snapshot': snapshot !== undefined,
    });
    if (manifestSha256 !== undefined && fromArchive === undefined) {
      throw new CommandError('usage', '--manifest-sha256 needs --from-archive: name the archive that was checked');
    }
    if (continues !== undefined && fromArchive === undefined && fromInstance === undefined) {
      throw new CommandError(
        'usage',
        '--continue needs --from-archive or --from-instance: name what the rows were compared with',
      );
    }
    const conditions = where.length === 0 ? undefined : where;
    if (at !== undefined || snapshot !== undefined) {
      return reportMoment(context, name, {
        tables,
        where: conditions,
        restoreTime: at === 'latest' ? undefined : at,
        snapshotArn: snapshot,
      });
    }
    const report = await compareRows(context, {
      action: 'report',
      database: name,
      ...(fromInstance === undefined
        ? { archive: fromArchive ?? 'latest', notAfter: before, manifestSha256 }
        : { instance: fromInstance }),
      tables,
      where: conditions,
      continues,
    });
    // An instance has the schema of its moment; that an archive could not be migrated is a finding.
    const isUnmigrated = report.migrationFailed !== undefined && report.instance === null;
    const isFound = report.deleted + report.changed > 0 || isUnmigrated;
    return { report, lines: describe(name, report, context), exit: isFound ? 'finding' : 'done' };
  },
});

function describe(
  name: DatabaseName,
  report: RowRecoveryReport,
  { style, now }: Pick<Context, 'style' | 'now'>,
): string[] {
  const { reportId, slot, instance: against, tables, related, firstIds, migrationFailed } = report;
  const rows = tables.map(({ table: each, compared, deleted, changed }) => [each, compared, deleted, changed]);
  return [
    `Report ${reportId}, against ${against ?? `the archive of ${moment(slot, now())}`}`,
    ...table(['table', 'compared', 'deleted', 'changed'], rows, style),
    ...(migrationFailed === undefined
      ? []
      : [style.yellow(`Compared as they were before a migration: ${migrationFailed}`)]),
    ...(related.length === 0
      ? []
      : [style.yellow(`Belong to these rows, and were not compared: ${related.join(', ')}`)]),
    ...firstIds.map((id) => `  ${id}`),
    ...(report.deleted + report.changed > 0
      ? nextSteps(name, reportId)
      : slot === null
        ? []
        : [
            'Nothing is gone or differs since then. Rows that were lost earlier: an archive of before the loss, by --before',
          ]),
  ];
}
