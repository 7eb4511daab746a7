import { createConnector } from '../../core/database/connector';
import type { StepReport, StepRequest } from '../../lambdas/restore/contract';
import { runStep, type StepDependencies } from '../../lambdas/restore/steps';
import { clusterSecrets, clusterTarget } from '../support/database';
import { noErasures } from '../support/erasures';
import { silentLog } from '../support/log';
import { PG_DUMP_WORKER } from '../support/schema';
import type { ArchiveSite } from './archive';

type Report<Step extends StepReport['step']> = Extract<StepReport, { step: Step }>;
export type Restoring = Pick<Report<'prepare'>, 'database' | 'slot' | 'manifestSha256' | 'name'>;

/** Small, so that a table takes several calls. */
const GROUP_BYTES = 128 * 1024;

/** A restore of a site's archive, step by step, as the workflow for large archives makes it. */
export class SteppedRestore {
  restoring: Restoring | undefined;
  groups = 0;
  builds = 0;

  constructor(
    private readonly site: ArchiveSite,
    readonly targetDatabase: string,
    private readonly overrides: Partial<StepDependencies> = {},
    readonly startedAt = new Date().toISOString(),
    private readonly purpose?: 'drill',
  ) {}

  /** Takes every step, in an order that a map may have. */
  async run(): Promise<Report<'prove'>['proof']> {
    const proof = await this.proveAll();
    await this.release();
    return proof;
  }

  /** Takes every step up to the proof. */
  async proveAll(): Promise<Report<'prove'>['proof']> {
    await this.completeAll();
    return (await this.prove()).proof;
  }

  /** Takes every step before the proof. */
  async completeAll(): Promise<void> {
    await this.prepare();
    for (let number = this.groups - 1; number >= 0; number -= 1) await this.load(number);
    for (let number = 0; number < this.builds; number += 1) await this.untilDone(() => this.index(number));
    await this.untilDone(() => this.complete());
  }

  async prepare(): Promise<Report<'prepare'>> {
    const { targetDatabase, startedAt, purpose } = this;
    const report = await this.step({
      step: 'prepare',
      database: this.database,
      archive: 'latest',
      targetDatabase,
      startedAt,
      ...(purpose === undefined ? {} : { purpose }),
    });
    const { database, slot, manifestSha256, name, groups, builds } = report as Report<'prepare'>;
    this.restoring = { database, slot, manifestSha256, name };
    [this.groups, this.builds] = [groups, builds];
    return report as Report<'prepare'>;
  }

  async load(number: number): Promise<Report<'load'>> {
    return (await this.step({ ...this.base, step: 'load', number })) as Report<'load'>;
  }

  async index(number: number, overrides: Partial<StepDependencies> = {}): Promise<Report<'index'>> {
    return (await this.step({ ...this.base, step: 'index', number }, overrides)) as Report<'index'>;
  }

  async complete(overrides: Partial<StepDependencies> = {}): Promise<Report<'complete'>> {
    return (await this.step({ ...this.base, step: 'complete' }, overrides)) as Report<'complete'>;
  }

  async prove(overrides: Partial<StepDependencies> = {}): Promise<Report<'prove'>> {
    return (await this.step({ ...this.base, step: 'prove' }, overrides)) as Report<'prove'>;
  }

  async release(): Promise<void> {
    const { targetDatabase, startedAt } = this;
    await this.step({ ...this.base, step: 'release', targetDatabase, afterwards: 'keep', startedAt });
  }

  discard(): Promise<StepReport> {
    return this.step({ database: this.database, step: 'discard', startedAt: this.startedAt });
  }

  async untilDone(call: () => Promise<{ readonly done: boolean }>): Promise<void> {
    while (!(await call()).done);
  }

  private get database() {
    return this.site.source.connector.target.name;
  }

  private get base(): Restoring {
    if (!this.restoring) throw new Error('Prepare the restore first');
    return this.restoring;
  }

  private step(request: StepRequest, overrides: Partial<StepDependencies> = {}): Promise<StepReport> {
    const connector = createConnector(
      clusterTarget(this.site.source.name, this.database),
      clusterSecrets(),
      'restore',
      {
        plainSession: true,
      },
    );
    return runStep(
      {
        connector,
        store: this.site.store,
        migrationsDirectory: this.site.migrations.directory,
        pgDumpWorker: PG_DUMP_WORKER,
        erasures: noErasures,
        log: silentLog,
        clock: () => new Date(),
        stop: new AbortController().signal,
        groupBytes: GROUP_BYTES,
        ...this.overrides,
        ...overrides,
      },
      request,
    );
  }
}
