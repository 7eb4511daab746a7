import * as z from 'zod';
import { InvalidRequestError } from './errors';

/**
 * Parses what a function was invoked with. Requests are strict: a key that the schema does not know is refused by name,
 * because a misspelt `dryRun` would otherwise change what it was meant to leave alone.
 *
 * @throws InvalidRequestError naming each field and the form that it should have. Values are not repeated.
 */
export function readRequest<Schema extends z.ZodType>(schema: Schema, event: unknown): z.infer<Schema> {
  if (typeof event !== 'object' || event === null || Array.isArray(event)) {
    const hint = typeof event === 'string' ? '; pass the object itself, not its JSON text' : '';
    throw new InvalidRequestError(`The request is malformed: expected a JSON object, received ${kindOf(event)}${hint}`);
  }
  // The input tells a missing field from a malformed one.
  const result = schema.safeParse(event, { error: expectedForm, reportInput: true });
  if (result.success) return result.data;
  const problems = result.error.issues.flatMap((issue) => problemsOf(issue, []));
  throw new InvalidRequestError(`The request is malformed: ${[...new Set(problems)].join('; ')}`);
}

function kindOf(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`;
}

function problemsOf(issue: z.core.$ZodIssue, prefix: readonly PropertyKey[]): string[] {
  const path = [...prefix, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    return issue.message.split('\n').map((problem) => [...path, problem].join('.'));
  }
  if (issue.code === 'invalid_union') {
    const branch = closestBranch(issue);
    if (branch) return branch.flatMap((inner) => problemsOf(inner, path));
  }
  const missing = isMissing(issue) ? 'missing; ' : '';
  return [`${path.join('.') || 'request'}: ${missing}${issue.message}`];
}

/** Of a union, the only alternative that takes an object or a list, if one was given: its problems say which part is wrong. */
function closestBranch({ errors, input }: z.core.$ZodIssueInvalidUnion): readonly z.core.$ZodIssue[] | undefined {
  if (typeof input !== 'object') return undefined;
  const isOfOtherKind = ({ code, path }: z.core.$ZodIssue) =>
    path.length === 0 && (code === 'invalid_type' || code === 'invalid_value');
  const candidates = errors.filter((issues) => !issues.some(isOfOtherKind));
  return candidates.length === 1 ? candidates[0] : undefined;
}

function isMissing(issue: z.core.$ZodIssue): boolean {
  if (issue.code === 'invalid_union' && 'discriminator' in issue && typeof issue.discriminator === 'string') {
    const { input } = issue;
    return typeof input === 'object' && input !== null && !(issue.discriminator in input);
  }
  return 'input' in issue && issue.input === undefined && issue.code !== 'custom';
}

const TYPE_FORMS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
};

/** The sentence for a value that does not fit, unless its schema has a sentence of its own. */
function expectedForm(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey(key, issue.inst)).join('\n');
    case 'invalid_type':
      return `expected ${TYPE_FORMS[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `expected ${alternatives(issue.values)}`;
    case 'invalid_union':
      return 'options' in issue && Array.isArray(issue.options) ? `expected ${alternatives(issue.options)}` : undefined;
    case 'too_small':
      return `expected ${amount(issue.inclusive ? 'at least' : 'more than', issue.origin, issue.minimum)}`;
    case 'too_big':
      return `expected ${amount(issue.inclusive ? 'at most' : 'less than', issue.origin, issue.maximum)}`;
    case 'invalid_format':
      return issue.format === 'datetime'
        ? 'expected an ISO 8601 time with a time zone, such as 2026-11-21T06:00:00Z'
        : `expected ${issue.format}`;
    default:
      return undefined;
  }
}

function amount(comparison: string, origin: string, limit: number | bigint): string {
  const [one, many] = { string: [' character', ' characters'], array: [' entry', ' entries'] }[origin] ?? ['', ''];
  return `${comparison} ${limit}${Number(limit) === 1 ? one : many}`;
}

function alternatives(values: readonly unknown[]): string {
  // The discriminator of an action that has a default may be undefined.
  const names = values.filter((value) => typeof value === 'string').map((value) => `\`${value}\``);
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
}

function unknownKey(key: string, schema: unknown): string {
  const known = schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
  const nearest = nearestOf(key, known);
  if (nearest !== undefined) return `${key}: unknown; did you mean ${nearest}?`;
  return known.length === 0 ? `${key}: unknown; no field is expected` : `${key}: unknown; expected ${known.join(', ')}`;
}

/** A third of the letters may differ: more, and the suggestion would be another word. */
const MAX_DIFFERENCE = 1 / 3;

function nearestOf(key: string, known: readonly string[]): string | undefined {
  const plain = (name: string) => name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  const [best] = known
    .map((name) => ({ name, distance: editDistance(plain(key), plain(name)) }))
    .toSorted((a, b) => a.distance - b.distance);
  return best && best.distance <= Math.max(1, best.name.length * MAX_DIFFERENCE) ? best.name : undefined;
}

/** Levenshtein's distance: insertions, deletions and replacements of one letter. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 0; i < a.length; i += 1) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j += 1) {
      next.push(Math.min((row[j] ?? 0) + (a[i] === b[j] ? 0 : 1), (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
