/**
 * Logs Insights of CloudWatch, of what the saved queries use.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
 */

/** A line of a log with its fields, those of JSON by their path: `record.metrics.durationMs`. */
export type LogEvent = Readonly<Record<string, LogValue>>;
type LogValue = string | number | boolean | null | undefined;

/** A line as Logs Insights has it: the text, its time and log group, and the fields that it finds in JSON. */
export function logEvent(log: string, at: string, message: string): LogEvent {
  const discovered = message.startsWith('{') ? flattened(JSON.parse(message) as object) : {};
  return { '@log': log, '@timestamp': at, '@message': message, ...discovered };
}

function flattened(object: object, path = ''): Record<string, LogValue> {
  return Object.fromEntries(
    Object.entries(object).flatMap(([key, value]: [string, unknown]) =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.entries(flattened(value, `${path}${key}.`))
        : [[path + key, Array.isArray(value) ? JSON.stringify(value) : (value as LogValue)]],
    ),
  );
}

/**
 * The rows that a query finds, with the fields that it shows.
 *
 * @throws Error naming the command that it does not know
 */
export function ask(query: readonly string[], events: readonly LogEvent[]): LogEvent[] {
  const text = query.filter((line) => !line.startsWith('#')).join('\n');
  let rows = [...events];
  let shown: readonly string[] | undefined;
  for (const command of text.split(/^\| /m).map((part) => part.trim())) {
    rows = run(command, rows);
    if (command.startsWith('fields ')) shown = fieldsOf(command.slice('fields '.length));
  }
  if (shown === undefined) return rows;
  return rows.map((row) => Object.fromEntries(shown.flatMap((field) => (field in row ? [[field, row[field]]] : []))));
}

function run(command: string, rows: LogEvent[]): LogEvent[] {
  const [, name = '', rest = ''] = /^(\w+)\s+([\s\S]*)$/.exec(command) ?? [];
  switch (name) {
    case 'fields':
      return rows;
    case 'filter':
      return rows.filter((row) => condition(rest)(row));
    case 'parse':
      return rows.map((row) => ({ ...row, ...parsed(rest, row) }));
    case 'sort': {
      const [field = '', order] = rest.split(' ');
      const sign = order === 'desc' ? -1 : 1;
      return rows.toSorted((one, other) => sign * compared(one[field], other[field]));
    }
    case 'limit':
      return rows.slice(0, Number(rest));
    case 'stats':
      return summarised(rest, rows);
    default:
      throw new Error(`the evaluator does not know ${command}`);
  }
}

const fieldsOf = (list: string): string[] => list.split(',').map((field) => field.trim());

function compared(one: LogValue, other: LogValue): number {
  if (typeof one === 'number' && typeof other === 'number') return one - other;
  return String(one ?? '').localeCompare(String(other ?? ''));
}

/** The groups of the expression, each a field; none where it does not match. */
function parsed(rest: string, row: LogEvent): Record<string, string> {
  const [, field = '', expression] = /^(\S+) \/([\s\S]*)\/$/.exec(rest) ?? [];
  if (expression === undefined) throw new Error(`the evaluator does not know parse ${rest}`);
  return new RegExp(expression).exec(String(row[field] ?? ''))?.groups ?? {};
}

const TOKEN = /\s*("[^"]*"|'[^']*'|!=|[=()[\],]|[@\w.]+)/y;

type Condition = (row: LogEvent) => boolean;

/** `or` binds less than `and`, which binds less than `not`. */
function condition(text: string): Condition {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const [, token] = TOKEN.exec(text) ?? [];
    if (token === undefined) throw new Error(`the evaluator does not know filter ${text}`);
    tokens.push(token);
  }
  const next = (): string => tokens.shift() ?? 'the end';
  const expect = (wanted: string): void => {
    const found = next();
    if (found !== wanted) throw new Error(`filter ${text}: ${wanted} expected, not ${found}`);
  };
  const joined = (word: 'or' | 'and', operand: () => Condition): Condition => {
    const operands = [operand()];
    while (tokens[0] === word) {
      next();
      operands.push(operand());
    }
    return (row) => (word === 'or' ? operands.some((one) => one(row)) : operands.every((one) => one(row)));
  };
  const any = (): Condition => joined('or', () => joined('and', one));
  const one = (): Condition => {
    const token = next();
    if (token === '(') {
      const inner = any();
      expect(')');
      return inner;
    }
    if (token === 'ispresent') {
      expect('(');
      const field = next();
      expect(')');
      return (row) => row[field] !== undefined;
    }
    const isNegated = tokens[0] === 'not';
    if (isNegated) next();
    const comparison = comparisonOf(token, next());
    return (row) => comparison(row) !== isNegated;
  };
  const literal = (): string => next().replaceAll(/^["']|["']$/g, '');
  const comparisonOf = (field: string, operator: string): Condition => {
    const value = (row: LogEvent): string | undefined => (row[field] === undefined ? undefined : String(row[field]));
    if (operator === 'in') {
      expect('[');
      const members = new Set<string | undefined>([literal()]);
      while (tokens[0] === ',') {
        next();
        members.add(literal());
      }
      expect(']');
      return (row) => members.has(value(row));
    }
    const wanted = literal();
    if (operator === 'like') return (row) => value(row)?.includes(wanted) === true;
    if (operator === '=') return (row) => value(row) === wanted;
    // What lacks the field is not other than anything.
    if (operator === '!=') return (row) => value(row) !== undefined && value(row) !== wanted;
    throw new Error(`the evaluator does not know filter ${text}`);
  };
  const whole = any();
  if (tokens.length > 0) throw new Error(`filter ${text}: not understood from ${tokens.join(' ')}`);
  return whole;
}

function summarised(rest: string, rows: readonly LogEvent[]): LogEvent[] {
  const [, aggregates = '', by = ''] = /^([\s\S]*) by ([^()]*)$/.exec(rest) ?? [];
  const fields = fieldsOf(by);
  const groups = Map.groupBy(rows, (row) => JSON.stringify(fields.map((field) => row[field] ?? null)));
  const wanted = [...aggregates.matchAll(/(\w+)\(([^()]*)\) as (\w+)/g)];
  return [...groups.values()].map((group) => ({
    ...Object.fromEntries(fields.map((field) => [field, group[0]?.[field]])),
    ...Object.fromEntries(
      wanted.map(([, name = '', operands = '', as = '']) => [as, aggregate(name, operands.split(/,\s*/), group)]),
    ),
  }));
}

function aggregate(name: string, [field = '', share]: readonly string[], group: readonly LogEvent[]): LogValue {
  const values = group.flatMap((row) => (row[field] === undefined ? [] : [row[field]]));
  const numbers = values.map(Number).toSorted((one, other) => one - other);
  switch (name) {
    case 'count':
      return field === '*' ? group.length : values.length;
    case 'max':
      return numbers.at(-1);
    case 'pct':
      return numbers[Math.ceil((Number(share) / 100) * numbers.length) - 1];
    case 'latest':
      return group.toSorted((one, other) => compared(one['@timestamp'], other['@timestamp'])).at(-1)?.[field];
    default:
      throw new Error(`the evaluator does not know ${name}()`);
  }
}
