import { SECOND } from './clock';
import {
  type Catcher,
  type Definition,
  isDistributed,
  type Json,
  type JsonObject,
  type Retrier,
  type StateDefinition,
  validateDefinition,
} from './definition';
import { matches, StatesError } from './errors';
import { assertFits, Expressions } from './expressions';
import type { Execution, ExecutionOptions } from './execution';
import { assertTolerated, resultsOf } from './map-items';
import { retryDelayMs } from './retry';
import { textOf } from './text';
import { wayOut } from './ways-out';

export type { Execution, ExecutionOptions, Service, TokenAnswer } from './execution';
export { waysOut } from './ways-out';

/** Ends an execution, whatever catches what. */
class Stopped extends Error {
  constructor(readonly status: 'TIMED_OUT' | 'ABORTED') {
    super(status);
  }
}

/** States that one execution may enter. More is a loop that no time ends. */
const MAXIMUM_STATES = 5000;

/** Runs a state machine from beginning to end. */
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
    this.expressions = new Expressions(options.clock, options.arn);
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
  private async runStates(
    { StartAt, States }: Definition,
    input: Json,
    outer: JsonObject,
    isChild = false,
  ): Promise<Json> {
    let variables: JsonObject = {};
    let name = StartAt;
    let current = input;
    for (;;) {
      this.enter(name);
      if (!isChild) this.options.onEnter?.(name);
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

  private async pass(milliseconds: number): Promise<void> {
    const { clock } = this.options;
    await clock.wait(Math.min(Math.max(milliseconds, 0), this.deadlineMs - clock.nowMs + 1));
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
        await this.pass(await this.waitMs(state, { variables, states }));
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
        Id: this.options.arn ?? `arn:aws:states:eu-central-1:333333333333:execution:recovery:${id}`,
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
          await this.pass(retryDelayMs(retrier, before));
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
      await this.pass(seconds * SECOND);
      throw new StatesError('States.Timeout', `No answer to the task token within ${seconds} seconds`);
    }
    await this.pass(answer.afterMs);
    if ('error' in answer) throw new StatesError(answer.error, answer.cause ?? '');
    return answer.output;
  }

  private async runMap(state: StateDefinition, scope: Scope): Promise<Json> {
    const items = await this.itemsOf(state, scope);
    const { ItemProcessor: processor } = state;
    if (!processor || !Array.isArray(items)) {
      throw new StatesError('States.Runtime', 'Map needs an ItemProcessor, and an array of items');
    }
    const failures: StatesError[] = [];
    const { concurrent = false } = this.options;
    return resultsOf(items as Json[], state, concurrent && isDistributed(state), async (value, index) => {
      const context = { ...(scope.states.context as JsonObject), Map: { Item: { Index: index, Value: value } } };
      const selected =
        state.ItemSelector === undefined
          ? value
          : await this.expressions.evaluate(state.ItemSelector, { ...scope, states: { ...scope.states, context } });
      if (!isDistributed(state)) return this.runStates(processor, selected, scope.variables);
      const result = await this.runChild(processor, selected, failures);
      assertTolerated(state, failures, items.length);
      return result;
    });
  }

  /** The items of a Map: of an expression, or of an object in S3, which is an array in JSON. */
  private async itemsOf({ ItemReader: reader, Items }: StateDefinition, scope: Scope): Promise<Json> {
    if (!reader) return this.expressions.evaluate(Items ?? (scope.states.input as Json), scope);
    const service = this.options.services[reader.Resource];
    if (!service || reader.ReaderConfig?.InputType !== 'JSON') {
      throw new StatesError('States.Runtime', `The reader ${reader.Resource} is none of JSON in S3`);
    }
    const given = (await this.expressions.evaluate(reader.Arguments ?? {}, scope)) as JsonObject;
    try {
      const items = JSON.parse(textOf(await service(given, scope.states.context as JsonObject))) as Json;
      if (Array.isArray(items)) return items as Json;
      throw new Error('it is no array');
    } catch (error) {
      throw new StatesError('States.ItemReaderFailed', `Cannot read the items: ${(error as Error).message}`);
    }
  }

  /**
   * One item of a distributed Map, as an execution of its own: it sees no variable of the execution that started it, and its
   * states are none of that one.
   */
  private async runChild(processor: Definition, input: Json, failures: StatesError[]): Promise<Json> {
    try {
      return await this.runStates(processor, input, {}, true);
    } catch (error) {
      if (!(error instanceof StatesError)) throw error;
      failures.push(error);
      return null;
    }
  }
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
