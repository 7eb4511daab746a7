import type { Client } from 'pg';
import { endings, randomNumbers, tell } from '../factories/billing-story';
import { createTestDatabase, type TestDatabase } from '../support/database';

const TELLINGS = 10_000;
/** A batch holds the next events of each, so about a hundred, as the queue hands them to the processor. */
const AT_ONCE = 40;

let database: TestDatabase;
let client: Client;

beforeAll(async () => {
  database = await createTestDatabase('billing');
  client = await database.client();
});
afterAll(() => database.drop());

test(`${TELLINGS} random permutations of the story, with duplicates and ties, end in one state on PostgreSQL`, async () => {
  const seed = Date.now();
  const random = randomNumbers(seed);
  for (let first = 0; first < TELLINGS; first += AT_ONCE) {
    await tell(
      client,
      Array.from({ length: AT_ONCE }, (_, index) => first + index),
      random,
    );
  }

  const states = await endings(client);
  expect({ seed, endings: states.map(({ tellings }) => tellings) }).toEqual({ seed, endings: [TELLINGS] });
}, 600_000);
