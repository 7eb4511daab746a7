import { SFNClient } from '@aws-sdk/client-sfn';
import { runDrill, type RunDrillDependencies } from '../../lambdas/drill/core';
import type { FinishedDrill } from '../../lambdas/drill/findings';
import { scratchName } from '../../core/restore/scratch-names';
import { noErasures } from '../support/erasures';
import { silentLog } from '../support/log';
import { PG_DUMP_WORKER } from '../support/schema';
import { asAdministrator } from '../support/database';
import { type ArchiveSite, createArchiveSite } from './archive';

export const SLOT = '2026-11-21T06:00:00Z';
export const MINUTE_MS = 60_000;
export const START = Date.parse('2026-11-21T06:30:00Z');

/** Of archives above a TiB, which no test has; it cannot be started. */
export const UNUSED_WORKFLOW = {
  sfn: new SFNClient({ region: 'eu-central-1', endpoint: 'http://127.0.0.1:9' }),
  stateMachineArn: 'arn:aws:states:eu-central-1:111111111111:stateMachine:restore',
  limitBytes: 1024 ** 4,
};

/** A billing database with one archive, to drill. */
export interface DrillSite extends ArchiveSite {
  /** Runs a drill, by default at `START` against a target of an hour. */
  runDrill(overrides?: Partial<RunDrillDependencies>): Promise<FinishedDrill>;
  /** Databases that a drill made which began at the moment. */
  scratchDatabases(at: number): Promise<string[]>;
  /** Rows of the drills' table, oldest first. */
  recorded(): Promise<unknown[]>;
}

/** A clock that starts at another moment. */
export function clockFrom(moment: number): () => Date {
  const start = Date.now();
  return () => new Date(moment + Date.now() - start);
}

export async function createDrillSite(): Promise<DrillSite> {
  const site = await createArchiveSite('billing');
  const client = await site.source.client();
  await client.query(`INSERT INTO billing.customers VALUES ('cus_1', now())`);
  await site.backup(SLOT);
  return {
    ...site,
    runDrill: async (overrides = {}) => {
      const report = await runDrill({
        connector: site.source.connector,
        store: site.store,
        migrationsDirectory: site.migrations.directory,
        pgDumpWorker: PG_DUMP_WORKER,
        targetMs: 60 * MINUTE_MS,
        workflow: UNUSED_WORKFLOW,
        erasures: noErasures,
        log: silentLog,
        clock: clockFrom(START),
        ...overrides,
      });
      if (report.outcome === 'started') throw new Error('A workflow was started');
      return report;
    },
    async scratchDatabases(at) {
      const found = await asAdministrator((administrator) =>
        administrator.query<{ datname: string }>('SELECT datname FROM pg_database WHERE datname = $1', [
          scratchName('drill', site.source.name, new Date(at)),
        ]),
      );
      return found.rows.map((row) => row.datname);
    },
    async recorded() {
      const { rows } = await client.query<Record<string, unknown>>(
        'SELECT outcome, row_count::int, target_ms::int, error FROM operations.drills ORDER BY started_at',
      );
      return rows;
    },
  };
}
