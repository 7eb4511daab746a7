import { stepContract, type StepReport, type StepRequest } from '../../../lambdas/restore/contract';
import { MINUTE, VirtualClock } from './clock';
import type { Definition, Json, JsonObject } from './definition';
import { StatesError } from './errors';
import { execute, type Execution, type ExecutionOptions } from './interpreter';

/** The world around the workflow that restores a large archive of a main database: the restore function. */
export class RestoreWorld {
  readonly clock = new VirtualClock('2026-11-21T12:00:00Z');
  /** Requests of the steps that succeeded, in their order. */
  readonly steps: StepRequest[] = [];
  /** May refuse a step. */
  onStep: (request: StepRequest) => void = () => undefined;
  /** What the restore function answers. @default a restore of two groups, one table with indexes, and nothing else */
  answerStep: (request: StepRequest) => StepReport | Promise<StepReport> = (request) => this.answered(request);

  restore(definition: Definition, input: JsonObject, options: Partial<ExecutionOptions> = {}): Promise<Execution> {
    const { clock } = this;
    const services = { 'arn:aws:states:::lambda:invoke': (given: JsonObject) => this.step(given.Payload) };
    return execute(definition, { clock, input, services, ...options });
  }

  private async step(payload: Json | undefined): Promise<Json> {
    const read = stepContract.request.safeParse(payload);
    if (!read.success) throw new StatesError('InvalidRequest', read.error.message);
    this.onStep(read.data);
    const report = stepContract.report.parse(await this.answerStep(read.data));
    this.steps.push(read.data);
    return { Payload: report as unknown as Json };
  }

  private answered(request: StepRequest): StepReport {
    this.clock.advance(MINUTE);
    switch (request.step) {
      case 'prepare': {
        const slot = request.archive;
        const restoring = { database: request.database, slot, manifestSha256: '0'.repeat(64) };
        const name = 'restoring_main_20261121t120000z';
        return { step: 'prepare', ...restoring, name, resumed: false, groups: 2, builds: 1 };
      }
      case 'load':
        return { step: 'load', rows: 1 };
      case 'index':
      case 'complete':
        return { step: request.step, done: true };
      case 'prove': {
        const counted = { foreignKeysValidated: 1, sequencesRestored: 1, invariantsChecked: 0 };
        const named = { migratedForward: [], rolesCreated: [], deviations: [], schemaDifferences: [], rowsErased: 0 };
        return { step: 'prove', proof: { ...counted, ...named } };
      }
      case 'release':
        return { step: 'release', durationMs: 1 };
      default:
        return { step: 'discard', name: request.name ?? 'restoring_main_20261121t120000z' };
    }
  }
}
