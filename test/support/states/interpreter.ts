import { SECOND, type VirtualClock } from './clock';
import {
  type Catcher,
  type Definition,
  type Json,
  type JsonObject,
  type Retrier,
  type StateDefinition,
  validateDefinition,
} from './definition';
import { matches, StatesError } from './errors';
import { assertFits, Expressions } from './expressions';
import { textOf } from './text';

/** What answers one `Resource`: an API, a function, or whoever holds a task token. */
export type Service = (argumentsGiven: JsonObject, context: JsonObject) => Json | Promise<Json>;

/** The answer to a task token. */
export type TokenAnswer =
  | { readonly afterMs: number; readonly output: Json }
  | { readonly afterMs: number; readonly error: string; readonly cause?: string }
  | 'never';

export interface ExecutionOptions {
  readonly clock: VirtualClock;
  /** By `Resource`. One that is missing fails as an API that does not exist. */
  readonly services: Readonly<Record<string, Service>>;
  readonly input?: Json;
  /** @default execution */
  readonly name?: string;
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

/** Ends an execution, whatever catches what. */
class Stopped extends Error {
  constructor(readonly status: 'TIMED_OUT' | 'ABORTED') {
    super(status);
  }
}

/** States that one execution may enter. More is a loop that no time ends. */
const MAXIMUM_STATES = 5000;

/** Runs a state machine from beginning to end, on a clock of its own. */
export async function execute(definition: Definition, options: ExecutionOptions): Promise<Execution> {
  validateDefinition(definition);
  return new Interpreter(definition, options).run();
}

class Interpreter {
  private readonly visited: string[] = [];
  private readonly left: string[] = [];
  private readonly visits = new Map<string, number>();
  private readonly expressions: Expressions;
  private readonly startedAtMs: number;
  private readonly deadlineMs: number;
  private tokens = 0;

  constructor(
    private readonly definition: Definition,
    private readonly options: ExecutionOptions,
  ) {
    this.expressions = new Expressions(options.clock);
    this.startedAtMs = options.clock.nowMs;
    this.deadlineMs = this.startedAtMs + (definition.TimeoutSeconds ?? Infinity) * SECOND;
  }

  async run(): Promise<Execution> {
    const { clock, input = {} } = this.options;
    const ended = (rest: Omit<Execution, 'states' | 'left' | 'startedAtMs' | 'endedAtMs'>): Execution => ({
      ...rest,
      states: this.visited,
      left: this.left,
      startedAtMs: this.startedAtMs,
      endedAtMs: clock.nowMs,
    });
    try {
      return ended({ status: 'SUCCEEDED', output: await this.runStates(this.definition, input, {}) });
    } catch (error) {
      if (error instanceof Stopped) return ended({ status: error.status });
      if (error instanceof StatesError) return ended({ status: 'FAILED', error: error.error, cause: error.cause });
      throw error;
    }
  }

  /** Runs states until one ends. Variables of `outer` can be read, and not be set. */
  private async runStates({ StartAt, States }: Definition, input: Json, outer: JsonObject): Promise<Json> {
    let variables: JsonObject = {};
    let name = StartAt;
    let current = input;
    for (;;) {
      this.enter(name);
      const state = States[name];
      if (!state) throw new StatesError('States.Runtime', `No state is called ${name}`);
      const step = await this.runState(name, state, current, { ...outer, ...variables });
      for (const variable of Object.keys(step.assigned)) {
        if (variable in outer) throw new StatesError('States.Runtime', `${name} sets ${variable} of an outer scope`);
      }
      variables = { ...variables, ...step.assigned };
      current = step.output;
      if (step.next === undefined) return current;
      name = step.next;
    }
  }

  private enter(name: string): void {
    const visit = (this.visits.get(name) ?? 0) + 1;
    this.visits.set(name, visit);
    this.visited.push(name);
    if (this.visited.length > MAXIMUM_STATES) throw new Error(`A loop without an end, at ${name}`);
    if (this.options.abortAt?.(name, visit)) throw new Stopped('ABORTED');
    this.checkTime();
  }

  private checkTime(): void {
    if (this.options.clock.nowMs > this.deadlineMs) throw new Stopped('TIMED_OUT');
  }

  private pass(milliseconds: number): void {
    const { clock } = this.options;
    clock.advance(Math.min(Math.max(milliseconds, 0), this.deadlineMs - clock.nowMs + 1));
    this.checkTime();
  }

