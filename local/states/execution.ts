import type { WorkflowClock } from './clock';
import type { Json, JsonObject } from './definition';

/** What answers one `Resource`: an API, a function, or whoever holds a task token. */
export type Service = (argumentsGiven: JsonObject, context: JsonObject) => Json | Promise<Json>;

/** The answer to a task token. */
export type TokenAnswer =
  | { readonly afterMs: number; readonly output: Json }
  | { readonly afterMs: number; readonly error: string; readonly cause?: string }
  | 'never';

export interface ExecutionOptions {
  readonly clock: WorkflowClock;
  /** By `Resource`. One that is missing fails as an API that does not exist. */
  readonly services: Readonly<Record<string, Service>>;
  readonly input?: Json;
  /** @default execution */
  readonly name?: string;
  /** @default - one that is made of the name */
  readonly arn?: string;
  /** Whether items of a distributed Map are at work at the same time. @default false: one after the other */
  readonly concurrent?: boolean;
  /** Called with each state that the execution enters, without those of the items of a distributed Map. */
  readonly onEnter?: (state: string) => void;
  /** Answers what waits for a task token. @default nobody does */
  readonly answer?: (argumentsGiven: JsonObject, taskToken: string) => TokenAnswer;
  /** Stops the execution when it enters a state, as an operator or a fault of AWS would. @default - never */
  readonly abortAt?: (state: string, visit: number) => boolean;
  /** Error of every attempt of a state that calls something, whatever its service would answer. @default - none */
  readonly failAt?: (state: string) => string | undefined;
}

export interface Execution {
  readonly status: 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'ABORTED';
  readonly output?: Json;
  readonly error?: string;
  readonly cause?: string;
  /** Names of the states that were entered, in their order. */
  readonly states: readonly string[];
  /** How each of them was left, as {@link waysOut} names it. */
  readonly left: readonly string[];
  readonly startedAtMs: number;
  readonly endedAtMs: number;
}
