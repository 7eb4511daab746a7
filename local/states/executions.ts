import { impatientClock, type WorkflowClock } from './clock';
import type { Definition, Json, JsonObject } from './definition';
import { StatesError } from './errors';
import type { Service } from './execution';
import { execute } from './interpreter';

/** A state machine that can be started. */
export interface StateMachine {
  readonly arn: string;
  readonly name: string;
  readonly definition: Definition;
  /** Completes the input before the first state, by what only this machine knows. @default - the input is complete */
  readonly completeInput?: (input: JsonObject) => Promise<JsonObject>;
  /** Called with the completed input when an execution has ended, however it did. @default - nothing is left to remove */
  readonly cleanUp?: (input: JsonObject) => Promise<void>;
}

export type ExecutionStatus = 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'ABORTED';

/** One execution, under way or ended. Times are in milliseconds since 1970. */
export interface ExecutionRecord {
  readonly arn: string;
  readonly name: string;
  readonly machine: StateMachine;
  /** As it was given. */
  readonly input: string;
  readonly startedAtMs: number;
  /** The states that it entered, in their order. */
  readonly entered: readonly { readonly state: string; readonly atMs: number }[];
  readonly status: ExecutionStatus;
  readonly stoppedAtMs?: number;
  readonly output?: Json;
  readonly error?: string;
  readonly cause?: string;
}

interface Running extends ExecutionRecord {
  status: ExecutionStatus;
  stoppedAtMs?: number;
  output?: Json;
  error?: string;
  cause?: string;
  readonly entered: { readonly state: string; readonly atMs: number }[];
  readonly stop: AbortController;
  /** Given by the caller that stopped it. */
  stopped?: { readonly error?: string; readonly cause?: string };
}

/** Longest wait of a state. */
const LONGEST_WAIT_MS = 1_000;

export interface ExecutionsOptions {
  /** By `Resource`: what their tasks call. */
  readonly services: Readonly<Record<string, Service>>;
  /** Receives each execution that has ended. @default - none */
  readonly observe?: (execution: ExecutionRecord) => void;
  /** @default - the time of this machine, with waits of a second at most */
  readonly clock?: (stop: AbortSignal) => WorkflowClock;
}

/** The executions of some state machines, as long as this process lives. */
export class Executions {
  private readonly records: Running[] = [];

  constructor(private readonly options: ExecutionsOptions) {}

  /** Of one state machine, the newest first. */
  of(machineArn: string): readonly ExecutionRecord[] {
    return this.records.filter(({ machine }) => machine.arn === machineArn).toReversed();
  }

  find(arn: string): ExecutionRecord | undefined {
    return this.records.find((record) => record.arn === arn);
  }

  /** Begins an execution, which goes on by itself. @param name unique among those of the state machine */
  start(machine: StateMachine, name: string, input: string): ExecutionRecord {
    const record: Running = {
      arn: `${machine.arn.replace(':stateMachine:', ':execution:')}:${name}`,
      name,
      machine,
      input,
      startedAtMs: Date.now(),
      entered: [],
      status: 'RUNNING',
      stop: new AbortController(),
    };
    this.records.push(record);
    void this.run(record);
    return record;
  }

  /** Ends an execution at its next state. What a task is doing goes on to its end. */
  stop(arn: string, reason: { readonly error?: string; readonly cause?: string } = {}): void {
    const record = this.records.find((candidate) => candidate.arn === arn);
    if (record?.status !== 'RUNNING') return;
    record.stopped = reason;
    Object.assign(record, { status: 'ABORTED', stoppedAtMs: Date.now(), ...reason });
    record.stop.abort();
  }

  /** Ends all. */
  stopAll(): void {
    for (const { arn } of this.records) this.stop(arn, { error: 'Stopped', cause: 'The platform was stopped' });
  }

  private async run(record: Running): Promise<void> {
    const { services, observe, clock = (stop) => impatientClock(LONGEST_WAIT_MS, stop) } = this.options;
    const { machine, stop } = record;
    let input: JsonObject | undefined;
    try {
      const given = JSON.parse(record.input) as JsonObject;
      input = machine.completeInput ? await machine.completeInput(given) : given;
      const { status, output, error, cause } = await execute(machine.definition, {
        clock: clock(stop.signal),
        services,
        input,
        name: record.name,
        arn: record.arn,
        concurrent: true,
        onEnter: (state) => record.entered.push({ state, atMs: Date.now() }),
        abortAt: () => stop.signal.aborted,
      });
      if (record.status === 'RUNNING') Object.assign(record, { status, output, error, cause });
    } catch (cause) {
      if (record.status === 'RUNNING') Object.assign(record, { status: 'FAILED', ...described(cause) });
    }
    if (input) await machine.cleanUp?.(input).catch(() => undefined);
    record.stoppedAtMs ??= Date.now();
    observe?.(record);
  }
}

function described(error: unknown): { readonly error: string; readonly cause: string } {
  if (error instanceof StatesError) return { error: error.error, cause: error.cause };
  return { error: 'States.Runtime', cause: error instanceof Error ? error.message : String(error) };
}
