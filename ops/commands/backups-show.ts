import { defineCommand } from '../command';
import { CommandError } from '../errors';
import { inspect } from '../inspect';
import { fields, table } from '../print/table';
import { bytes, duration, moment } from '../print/units';
import { database, optional, required, time } from '../values';

export const backupsShow = defineCommand({
  name: 'backups show',
  summary: 'Shows what an archive holds, table by table',
  effect: 'reads',
  changes: 'nothing.',
  json: 'the report `archive` of `lambdas/inspect/contract.ts`',
  arguments: { database: required(database, 'Database of the archive') },
  options: { archive: optional(time(), 'Moment that names the archive. Default: the newest one') },
  examples: [{ line: 'backups show billing --archive 2026-11-21T06:00:00Z', explains: 'What would it bring back?' }],
  async run(context, { database: name, archive: slot = 'latest' }) {
    const report = await inspect(context, 'archive', { database: name, slot });
    const { archive } = report;
    if (archive === null) {
      const which = slot === 'latest' ? 'no archive yet' : `no complete archive of ${slot}`;
      throw new CommandError('refused', `${name} has ${which}. Those there are: ops backups list ${name}`);
    }
    const { style, now } = context;
    return {
      report,
      lines: [
        ...fields(
          [
            ['archive', moment(archive.slot, now())],
            ...(archive.recoveryPoint
              ? [
                  [
                    'rows of',
                    `${moment(archive.recoveryPoint.takenAt, now())}, ${archive.recoveryPoint.snapshot}`,
                  ] as const,
                ]
              : []),
            ['begun', moment(archive.startedAt, now())],
            ['finished', `${moment(archive.finishedAt, now())}, after ${duration(archive.durationMs)}`],
            ['schema', archive.schemaVersion],
            ['signature', archive.signature],
            ['server', `PostgreSQL ${archive.serverVersion}`],
            ['size', `${bytes(archive.bytes)}, ${bytes(archive.compressedBytes)} in ${archive.objects} objects of S3`],
          ],
          style,
        ),
        ...table(
          ['table', 'rows', 'size'],
          archive.contents.map((each) => [each.table, each.rows, bytes(each.bytes)]),
          style,
        ),
      ],
    };
  },
});
