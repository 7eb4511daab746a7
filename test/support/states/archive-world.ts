import { stepContract, type StepReport, type StepRequest } from '../../../lambdas/backup/contract';
import { MINUTE } from './clock';
import type { Definition, Json, JsonObject } from '../../../local/states/definition';
import { StatesError } from '../../../local/states/errors';
import type { Execution, ExecutionOptions, Service } from '../../../local/states/interpreter';
import { RecoveryWorld } from './recovery-world';
import { textOf } from '../../../local/states/text';

const INVOKE = 'arn:aws:states:::lambda:invoke';
const SLOT_KEY = 'archives/main/slot';

/** The world around the workflow that archives a large main database: RDS, the backup function, and the list of parts. */
export class ArchiveWorld extends RecoveryWorld {
  /** Requests of the steps that succeeded, in their order. */
  readonly steps: StepRequest[] = [];
  readonly attempt = '8b647720-3d6a-41a6-8d70-0ec883ba3f1c';
  readonly parts: readonly string[] = ['a', 'b', 'c'].map((table) => `${SLOT_KEY}/public.${table}/00000.copy.zst`);
  /** Reads the object that lists the parts. */
  readList: (key: string) => string | Promise<string> = () => JSON.stringify(this.parts);
  /** May refuse a step. */
  onStep: (request: StepRequest) => void = () => undefined;
  /** What the backup function answers. @default an archive without rows */
  answerStep: (request: StepRequest) => StepReport | Promise<StepReport> = (request) => this.answered(request);

  /** @param described what RDS answers of the instance in use, besides its status */
  constructor(id?: string, described: JsonObject = {}) {
    super('main', id);
    this.rds.add(this.id, 'live data', 100, described);
  }

  archive(definition: Definition, input: JsonObject, options: Partial<ExecutionOptions> = {}): Promise<Execution> {
    const services: Record<string, Service> = {
      ...this.services,
      [INVOKE]: (given, context) =>
        textOf(given.FunctionName).endsWith('-backup')
          ? this.step(given.Payload)
          : (this.services[INVOKE]?.(given, context) ?? null),
      'arn:aws:states:::s3:getObject': ({ Key }) => this.readList(textOf(Key)),
    };
    return this.run(definition, input, { services, ...options });
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
      case 'plan':
        return this.planned();
      case 'part':
        return { step: 'part', part: request.part, outcome: 'copied', rows: 1, bytes: 1, compressedBytes: 1 };
      default: {
        const { database, slot } = request;
        const counts = { tables: 3, rows: 3, bytes: 3, compressedBytes: 3, durationMs: 1, expiredArchives: 0 };
        const names = { manifestKey: `${SLOT_KEY}/manifest.json`, manifestSha256: '0'.repeat(64) };
        const schemaChange = { state: 'not-compared', since: null, total: 0, objects: [] } as const;
        const rest = {
          outcome: 'created',
          omissions: [],
          schemaChange,
          sweptLeftovers: 0,
          housekeepingFailed: false,
        } as const;
        return { step: 'publish', archive: { database, slot, ...names, ...counts, ...rest } };
      }
    }
  }

  private planned(): StepReport {
    const { attempt, parts } = this;
    return {
      step: 'plan',
      attempt,
      parts: parts.length,
      bytes: 3,
      bucket: 'archives',
      partsKey: `${SLOT_KEY}/parts.json`,
    };
  }
}
