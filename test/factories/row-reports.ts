import { createConnector } from '../../core/database/connector';
import type { ReportDependencies } from '../../lambdas/row-recovery/report';
import { clusterSecrets } from '../support/database';
import { noErasures } from '../support/erasures';
import { silentLog } from '../support/log';
import { PG_DUMP_WORKER } from '../support/schema';
import type { ArchiveSite } from './archive';

/** What a report of lost rows works with: the live database of a site, its archives, and its server for instances. */
export function rowReporting({ source: { connector }, store, migrations }: ArchiveSite): ReportDependencies {
  return {
    connector,
    connectorAt: (place) => createConnector({ ...connector.target, ...place }, clusterSecrets(), 'test'),
    store,
    migrationsDirectory: migrations.directory,
    pgDumpWorker: PG_DUMP_WORKER,
    erasures: noErasures,
    limitBytes: 40 * 1024 ** 3,
    log: silentLog,
    clock: () => new Date(),
  };
}