  private async runState(name: string, state: StateDefinition, input: Json, variables: JsonObject): Promise<Step> {
    const states = { input, context: this.context(name) };
    switch (state.Type) {
      case 'Task':
      case 'Map':
      case 'Parallel':
        return this.runWithRetries(name, state, input, variables);
      case 'Choice':
        return this.choose(name, state, { variables, states });
      case 'Wait':
        this.pass(await this.waitMs(state, { variables, states }));
        this.left.push(wayOut(name));
        return this.leave(state, { variables, states }, input);
      case 'Pass':
      case 'Succeed':
        this.left.push(wayOut(name));
        return this.leave(state, { variables, states }, input);
      default: {
        const error = await this.expressions.evaluate(state.Error ?? '', { variables, states });
        const cause = await this.expressions.evaluate(state.Cause ?? '', { variables, states });
        throw new StatesError(textOf(error), textOf(cause));
      }
    }
  }

  private context(name: string): JsonObject {
    const started = new Date(this.startedAtMs).toISOString();
    const id = this.options.name ?? 'execution';
    return {
      Execution: {
        Id: `arn:aws:states:eu-central-1:333333333333:execution:recovery:${id}`,
        Input: this.options.input ?? {},
        Name: id,
        StartTime: started,
      },
      State: { Name: name, EnteredTime: new Date(this.options.clock.nowMs).toISOString() },
    };
  }

  /** Assign and Output both see the variables as they were when the state was entered. */
  private async leave(
    fields: Pick<StateDefinition, 'Assign' | 'Output' | 'Next'>,
    scope: Scope,
    defaultOutput: Json,
  ): Promise<Step> {
    const assigned = await this.expressions.evaluate(fields.Assign ?? {}, scope);
    const output = fields.Output === undefined ? defaultOutput : await this.expressions.evaluate(fields.Output, scope);
    assertFits(assigned, 'What a state assigns');
    assertFits(output, 'The output of a state');
    return { assigned: assigned as JsonObject, output, next: fields.Next };
  }

  private async choose(name: string, state: StateDefinition, scope: Scope): Promise<Step> {
    const { input } = scope.states as { input: Json };
    for (const [index, rule] of (state.Choices ?? []).entries()) {
      const holds = await this.expressions.evaluate(rule.Condition, scope);
      if (typeof holds !== 'boolean') {
        throw new StatesError('States.QueryEvaluationError', `'${rule.Condition}' of ${name} is no boolean`);
      }
      if (!holds) continue;
      this.left.push(wayOut(name, `rule ${index + 1}`));
      return this.leave(rule, scope, input);
    }
    if (state.Default === undefined) throw new StatesError('States.Runtime', `No choice of ${name} matches`);
    this.left.push(wayOut(name, 'no rule'));
    return this.leave({ ...state, Next: state.Default }, scope, input);
  }

  private async waitMs({ Seconds, Timestamp }: StateDefinition, scope: Scope): Promise<number> {
    if (Seconds !== undefined) return Number(await this.expressions.evaluate(Seconds, scope)) * SECOND;
    const until = Date.parse(textOf(await this.expressions.evaluate(Timestamp ?? '', scope)));
    if (Number.isNaN(until)) throw new StatesError('States.Runtime', `${Timestamp} is no time`);
    return until - this.options.clock.nowMs;
  }

  private async runWithRetries(
    name: string,
    state: StateDefinition,
    input: Json,
    variables: JsonObject,
  ): Promise<Step> {
    const attempts = new Map<Retrier, number>();
    for (;;) {
      const states = { input, context: this.context(name) };
      try {
        const result = await this.attempt(name, state, { variables, states });
        assertFits(result, `The result of ${name}`);
        const step = await this.leave(state, { variables, states: { ...states, result } }, result);
        this.left.push(wayOut(name));
        return step;
      } catch (error) {
        if (!(error instanceof StatesError)) throw error;
        const retrier = state.Retry?.find(({ ErrorEquals }) => matches(ErrorEquals, error.error));
        const before = retrier === undefined ? 0 : (attempts.get(retrier) ?? 0);
        if (retrier && before < (retrier.MaxAttempts ?? 3)) {
          attempts.set(retrier, before + 1);
          this.pass(retryDelayMs(retrier, before));
          continue;
        }
        const catcher = state.Catch?.find(({ ErrorEquals }) => matches(ErrorEquals, error.error));
        if (!catcher) throw error;
        this.left.push(wayOut(name, catcher.ErrorEquals.join(', ')));
        return this.recover(catcher, error, { variables, states });
      }
    }
  }

  private recover(catcher: Catcher, { error, cause }: StatesError, { variables, states }: Scope): Promise<Step> {
    const errorOutput = { Error: error, Cause: cause };
    return this.leave(catcher, { variables, states: { ...states, errorOutput } }, errorOutput);
  }

