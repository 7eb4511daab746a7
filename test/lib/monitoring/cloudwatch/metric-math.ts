/**
 * CloudWatch's metric math, of what the templates use.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
 */

/** A value for each period, the oldest first; `undefined` where a period has none. */
export type Series = readonly (number | undefined)[];

/** A scalar, a time series, an array of time series, or a word: the part of an id, or how to fill. */
export type Value = number | Series | readonly Series[] | string;

/**
 * What arithmetic makes of a period that only one of two operands has. The guide says that a missing value counts as 0
 * (`zero`); it is silent on a metric that never had data, of which expressions were seen to stay without data (`gap`).
 */
export type MissingOperand = 'zero' | 'gap';

/** What an expression is evaluated over. */
export interface MathContext {
  /** Values of the metrics and of other expressions, by their ids. */
  readonly values: ReadonlyMap<string, Value>;
  /** Ids of `values` that are metrics, which `METRICS()` is about. */
  readonly metrics: readonly string[];
  /** Seconds of a period. */
  readonly periodSeconds: number;
  /** Number of periods. */
  readonly length: number;
  /** @default 'zero' */
  readonly missing?: MissingOperand;
}

type Expression = (context: MathContext) => Value;
type Pair = (left: number, right: number) => number | undefined;

const truth = (value: boolean): number => (value ? 1 : 0);

/** Binary operators by precedence, the loosest first. */
const OPERATORS: readonly Readonly<Record<string, Pair>>[] = [
  { OR: (a, b) => truth(a !== 0 || b !== 0), '||': (a, b) => truth(a !== 0 || b !== 0) },
  { AND: (a, b) => truth(a !== 0 && b !== 0), '&&': (a, b) => truth(a !== 0 && b !== 0) },
  {
    '==': (a, b) => truth(a === b),
    '!=': (a, b) => truth(a !== b),
    '<=': (a, b) => truth(a <= b),
    '>=': (a, b) => truth(a >= b),
    '<': (a, b) => truth(a < b),
    '>': (a, b) => truth(a > b),
  },
  { '+': (a, b) => a + b, '-': (a, b) => a - b },
  // "If the value of a data point causes a function to attempt to divide by zero, the data point is dropped."
  { '*': (a, b) => a * b, '/': (a, b) => (b === 0 ? undefined : a / b) },
];

const TOKEN = /\s*(\|\||&&|==|!=|<=|>=|[-+*/<>(),[\]]|"[^"]*"|\d+(?:\.\d+)?|[A-Za-z_]\w*)/y;

const parsed = new Map<string, Expression>();

/**
 * The value of an expression.
 *
 * @throws Error naming the expression when it is not understood, or uses an id that has no value
 */
export function evaluate(expression: string, context: MathContext): Value {
  const known = parsed.get(expression) ?? parse(expression);
  parsed.set(expression, known);
  return known(context);
}

/** Whether a value is a single time series, the only one that an alarm or a line can show. */
export function isSeries(value: Value): value is Series {
  return Array.isArray(value) && !isArrayOfSeries(value);
}

function isArrayOfSeries(value: Value): value is readonly Series[] {
  return Array.isArray(value) && value.length > 0 && Array.isArray(value[0]);
}

function tokensOf(text: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const at = TOKEN.lastIndex;
    const token = TOKEN.exec(text)?.[1];
    if (token === undefined) throw new Error(`${text}: not understood from "${text.slice(at)}"`);
    tokens.push(token);
  }
  return tokens;
}

function parse(text: string): Expression {
  const tokens = tokensOf(text);
  let at = 0;
  const take = (expected?: string): string => {
    const token = tokens[at] ?? 'the end';
    if (expected !== undefined && token !== expected) throw new Error(`${text}: expected ${expected}, got ${token}`);
    at += 1;
    return token;
  };
  const list = (end: string): Expression[] => {
    const items: Expression[] = [];
    while (tokens[at] !== end) {
      items.push(binary(0));
      if (tokens[at] === ',') take();
    }
    take(end);
    return items;
  };
  const primary = (): Expression => {
    const token = take();
    if (token === '-') {
      const operand = primary();
      return (context) => combine((a, b) => a * b, -1, operand(context), context);
    }
    if (token === '(') {
      const inner = binary(0);
      take(')');
      return inner;
    }
    if (token === '[') {
      const items = list(']');
      return (context) => items.flatMap((item) => arrayOf(item(context), context));
    }
    if (/^\d/.test(token)) return () => Number(token);
    if (token.startsWith('"')) return () => token.slice(1, -1);
    if (tokens[at] === '(') {
      take('(');
      return call(text, token, list(')'));
    }
    if (token === 'REPEAT' || token === 'LINEAR') return () => token;
    return ({ values }) => {
      const value = values.get(token);
      if (value === undefined) throw new Error(`${text}: ${token} has no value`);
      return value;
    };
  };
  const binary = (level: number): Expression => {
    const operators = OPERATORS[level];
    if (operators === undefined) return primary();
    let left = binary(level + 1);
    for (let pair = operators[tokens[at] ?? '']; pair !== undefined; pair = operators[tokens[at] ?? '']) {
      take();
      const [operation, first, second] = [pair, left, binary(level + 1)];
      left = (context) => combine(operation, first(context), second(context), context);
    }
    return left;
  };
  const expression = binary(0);
  if (at < tokens.length) throw new Error(`${text}: not understood from "${tokens.slice(at).join(' ')}"`);
  return expression;
}

