import { drillOutcome, recordedFindings } from '../../core/restore/contract';
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
  finding: 'the newest drill did not pass, or has findings',
  arguments: { database: required(database, 'Database whose drills are listed') },
  options: { limit: optional(wholeNumber('count', 1, 500), 'Drills to list at most. Default: 20') },
  examples: [{ line: 'drills list billing', explains: 'Was a restore proven lately, and how long did it take?' }],
  async run(context, { database: name, limit }) {
    const report = await inspect(context, 'drills', { database: name, limit });
    const { style, now } = context;
    const [newest] = report.drills;
    const rows = report.drills.map((drill) => [
      moment(drill.startedAt, now()),
      drillOutcome(drill.outcome, recordedFindings(drill)),
      drill.slot,
      drill.durationMs === null ? null : duration(drill.durationMs),
      duration(drill.targetMs),
      drill.error ?? '',
    ]);
    return {
      report,
      lines:
        rows.length === 0
          ? [`${name} was never drilled: ops drill ${name}`]
          : table(['started', 'outcome', 'archive', 'took', 'target', 'error or findings'], rows, style),
      exit: newest !== undefined && (newest.outcome !== 'passed' || newest.error !== null) ? 'finding' : 'done',
    };
  },
});
