import type { BackupReport } from '../../lambdas/backup/contract';
import { defineCommand } from '../command';
import { CommandError } from '../errors';
import { fields } from '../print/table';
import { bytes, counted, duration, span } from '../print/units';
import { database, flag, optional, required, time } from '../values';

export const backup = defineCommand({
  name: 'backup',
  summary: 'Archives a database to S3 now',
  details:
    'The schedule does so by itself; by hand, it is for the moment before a risk, and after a failed run. A database that is too large for one call is archived by a workflow, from its newest recovery point, which "ops runs" follows.',
  effect: 'adds',
  changes: 'adds an archive, which cannot be deleted before its retention ends. The database is only read.',
  json: 'the report of `lambdas/backup/contract.ts`',
  finding:
    'a snapshot was asked for and the database is not on RDS, the archive does not carry some object, point-in-time recovery or the recovery points are stale, or expired archives could not be removed',
  arguments: { database: required(database, 'Database to archive') },
  options: {
    beforeMigration: flag('Take a snapshot of the RDS instance as well, to undo a migration as a whole'),
    inParts: flag(
      'Have the workflow archive the newest recovery point in parts, whatever the size: to see it run, or to prove that point',
    ),
    slot: optional(time(), 'Moment that names the archive; one that exists is left alone. Default: now'),
  },
  examples: [
    { line: 'backup billing', explains: 'Archive billing now.' },
    { line: 'backup main --before-migration', explains: 'Archive main and take a snapshot of its instance.' },
    { line: 'backup main --in-parts', explains: 'Have the workflow for large databases archive main, and follow it.' },
  ],
  async run({ invoke, style, target }, { database: name, slot, beforeMigration, inParts }) {
    if (beforeMigration && target.platform !== undefined) {
      const reason = '--before-migration: the local platform has no RDS instance to take a snapshot of';
      throw new CommandError('refused', `${reason}. This needs an environment on AWS. Nothing was archived`);
    }
    const { contract } = await import('../../lambdas/backup/contract');
    const reason = beforeMigration ? 'pre-migration' : 'routine';
    const report = await invoke('backup', contract, {
      database: name,
      slot,
      reason,
      ...(inParts && { inParts }),
    });
    const { protection, snapshot, schemaChange } = report;
    const lacksSnapshot = beforeMigration && snapshot === undefined;
    const tiers = [
      ['point in time', protection.pointInTime],
      ['recovery points', protection.recoveryPoints],
    ] as const;
    return {
      report,
      lines: fields(
        [
          ['archive', `${report.slot} (${report.outcome})`],
          ...(report.execution === undefined
            ? []
            : [['follow', `ops runs --follow archive:${name}:${report.execution.split(':').at(-1)}`] as const]),
          ...contentOf(report),
          ...(schemaChange.state === 'unrecorded'
            ? [
                [
                  'schema',
                  style.yellow(
                    `${counted(schemaChange.total, 'object')} changed without a recorded migration: ops backups diff ${name}`,
                  ),
                ] as const,
              ]
            : []),
          ...(snapshot ? [['snapshot', `${snapshot.identifier} (${snapshot.state})`] as const] : []),
          ...(lacksSnapshot
            ? [
                [
                  'snapshot',
                  style.yellow('none: the database is not on RDS, so the archive is the only way back'),
                ] as const,
              ]
            : []),
          ...tiers.map(([tier, { state, ageSeconds }]) => {
            const age = ageSeconds === undefined ? '' : `, ${span(ageSeconds)} old`;
            return [tier, `${state}${age}`] as const;
          }),
          ...report.omissions.map((omission) => ['not archived', `${omission.object}: ${omission.reason}`] as const),
          ...(report.housekeepingFailed ? [['housekeeping', 'failed: ops logs backup'] as const] : []),
        ],
        style,
      ),
      exit:
        report.housekeepingFailed ||
        lacksSnapshot ||
        report.omissions.length > 0 ||
        tiers.some(([, { state }]) => !['current', 'not-due', 'not-on-rds', 'not-kept'].includes(state))
          ? 'finding'
          : 'done',
    };
  },
});

/** What the archive holds, once it is written: a workflow and an export of RDS take hours after this answer. */
function contentOf({ outcome, tables, rows, ...report }: BackupReport): (readonly [string, string])[] {
  if (outcome !== 'created' && outcome !== 'already-exists')
    return [['in S3', `not yet; later at ${report.manifestKey}`]];
  return [
    ['content', `${tables} tables, ${rows.toLocaleString('en')} rows, ${bytes(report.bytes)}`],
    ['in S3', `${bytes(report.compressedBytes)} at ${report.manifestKey}`],
    ['took', duration(report.durationMs)],
  ];
}
