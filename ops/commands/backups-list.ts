import { defineCommand } from '../command';
import { inspect } from '../inspect';
import { table } from '../print/table';
import { bytes, counted, duration, moment } from '../print/units';
import { database, optional, required, wholeNumber } from '../values';

export const backupsList = defineCommand({
  name: 'backups list',
  summary: 'Lists the archives of a database, the newest first',
  details:
    'A signature that is missing is of before archives were signed, or of another program; one that is invalid is not that of its manifest: see the runbook, "Archive not authentic".',
  effect: 'reads',
  changes: 'nothing.',
  finding: 'a manifest cannot be read, or its signature is invalid',
  json: 'the report `archives` of `lambdas/inspect/contract.ts`',
  arguments: { database: required(database, 'Database whose archives are listed') },
  options: { limit: optional(wholeNumber('count', 1, 500), 'Archives to list at most. Default: 20') },
  examples: [{ line: 'backups list billing --limit 5', explains: 'From which moments can billing be restored?' }],
  async run(context, { database: name, limit }) {
    const report = await inspect(context, 'archives', { database: name, limit });
    const { style, now } = context;
    // Of large databases alone: elsewhere, the rows are of the time that names the archive.
    const isLarge = report.archives.some(({ recoveryPoint }) => recoveryPoint !== null);
    const rows = report.archives.map((archive) => [
      moment(archive.slot, now()),
      ...(isLarge ? [moment(archive.recoveryPoint?.takenAt ?? archive.slot, now())] : []),
      archive.tables,
      archive.rows,
      bytes(archive.compressedBytes),
      duration(archive.durationMs),
      archive.schemaVersion,
      archive.signature,
    ]);
    const { incomplete, unreadable } = report;
    return {
      report,
      lines: [
        ...(rows.length === 0
          ? [`${name} has no archive yet: ops backup ${name}`]
          : table(
              ['archive', ...(isLarge ? ['rows of'] : []), 'tables', 'rows', 'in S3', 'took', 'schema', 'signature'],
              rows,
              style,
            )),
        ...(incomplete.length === 0
          ? []
          : [
              style.yellow(
                `${counted(incomplete.length, 'backup')} without a manifest, running or failed: ${incomplete.join(', ')}`,
              ),
            ]),
        ...unreadable.map(({ problem }) => style.red(problem)),
      ],
      exit:
        unreadable.length > 0 || report.archives.some(({ signature }) => signature === 'invalid') ? 'finding' : 'done',
    };
  },
});
