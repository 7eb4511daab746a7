import { createConnector } from '../../core/database/connector';
import type { StepDependencies } from '../../lambdas/backup/archive-steps';
import type { PartReport, PlanReport, PublishReport, StepRequest } from '../../lambdas/backup/contract';
import { runStep } from '../../lambdas/backup/run-step';
import { waitUntil } from '../../local/pass/check';
import { asAdministrator, clusterSecrets, clusterTarget } from '../support/database';
import { silentLog } from '../support/log';
import { PG_DUMP_WORKER } from '../support/schema';
import { type ArchiveSite, readObject } from './archive';

export const RECOVERY_POINT = {
  snapshot: 'arn:aws:rds:eu-central-1:1:snapshot:awsbackup:job-1',
  takenAt: '2026-11-21T00:04:00Z',
};

/** The archive of a site's database, step by step, as the workflow for large databases makes it. */
export class StillArchive {
  readonly slot: string;
  private attempt = '';

  constructor(
    private readonly site: ArchiveSite,
    private readonly overrides: Partial<StepDependencies> = {},
    slot = '2026-11-21T06:00:00Z',
  ) {
    this.slot = slot;
  }

  /** Plans, copies every part and publishes. */
  async make(): Promise<PublishReport['archive']> {
    for (const part of await this.parts(await this.plan())) await this.copy(part);
    return this.publish();
  }

  async plan(): Promise<PlanReport> {
    await this.untilAlone();
    return this.planAtOnce();
  }

  /** Plans, whoever is connected. */
  async planAtOnce(): Promise<PlanReport> {
    const report = (await this.step({ ...this.base, step: 'plan', recoveryPoint: RECOVERY_POINT })) as PlanReport;
    this.attempt = report.attempt;
    return report;
  }

  /** Keys of the parts, as the workflow reads them. */
  async parts({ partsKey }: PlanReport): Promise<string[]> {
    return JSON.parse((await readObject(this.site.store, partsKey)).toString('utf8')) as string[];
  }

  async copy(part: string): Promise<PartReport> {
    return (await this.step({ ...this.base, step: 'part', attempt: this.attempt, part })) as PartReport;
  }

  async publish(): Promise<PublishReport['archive']> {
    const report = await this.step({ ...this.base, step: 'publish', attempt: this.attempt });
    return (report as PublishReport).archive;
  }

  /** Ends the sessions of the test itself, which stay listed for a moment. */
  async untilAlone(): Promise<void> {
    const end = 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1';
    await waitUntil(async () => {
      const others = await asAdministrator((client) => client.query(end, [this.site.source.name]));
      return others.rowCount === 0 ? undefined : 'others are still connected';
    }, 10_000);
  }

  private get base() {
    return { database: 'main', slot: this.slot, host: 'the copy' } as const;
  }

  private step(request: StepRequest) {
    const connector = createConnector(clusterTarget(this.site.source.name, 'main'), clusterSecrets(), 'backup');
    return runStep(
      {
        connector,
        store: this.site.store,
        retentionDays: 30,
        pgDumpWorker: PG_DUMP_WORKER,
        log: silentLog,
        clock: () => new Date(),
        stop: new AbortController().signal,
        ...this.overrides,
      },
      request,
    );
  }
}
