import * as z from 'zod';
import { readRequest } from '../../../core/runtime/request';

const schema = z.discriminatedUnion('action', [
  z.strictObject({
    action: z.literal('report'),
    tables: z.array(z.string()).min(1),
    where: z.array(z.strictObject({ column: z.string(), operator: z.enum(['=', 'in']) })).optional(),
    limit: z.int().max(10).optional(),
    since: z.iso.datetime({ offset: true }).optional(),
  }),
  z.strictObject({
    action: z.literal('merge'),
    choose: z.union([z.literal('all'), z.array(z.string())], { error: 'expected `all` or a list of ids' }),
    dryRun: z.boolean().default(true),
  }),
]);
const report = { action: 'report', tables: ['billing.charges'] };
const merge = { action: 'merge', choose: 'all' };

test('a well-formed request is read with its defaults', () => {
  expect(readRequest(schema, merge)).toEqual({ ...merge, dryRun: true });
});

test.each([
  ['nothing', undefined, 'expected a JSON object, received nothing'],
  ['null', null, 'expected a JSON object, received nothing'],
  ['a list', [], 'expected a JSON object, received a list'],
  ['a number', 7, 'expected a JSON object, received a number'],
  ['JSON text', '{"action":"merge"}', 'received a string; pass the object itself, not its JSON text'],
])('an event that is %s is refused', (_, event, message) => {
  expect(() => readRequest(schema, event)).toThrow(
    `The request is malformed: ${message.replace(/^received/, 'expected a JSON object, received')}`,
  );
});

test.each([
  ['dry_run', 'dry_run: unknown; did you mean dryRun?'],
  ['dryrun', 'dryrun: unknown; did you mean dryRun?'],
  ['dryRnu', 'dryRnu: unknown; did you mean dryRun?'],
  ['DRY-RUN', 'DRY-RUN: unknown; did you mean dryRun?'],
  ['chose', 'chose: unknown; did you mean choose?'],
  ['verbose', 'verbose: unknown; expected action, choose, dryRun'],
])('the unknown key %s is refused by name', (key, message) => {
  expect(() => readRequest(schema, { ...merge, [key]: true })).toThrow(message);
});

test.each<[string, object, string]>([
  ['a missing field', { action: 'report' }, 'tables: missing; expected a list'],
  ['a missing action', {}, 'action: missing; expected `report` or `merge`'],
  ['an unknown action', { action: 'delete' }, 'action: expected `report` or `merge`'],
  ['text for true or false', { ...merge, dryRun: 'false' }, 'dryRun: expected true or false'],
  ['a number for a list', { ...report, tables: 1 }, 'tables: expected a list'],
  ['an empty list', { ...report, tables: [] }, 'tables: expected at least 1 entry'],
  ['a fraction', { ...report, limit: 1.5 }, 'limit: expected a whole number'],
  ['too much', { ...report, limit: 11 }, 'limit: expected at most 10'],
  ['a day without a time', { ...report, since: '2026-11-21' }, 'since: expected an ISO 8601 time with a time zone'],
  ['another word', { ...merge, choose: 'none' }, 'choose: expected `all` or a list of ids'],
  ['a list with a wrong entry', { ...merge, choose: ['a', 1] }, 'choose.1: expected text'],
  [
    'a misspelt key in a nested object',
    { ...report, where: [{ column: 'id', operator: '=', vale: 1 }] },
    'where.0.vale: unknown; expected column, operator',
  ],
  [
    'a wrong nested value',
    { ...report, where: [{ column: 'id', operator: '~' }] },
    'where.0.operator: expected `=` or `in`',
  ],
])('a request with %s is refused by field and expected form', (_, request, message) => {
  const read = () => readRequest(schema, request);
  expect(read).toThrow(expect.objectContaining({ code: 'invalid_request' }));
  // The whole text: the actions that were not chosen have no part in it.
  expect(read).toThrow(new RegExp(`^The request is malformed: ${escaped(message)}[^;]*$`));
});

test('every problem of a request is named at once, and no value is repeated', () => {
  const read = () => readRequest(schema, { action: 'report', tables: 'sk_live_secret', limt: 3 });
  expect(read).toThrow(/tables: expected a list; limt: unknown; did you mean limit\?/);
  expect(read).not.toThrow('sk_live_secret');
});

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
}