function combine(pair: Pair, left: Value, right: Value, context: MathContext): Value {
  if (typeof left === 'number' && typeof right === 'number') return pair(left, right) ?? Number.NaN;
  if (isArrayOfSeries(left)) return left.map((one) => combine(pair, one, right, context) as Series);
  if (isArrayOfSeries(right)) return right.map((one) => combine(pair, left, one, context) as Series);
  const of = (value: number | Series, index: number): number | undefined =>
    typeof value === 'number' ? value : value[index];
  const [a, b] = [left as number | Series, right as number | Series];
  const bothSeries = typeof a !== 'number' && typeof b !== 'number';
  return Array.from({ length: context.length }, (_, index) => {
    const [one, other] = [of(a, index), of(b, index)];
    if (one !== undefined && other !== undefined) return pair(one, other);
    if (!bothSeries || context.missing === 'gap' || one === other) return undefined;
    return pair(one ?? 0, other ?? 0);
  });
}

function call(text: string, name: string, inputs: readonly Expression[]): Expression {
  const implementation = FUNCTIONS[name];
  if (implementation === undefined) throw new Error(`${text}: the evaluator does not know ${name}`);
  return (context) =>
    implementation(
      inputs.map((input) => input(context)),
      context,
    );
}

type Implementation = (inputs: readonly Value[], context: MathContext) => Value;

const FUNCTIONS: Readonly<Record<string, Implementation>> = {
  AVG: aggregate((values, { length }) => total(values) / length),
  MAX: aggregate((values) => Math.max(...values)),
  MIN: aggregate((values) => Math.min(...values)),
  SUM: aggregate(total),
  DIFF: ([input]) => differences(input, 1),
  RATE: ([input], context) => differences(input, context.periodSeconds),
  FILL: ([input = [], filler = 0], { length }) =>
    each(input, (series) => Array.from({ length }, (_, index) => series[index] ?? filled(series, index, filler))),
  IF: ([condition = 0, then = 0, otherwise], context) => choose(condition, then, otherwise, context),
  METRICS: ([part], { metrics, values }) =>
    metrics.filter((id) => typeof part !== 'string' || id.includes(part)).map((id) => values.get(id) as Series),
  TIME_SERIES: ([scalar], { length }) => Array.from({ length }, () => scalar as number),
};

/** Of one series, a scalar; of an array, a series with what each period has. */
function aggregate(of: (values: readonly number[], all: { readonly length: number }) => number): Implementation {
  return ([input = []], { length }) => {
    if (!isArrayOfSeries(input)) {
      const values = input as Series;
      return of(present(values), values);
    }
    return Array.from({ length }, (_, index) => {
      const values = present(input.map((series) => series[index]));
      return values.length === 0 ? undefined : of(values, input);
    });
  };
}

function present(values: Series): number[] {
  return values.filter((value) => value !== undefined);
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

/** From each value to the one before it, by what lies between them. */
function differences(input: Value | undefined, periodSeconds: number): Value {
  return each(input ?? [], (series) =>
    series.map((value, index) => {
      const before = series.slice(0, index).findLastIndex((earlier) => earlier !== undefined);
      const earlier = series[before];
      if (value === undefined || earlier === undefined) return undefined;
      return (value - earlier) / (periodSeconds === 1 ? 1 : periodSeconds * (index - before));
    }),
  );
}

function filled(series: Series, index: number, filler: Value): number | undefined {
  if (typeof filler === 'number') return filler;
  if (filler === 'REPEAT') return series.slice(0, index).findLast((value) => value !== undefined);
  if (filler === 'LINEAR') throw new Error('the evaluator does not know FILL(…, LINEAR)');
  return (filler as Series)[index];
}

/** A condition without data drops the period; what a true one lacks counts as 0, what a false one lacks is dropped. */
function choose(condition: Value, then: Value, otherwise: Value | undefined, context: MathContext): Value {
  const of = (value: Value | undefined, index: number): number | undefined =>
    typeof value === 'number' || value === undefined ? value : (value as Series)[index];
  const lacking = context.missing === 'gap' ? undefined : 0;
  return Array.from({ length: context.length }, (_, index) => {
    const holds = of(condition, index);
    if (holds === undefined) return undefined;
    return holds === 0 ? of(otherwise, index) : (of(then, index) ?? lacking);
  });
}

function each(input: Value, of: (series: Series) => Series): Value {
  return isArrayOfSeries(input) ? input.map(of) : of(input as Series);
}

function arrayOf(value: Value, { length }: MathContext): readonly Series[] {
  if (typeof value === 'number') return [Array.from({ length }, () => value)];
  return isArrayOfSeries(value) ? value : [value as Series];
}
