import { defineCommand } from '../command';
import { inspect } from '../inspect';
import { table } from '../print/table';
import { duration, moment } from '../print/units';
import { database, optional, required, wholeNumber } from '../values';

export const drillsList = defineCommand({
  name: 'drills list',
  summary: 'Lists the restore drills of a database, the newest first',
  effect: 'reads',
  changes: 'nothing.',
  json: 'the report `drills` of `lambdas/inspect/contract.ts`',
  finding: 'the newest drill did not pass',
  arguments: { database: required(database, 'Database whose drills are listed') },
  options: { limit: optional(wholeNumber('count', 1, 500), 'Drills to list at most. Default: 20') },
  examples: [{ line: 'drills list billing', explains: 'Was a restore proven lately, and how long did it take?' }],
  async run(context, { database: name, limit }) {
    const report = await inspect(context, 'drills', { database: name, limit });
    const { style, now } = context;
    const rows = report.drills.map(({ startedAt, outcome, slot, durationMs, targetMs, error }) => [
      moment(startedAt, now()),
      outcome,
      slot,
      durationMs === null ? null : duration(durationMs),
      duration(targetMs),
      error ?? '',
    ]);
    return {
      report,
      lines:
        rows.length === 0
          ? [`${name} was never drilled: ops drill ${name}`]
          : table(['started', 'outcome', 'archive', 'took', 'target', 'error'], rows, style),
      exit: report.drills[0] !== undefined && report.drills[0].outcome !== 'passed' ? 'finding' : 'done',
    };
  },
});
