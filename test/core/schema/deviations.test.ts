import { DatabaseError } from 'pg';
import { Deviations } from '../../../core/schema/apply/deviations';

const SCHEMAS = new Set(['pg_catalog', 'public', 'app', 'Geo']);

function refusal(code: string, message: string): DatabaseError {
  const error = new DatabaseError(message, message.length, 'error');
  error.code = code;
  return error;
}

/** Whether the message is explained by an object that was not made. */
function isExplained(object: string, code: string, message: string): boolean {
  const deviations = new Deviations();
  const error = refusal('42501', 'must be superuser');
  if (object.startsWith('EXTENSION ')) deviations.addExtension('EXTENSION geo', `CREATE ${object};`, error);
  else deviations.add(object, 'not made', error);
  return deviations.explains(refusal(code, message), SCHEMAS);
}

const EXTENSION = 'EXTENSION IF NOT EXISTS geo WITH SCHEMA "Geo"';

test.each([
  ['FUNCTION app.touch(integer)', '42883', 'function app.touch(integer) does not exist'],
  ['FUNCTION app.touch(integer)', '42883', 'function touch(integer) does not exist'],
  ['AGGREGATE app.total(app.money)', '42883', 'function app.total(app.money) does not exist'],
  ['TYPE app.shell', '42704', 'type "app.shell" is only a shell'],
  ['VIEW app.sales', '42704', 'type "app.sales" does not exist'],
  ['MATERIALIZED VIEW app.sales', '42P01', 'relation "app.sales" does not exist'],
  ['CONSTRAINT app.orders orders_pkey', '42P01', 'relation "app.orders_pkey" does not exist'],
  ['OPERATOR app.===', '42883', 'operator does not exist: character varying app.=== text'],
  ['OPERATOR CLASS app.by_size', '42704', 'operator class "app.by_size" does not exist for access method "btree"'],
  ['OPERATOR CLASS app.by_size', '42704', 'data type box has no default operator class for access method "btree"'],
  ['ROLE reader', '42704', 'role "reader" does not exist'],
  [EXTENSION, '3F000', 'schema "cron" does not exist'],
  [EXTENSION, '42P01', 'relation "cron.job" does not exist'],
  [EXTENSION, '42704', 'type "Geo.topics" does not exist'],
  [EXTENSION, '42883', 'operator does not exist: text Geo.~> text'],
  [EXTENSION, '42704', 'data type integer has no default operator class for access method "gist"'],
])('%s, which was not made, explains %s %s', (object, code, message) => {
  expect(isExplained(object, code, message)).toBe(true);
});

test.each([
  ['FUNCTION app.touch(integer)', '42P01', 'relation "app.touch" does not exist'],
  ['FUNCTION app.touch(integer)', '42883', 'function public.touch(integer) does not exist'],
  ['EVENT TRIGGER audit', '42P01', 'relation "audit" does not exist'],
  ['INDEX app.total', '42703', 'column "total" does not exist'],
  ['OPERATOR CLASS app.by_size', '42883', 'operator does not exist: box app.=== box'],
  [EXTENSION, '42883', 'function app.helper(text) does not exist'],
  [EXTENSION, '42883', 'function helper(cron.job) does not exist'],
  [EXTENSION, '42P01', 'relation "app.cron.job" does not exist'],
  [EXTENSION, '42883', 'operator does not exist: Geo.topics === Geo.topics'],
])('%s, which was not made, does not explain %s %s', (object, code, message) => {
  expect(isExplained(object, code, message)).toBe(false);
});
