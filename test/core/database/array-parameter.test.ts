import fc from 'fast-check';
import type { Client } from 'pg';
import { arrayParameter, type ArrayElementType } from '../../../core/database/array-parameter';
import { createTestDatabase, type TestDatabase } from '../../support/database';

let database: TestDatabase;
let client: Client;

beforeAll(async () => {
  database = await createTestDatabase('empty');
  client = await database.client();
});
afterAll(() => database.drop());

/** The array as PostgreSQL reads it, as text. */
async function received(type: ArrayElementType, parameter: Buffer, as = 'text'): Promise<unknown[]> {
  const { rows } = await client.query<{ element: unknown }>(
    `SELECT element::${as} AS element FROM unnest($1::${type}[]) WITH ORDINALITY AS given (element, position) ORDER BY position`,
    [parameter],
  );
  return rows.map(({ element }) => element);
}

const text = fc.string({ unit: 'grapheme', maxLength: 40 }).map((value) => value.replaceAll('\0', ''));
const withNulls = <T>(element: fc.Arbitrary<T>) => fc.array(fc.option(element), { maxLength: 30 });

test('texts arrive unchanged, whatever characters they contain', async () => {
  await fc.assert(
    fc.asyncProperty(withNulls(text), async (texts) => {
      expect(await received('text', arrayParameter('text', texts))).toEqual(texts);
    }),
    { numRuns: 50 },
  );
});

test('JSON documents arrive unchanged', async () => {
  const document = fc.jsonValue().map((value) => JSON.stringify(value).replaceAll(String.raw`\u0000`, ''));
  await fc.assert(
    fc.asyncProperty(withNulls(document), async (documents) => {
      const parsed = documents.map((json) => (json === null ? null : (JSON.parse(json) as unknown)));
      const arrived = (await received('jsonb', arrayParameter('jsonb', documents))) as (string | null)[];
      expect(arrived.map((json) => (json === null ? null : (JSON.parse(json) as unknown)))).toEqual(
        JSON.parse(JSON.stringify(parsed)),
      );
    }),
    { numRuns: 50 },
  );
});

test('times of any year that Stripe can express arrive to the millisecond', async () => {
  const date = fc.date({ min: new Date(0), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true });
  await fc.assert(
    fc.asyncProperty(withNulls(date), async (dates) => {
      const parameter = arrayParameter('timestamptz', dates);
      const exact = await client.query<{ ms: string | null }>(
        'SELECT (extract(epoch FROM moment) * 1000)::text AS ms FROM unnest($1::timestamptz[]) AS given (moment)',
        [parameter],
      );
      expect(exact.rows.map(({ ms }) => (ms === null ? null : Number(ms)))).toEqual(
        dates.map((moment) => moment?.getTime() ?? null),
      );
    }),
    { numRuns: 50 },
  );
});

test('amounts of any size, and booleans, arrive unchanged', async () => {
  await fc.assert(
    fc.asyncProperty(withNulls(fc.maxSafeInteger()), withNulls(fc.boolean()), async (amounts, flags) => {
      expect(await received('bigint', arrayParameter('bigint', amounts))).toEqual(
        amounts.map((amount) => (amount === null ? null : String(amount))),
      );
      expect(await received('boolean', arrayParameter('boolean', flags), 'boolean')).toEqual(flags);
    }),
    { numRuns: 50 },
  );
});

test('a number that is not whole is rejected before anything is sent', () => {
  expect(() => arrayParameter('bigint', [0.5])).toThrow(RangeError);
});