  private async attempt(name: string, state: StateDefinition, scope: Scope): Promise<Json> {
    const error = this.options.failAt?.(name);
    if (error !== undefined) throw new StatesError(error, 'refused for good');
    if (state.Type === 'Map') return this.runMap(state, scope);
    const given = await this.expressions.evaluate(state.Arguments ?? {}, this.withToken(state, scope));
    assertFits(given, `What ${name} asks for`);
    if (state.Type === 'Parallel') {
      const results: Json[] = [];
      for (const branch of state.Branches ?? []) results.push(await this.runStates(branch, given, scope.variables));
      return results;
    }
    return this.runTask(state, given as JsonObject, scope);
  }

  private withToken(state: StateDefinition, { variables, states }: Scope): Scope {
    if (!state.Resource?.endsWith('.waitForTaskToken')) return { variables, states };
    const context = { ...(states.context as object), Task: { Token: `token-${++this.tokens}` } };
    return { variables, states: { ...states, context } };
  }

  private async runTask(state: StateDefinition, given: JsonObject, scope: Scope): Promise<Json> {
    const resource = state.Resource ?? '';
    const service = this.options.services[resource];
    if (!service) throw new StatesError('States.Runtime', `The resource ${resource} does not exist`);
    const token = `token-${this.tokens}`;
    const result = await service(given, scope.states.context as JsonObject);
    this.checkTime();
    if (!resource.endsWith('.waitForTaskToken')) return result;
    const seconds =
      state.TimeoutSeconds === undefined
        ? Infinity
        : Number(await this.expressions.evaluate(state.TimeoutSeconds, scope));
    const answer = this.options.answer?.(given, token) ?? 'never';
    if (answer === 'never' || answer.afterMs > seconds * SECOND) {
      this.pass(seconds * SECOND);
      throw new StatesError('States.Timeout', `No answer to the task token within ${seconds} seconds`);
    }
    this.pass(answer.afterMs);
    if ('error' in answer) throw new StatesError(answer.error, answer.cause ?? '');
    return answer.output;
  }

  private async runMap(state: StateDefinition, scope: Scope): Promise<Json> {
    const items = await this.expressions.evaluate(state.Items ?? (scope.states.input as Json), scope);
    if (!state.ItemProcessor || !Array.isArray(items)) {
      throw new StatesError('States.Runtime', 'Map needs an ItemProcessor, and an array of items');
    }
    const results: Json[] = [];
    for (const [index, value] of (items as Json[]).entries()) {
      const context = { ...(scope.states.context as JsonObject), Map: { Item: { Index: index, Value: value } } };
      const selected =
        state.ItemSelector === undefined
          ? value
          : await this.expressions.evaluate(state.ItemSelector, { ...scope, states: { ...scope.states, context } });
      results.push(await this.runStates(state.ItemProcessor, selected, scope.variables));
    }
    return results;
  }
}

const wayOut = (name: string, by?: string) => (by === undefined ? name : `${name}: ${by}`);

/** Every way out of every state, those of Map included: its end, each rule, and each catcher by its errors. */
export function waysOut({ States }: Definition): string[] {
  return Object.entries(States).flatMap(([name, state]) => {
    const nested = [...(state.Branches ?? []), ...(state.ItemProcessor ? [state.ItemProcessor] : [])].flatMap(waysOut);
    if (state.Type === 'Fail') return [];
    if (state.Type === 'Choice') {
      const rules = (state.Choices ?? []).map((_, index) => wayOut(name, `rule ${index + 1}`));
      return state.Default === undefined ? rules : [...rules, wayOut(name, 'no rule')];
    }
    const caught = (state.Catch ?? []).map(({ ErrorEquals }) => wayOut(name, ErrorEquals.join(', ')));
    return [wayOut(name), ...caught, ...nested];
  });
}

interface Scope {
  readonly variables: JsonObject;
  readonly states: Readonly<Record<string, unknown>>;
}

/** What a state leaves behind. */
interface Step {
  readonly assigned: JsonObject;
  readonly output: Json;
  readonly next: string | undefined;
}

/** Before attempt number `before` + 2; of a full jitter, the mean. */
function retryDelayMs(retrier: Retrier, before: number): number {
  const { IntervalSeconds = 1, BackoffRate = 2, MaxDelaySeconds = Infinity, JitterStrategy } = retrier;
  const seconds = Math.min(IntervalSeconds * BackoffRate ** before, MaxDelaySeconds);
  return (JitterStrategy === 'FULL' ? seconds / 2 : seconds) * SECOND;
}
