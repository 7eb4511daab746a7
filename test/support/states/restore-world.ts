import type * as z from 'zod';
import {
  stepContract as drillContract,
  type DrillStepReport,
  type DrillStepRequest,
} from '../../../lambdas/drill/contract';
import { stepContract, type StepReport, type StepRequest } from '../../../lambdas/restore/contract';
import { MINUTE, VirtualClock } from './clock';
import type { Definition, Json, JsonObject } from '../../../local/states/definition';
import { StatesError } from '../../../local/states/errors';
import { execute, type Execution, type ExecutionOptions } from '../../../local/states/interpreter';

/** The world around the workflow that restores a large archive of a main database: the functions restore and drill. */
export class RestoreWorld {
  readonly clock = new VirtualClock('2026-11-21T12:00:00Z');
  /** Requests of the steps that succeeded, in their order. */
  readonly steps: (StepRequest | DrillStepRequest)[] = [];
  /** May refuse a step. */
  onStep: (request: StepRequest | DrillStepRequest) => void = () => undefined;
  /** What the restore function answers. @default a restore of two groups, one table with indexes, and nothing else */
  answerStep: (request: StepRequest) => StepReport | Promise<StepReport> = (request) => this.answered(request);
  /** What the drill function answers. @default what it was asked to record */
  answerDrill: (request: DrillStepRequest) => DrillStepReport | Promise<DrillStepReport> = drilled;

  restore(definition: Definition, input: JsonObject, options: Partial<ExecutionOptions> = {}): Promise<Execution> {
    const { clock } = this;
    const services = { 'arn:aws:states:::lambda:invoke': (given: JsonObject) => this.step(given) };
    return execute(definition, { clock, input, services, ...options });
  }

  private async step({ FunctionName: name, Payload: payload }: JsonObject): Promise<Json> {
    const report = JSON.stringify(name).includes('restore')
      ? await this.taken(stepContract, payload, this.answerStep)
      : await this.taken(drillContract, payload, this.answerDrill);
    return { Payload: report as Json };
  }

  private async taken<Contract extends typeof stepContract | typeof drillContract>(
    contract: Contract,
    payload: Json | undefined,
    answer: (request: z.infer<Contract['request']>) => unknown,
  ): Promise<unknown> {
    const read = contract.request.safeParse(payload);
    if (!read.success) throw new StatesError('InvalidRequest', read.error.message);
    const request = read.data as z.infer<Contract['request']>;
    this.onStep(request);
    const report = contract.report.parse(await answer(request));
    this.steps.push(request);
    return report;
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
        return { step: 'prove', done: true, proof: { ...counted, ...named } };
      }
      case 'release':
        return { step: 'release', durationMs: 1 };
      default:
        return { step: 'discard', name: request.name ?? 'restoring_main_20261121t120000z' };
    }
  }
}

/** A drill of a minute that passed, or failed, as the request says. */
export function drilled(request: DrillStepRequest): DrillStepReport {
  const passed = request.step === 'record';
  const measured = passed ? 1 : null;
  const record = {
    database: request.database,
    startedAt: request.startedAt,
    outcome: passed ? ('passed' as const) : ('failed' as const),
    slot: passed ? request.slot : null,
    tables: measured,
    rows: measured,
    durationMs: passed ? Date.parse(request.finishedAt) - Date.parse(request.startedAt) : null,
    restoredBytes: measured,
    bytesPerSecond: measured,
    liveBytes: measured,
    projectedMs: measured,
    targetMs: 4 * 60 * MINUTE,
    targetPercent: measured,
    deviations: passed ? 0 : null,
    schemaDifferences: passed ? 0 : null,
    error: passed ? null : request.error,
  };
  return { step: request.step, name: 'drilling_main_20261121t120000z', record };
}
