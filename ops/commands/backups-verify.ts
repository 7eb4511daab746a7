import { defineCommand } from '../command';
import { fields } from '../print/table';
import { startedRestore } from '../print/started-restore';
import { duration, moment } from '../print/units';
import { database, optional, required, time } from '../values';

export const backupsVerify = defineCommand({
  name: 'backups verify',
  summary: 'Proves that an archive can be restored: restores it, verifies it, and drops the result',
  details:
    'Every object is compared with its hash, then loaded into a database of its own, where counts, foreign keys, sequences and rules are checked. Nothing less proves a backup.',
  effect: 'adds',
  changes: 'creates a database on the same server, and drops it again.',
  json: 'the report of `lambdas/restore/contract.ts`',
  finding: 'the server did not take all of the archived schema, or some of it reads otherwise',
  arguments: { database: required(database, 'Database of the archive') },
  options: { archive: optional(time(), 'Moment that names the archive. Default: the newest one') },
  examples: [
    { line: 'backups verify billing --archive 2026-11-21T06:00:00Z', explains: 'Can this archive be restored?' },
  ],
  async run({ invoke, style, now }, { database: name, archive = 'latest' }) {
    const { contract } = await import('../../lambdas/restore/contract');
    const report = await invoke('restore', contract, {
      database: name,
      archive,
      targetDatabase: `${name}_verified_${now().toISOString().slice(0, 19).replaceAll(/\D/g, '')}`,
      afterwards: 'drop',
    });
    if (report.outcome === 'started') {
      return { report, lines: fields(startedRestore(name, report, now()), style), exit: 'done' };
    }
    const differences = [
      ...report.deviations.map(({ object, consequence }) => `${object}: ${consequence}`),
      ...report.schemaDifferences,
    ];
    return {
      report,
      lines: fields(
        [
          ['archive', moment(report.slot, now())],
          ['restored', `${report.tables} tables, ${report.rows.toLocaleString('en')} rows, and dropped again`],
          [
            'proven',
            `${report.foreignKeysValidated} foreign keys, ${report.sequencesRestored} sequences, ${report.invariantsChecked} rules`,
          ],
          ['took', duration(report.durationMs)],
          ...differences.map((difference) => ['differs', difference] as const),
        ],
        style,
      ),
      exit: differences.length > 0 ? 'finding' : 'done',
    };
  },
});
