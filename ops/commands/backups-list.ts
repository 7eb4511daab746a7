import { defineCommand } from '../command';
import { inspect } from '../inspect';
import { table } from '../print/table';
import { bytes, counted, duration, moment } from '../print/units';
import { database, optional, required, wholeNumber } from '../values';

export const backupsList = defineCommand({
  name: 'backups list',
  summary: 'Lists the archives of a database, the newest first',
  effect: 'reads',
  changes: 'nothing.',
  json: 'the report `archives` of `lambdas/inspect/contract.ts`',
  arguments: { database: required(database, 'Database whose archives are listed') },
  options: { limit: optional(wholeNumber('count', 1, 500), 'Archives to list at most. Default: 20') },
  examples: [{ line: 'backups list billing --limit 5', explains: 'From which moments can billing be restored?' }],
  async run(context, { database: name, limit }) {
    const report = await inspect(context, 'archives', { database: name, limit });
    const { style, now } = context;
    const rows = report.archives.map((archive) => [
      moment(archive.slot, now()),
      archive.tables,
      archive.rows,
      bytes(archive.compressedBytes),
      duration(archive.durationMs),
      archive.schemaVersion,
    ]);
    const { incomplete } = report;
    return {
      report,
      lines: [
        ...(rows.length === 0
          ? [`${name} has no archive yet: ops backup ${name}`]
          : table(['archive', 'tables', 'rows', 'in S3', 'took', 'schema'], rows, style)),
        ...(incomplete.length === 0
          ? []
          : [
              style.yellow(
                `${counted(incomplete.length, 'backup')} without a manifest, running or failed: ${incomplete.join(', ')}`,
              ),
            ]),
      ],
    };
  },
});
