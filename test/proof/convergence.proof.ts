import type { Client } from 'pg';
import { applyStories, finalStates, randomNumbers } from '../factories/billing-story';
import { createTestDatabase, type TestDatabase } from '../support/database';

/** Every run shuffles anew, so that the number adds up from run to run. */
const STORIES = Number(process.env.CONVERGENCE_STORIES ?? 2_000);
/** A batch holds the next events of each, so about a hundred, as the queue hands them to the processor. */
const AT_ONCE = 40;

let database: TestDatabase;
let client: Client;

beforeAll(async () => {
  database = await createTestDatabase('billing');
  client = await database.client();
});
afterAll(() => database.drop());

test(`${STORIES} random permutations of the story, with duplicates and ties, end in one state on PostgreSQL`, async () => {
  const seed = Date.now();
  const random = randomNumbers(seed);
  for (let first = 0; first < STORIES; first += AT_ONCE) {
    await applyStories(
      client,
      Array.from({ length: AT_ONCE }, (_, index) => first + index),
      random,
    );
  }

  const states = await finalStates(client);
  expect({ seed, stories: states.map(({ stories }) => stories) }).toEqual({ seed, stories: [STORIES] });
}, 600_000);
