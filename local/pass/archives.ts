import type { BackupReport } from '../../lambdas/backup/contract';
import type { RestoreReport } from '../../lambdas/restore/contract';
import { bytes, duration } from '../runtime/console';
import { check } from './check';
import { forBoth, type Step } from './steps';

/** Archives both databases to S3, as the schedules do. */
export const backUp: Step = {
  title: 'Back up both databases',
  async run({ platform, backups }, tell) {
    const slot = new Date().toISOString();
    const reports = await forBoth((database) => platform.invoke('backup', { database, slot }) as Promise<BackupReport>);
    for (const report of reports) {
      const { database, outcome, tables, rows, bytes: size, compressedBytes, durationMs, manifestKey } = report;
      check(outcome === 'created', `${database}: the archive was not made: ${outcome}`);
      check(rows > 0, `${database}: the archive is empty`);
      backups.set(database, report);
      const sizes = `${bytes(size)} as ${bytes(compressedBytes)}`;
      tell(`${database.padEnd(8)} ${tables} tables, ${rows} rows, ${sizes}, ${duration(durationMs)}: ${manifestKey}`);
    }
  },
};

/** Restores the newest archives into databases of their own, compares them with what was archived, and drops them. */
export const restore: Step = {
  title: 'Restore both archives and verify them',
  async run({ platform, backups, billing, main }, tell) {
    const reports = await forBoth((database) => {
      const request = { database, archive: 'latest', targetDatabase: `${database}_drill`, afterwards: 'drop' };
      return platform.invoke('restore', request) as Promise<RestoreReport>;
    });
    for (const report of reports) {
      const { database, slot, rows, tables, kept } = report;
      const archived = backups.get(database);
      check(archived !== undefined, `${database}: there is no archive to compare with`);
      check(slot === archived.slot, `${database}: restored ${slot} instead of ${archived.slot}`);
      check(
        rows === archived.rows && tables === archived.tables,
        `${database}: restored ${rows} rows of ${tables} tables, archived ${archived.rows} of ${archived.tables}`,
      );
      const differences = [...report.deviations.map(({ object }) => object), ...report.schemaDifferences];
      check(differences.length === 0, `${database}: the restored schema is another: ${differences.join(', ')}`);
      check(!kept, `${database}: the drill's database was kept`);
      const proofs = `${report.foreignKeysValidated} foreign keys, ${report.sequencesRestored} sequences, ${report.invariantsChecked} invariants`;
      tell(
        `${database.padEnd(8)} the archived schema, ${rows} rows of ${tables} tables, ${proofs} verified, ${duration(report.durationMs)}`,
      );
    }
    for (const client of [billing, main]) {
      const left = await client.query("SELECT datname FROM pg_database WHERE datname LIKE '%drill%'");
      check(left.rowCount === 0, `a drill's database was left behind: ${JSON.stringify(left.rows)}`);
    }
    tell('both drill databases are dropped again');
  },
};
