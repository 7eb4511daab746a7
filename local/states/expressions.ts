import { createHash } from 'node:crypto';
import jsonata from 'jsonata';
import type { WorkflowClock } from './clock';
import type { Json, JsonObject } from './definition';
import { StatesError } from './errors';

const EXPRESSION = /^\{%([\s\S]*)%\}$/;
/** Most that one state may pass on, or one variable hold. */
const MAXIMUM_BYTES = 256 * 1024;

/** Expressions of loops are evaluated hundreds of times. */
const known = new Map<string, jsonata.Expression>();

function parsed(text: string): jsonata.Expression {
  const expression = known.get(text) ?? jsonata(text);
  known.set(text, expression);
  return expression;
}

/** What expressions see besides the variables. */
export interface Scope {
  readonly variables: JsonObject;
  /** `$states`: `input`, `result`, `errorOutput`, `context`. */
  readonly states: Readonly<Record<string, unknown>>;
}

/**
 * Evaluates expressions as Step Functions does: by the real library, with the functions that Step Functions adds; a
 * result that JSON has no value for fails the state.
 */
export class Expressions {
  private uuids = 0;

  /** @param seed of the values of `$uuid()`, which are the same in every run of an execution of that name */
  constructor(
    private readonly clock: WorkflowClock,
    private readonly seed = '',
  ) {}

  /**
   * Evaluates every `{% … %}` in a value, however deep.
   *
   * @throws StatesError `States.QueryEvaluationError`
   */
  async evaluate(template: Json, scope: Scope): Promise<Json> {
    if (typeof template === 'string') {
      const expression = EXPRESSION.exec(template)?.[1];
      return expression === undefined ? template : this.evaluateExpression(expression, scope);
    }
    if (Array.isArray(template)) {
      const values: Json[] = [];
      for (const value of template as Json[]) values.push(await this.evaluate(value, scope));
      return values;
    }
    if (typeof template !== 'object' || template === null) return template;
    const evaluated: Record<string, Json> = {};
    for (const [key, value] of Object.entries(template)) evaluated[key] = await this.evaluate(value, scope);
    return evaluated;
  }

  private async evaluateExpression(text: string, { variables, states }: Scope): Promise<Json> {
    let result: unknown;
    try {
      const bindings = { ...variables, states, ...this.functions() };
      result = await parsed(text).evaluate(undefined, bindings);
    } catch (error) {
      const { message } = error as { message: string };
      throw new StatesError('States.QueryEvaluationError', `The expression '${text.trim()}' failed: ${message}`);
    }
    if (result === undefined || typeof result === 'function') {
      throw new StatesError(
        'States.QueryEvaluationError',
        `The JSONata expression '${text.trim()}' returned nothing (undefined).`,
      );
    }
    // Without what the library keeps on its arrays.
    return JSON.parse(JSON.stringify(result)) as Json;
  }

  /** The library's own clock, replaced, and the functions that Step Functions adds. `$eval` is not available there. */
  private functions(): Record<string, unknown> {
    return {
      millis: () => this.clock.nowMs,
      now: () => new Date(this.clock.nowMs).toISOString(),
      uuid: () => {
        const hash = createHash('sha256')
          .update(`${this.seed}${this.uuids++}`)
          .digest('hex');
        return `${hash.slice(0, 8)}-${hash.slice(8, 12)}-4${hash.slice(13, 16)}-8${hash.slice(17, 20)}-${hash.slice(20, 32)}`;
      },
      parse: (text: string) => JSON.parse(text) as unknown,
      range: (first: number, last: number, step: number) =>
        Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, at) => first + at * step),
      partition: (values: readonly unknown[], size: number) =>
        Array.from({ length: Math.ceil(values.length / size) }, (_, at) => values.slice(at * size, (at + 1) * size)),
      eval: undefined,
    };
  }
}

/** @throws StatesError `States.DataLimitExceeded` */
export function assertFits(value: Json, what: string): void {
  const bytes = Buffer.byteLength(JSON.stringify(value));
  if (bytes > MAXIMUM_BYTES) {
    throw new StatesError('States.DataLimitExceeded', `${what} has ${bytes} bytes, of at most ${MAXIMUM_BYTES}`);
  }
}
