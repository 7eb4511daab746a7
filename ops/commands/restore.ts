import { assertAtMostOne } from '../choices';
import { defineCommand } from '../command';
import { CommandError } from '../errors';
import { fields } from '../print/table';
import { startedRestore } from '../print/started-restore';
import { duration, moment } from '../print/units';
import { database, flag, optional, required, sha256, text, time } from '../values';

export const restore = defineCommand({
  name: 'restore',
  summary: 'Restores an archive into a new database on the same server, and proves it',
  details:
    'It never overwrites: the database in use stays as it is. An archive that is too large for one call is restored by a workflow, which "ops runs" follows. For a whole instance, or the exact second, see "ops recover start".',
  effect: 'adds',
  changes: 'creates the database that --into names, and drops it again with --drop.',
  json: 'the report of `lambdas/restore/contract.ts`',
  finding:
    'the server did not take all of the archived schema, some of it reads otherwise, or a pending migration of the deployed code failed',
  arguments: { database: required(database, 'Database whose archive is restored') },
  options: {
    into: required(text('name'), 'Name of the database to create; an existing one is refused'),
    archive: optional(time(), 'Moment that names the archive. Default: the newest one'),
    manifestSha256: optional(
      sha256,
      'With --archive: digest of its manifest, which you have checked, for an archive without a signature',
    ),
    before: optional(time(), 'The newest archive that was finished by this moment'),
    drop: flag('Drop the restored database once it is proven'),
  },
  examples: [
    { line: 'restore billing --into billing_check --drop', explains: 'Prove that the newest archive can be restored.' },
    {
      line: 'restore billing --into billing_before --before 2026-11-21T06:00:00Z',
      explains: 'Bring back what was there before 6 o’clock, beside the database in use.',
    },
  ],
  async run({ invoke, style, now }, { database: name, into, archive, manifestSha256, before, drop }) {
    assertAtMostOne({ '--archive': archive !== undefined, '--before': before !== undefined });
    if (manifestSha256 !== undefined && archive === undefined) {
      throw new CommandError('usage', '--manifest-sha256 needs --archive: name the archive that was checked');
    }
    const { contract } = await import('../../lambdas/restore/contract');
    const report = await invoke('restore', contract, {
      database: name,
      archive: archive ?? 'latest',
      notAfter: before,
      manifestSha256,
      targetDatabase: into,
      afterwards: drop ? 'drop' : 'keep',
    });
    if (report.outcome === 'started') {
      return { report, lines: fields(startedRestore(name, report, now()), style), exit: 'done' };
    }
    const proofs = [
      `${report.foreignKeysValidated} foreign keys`,
      `${report.sequencesRestored} sequences`,
      `${report.invariantsChecked} rules`,
    ];
    return {
      report,
      lines: fields(
        [
          ['database', `${report.targetDatabase} (${report.kept ? 'kept' : 'dropped again'})`],
          ['data of', moment(report.archivedAt, now())],
          ['restored', `${report.tables} tables, ${report.rows.toLocaleString('en')} rows`],
          ['proven', proofs.join(', ')],
          ['migrated', report.migratedForward.join(', ') || 'nothing to do'],
          ['took', duration(report.durationMs)],
          ...report.rolesCreated.map(
            (role) => ['new role', `${role}: give it LOGIN and a password if it needs them`] as const,
          ),
          ...report.deviations.map(
            ({ object, consequence, reason }) => ['differs', `${object}: ${consequence} (${reason})`] as const,
          ),
          ...report.schemaDifferences.map((difference) => ['compare', difference] as const),
        ],
        style,
      ),
      exit: report.deviations.length + report.schemaDifferences.length > 0 ? 'finding' : 'done',
    };
  },
});
