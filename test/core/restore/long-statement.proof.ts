import { withConnection } from '../../../core/database/connector';
import { createJournal, readSteps } from '../../../core/restore/steps/journal';
import { runToEnd } from '../../../core/restore/steps/long-statement';
import { createTestDatabase, type TestDatabase } from '../../support/database';

let database: TestDatabase;

beforeEach(async () => {
  database = await createTestDatabase('empty');
  await withConnection(database.connector, (client) => createJournal(client, {}));
});

afterEach(() => database.drop());

const failing = (state: string) =>
  withConnection(database.connector, async (client) =>
    runToEnd(client, 'key:1', `DO $$ BEGIN RAISE SQLSTATE '${state}'; END $$`, new AbortController().signal),
  );

test.each([
  ['40P01', '40P01'],
  ['53200', '53200'],
  ['55006', '55006'],
  // A lock that was waited for in vain: the connection says so in the words of an operation.
  ['55P03', 'database_busy'],
  ['58030', '58030'],
])('a statement that fails with %s, which passes, is not recorded, and can be tried again', async (state, code) => {
  await expect(failing(state)).rejects.toMatchObject({ code });
  const taken = await withConnection(database.connector, (client) => readSteps(client, 'key:'));
  expect(taken.size).toBe(0);
});

test.each(['42883', '55000', '58P01', 'XX000'])(
  'a statement that fails with %s, which stays, has failed',
  async (state) => {
    expect(await failing(state)).toMatchObject({ state: 'failed', code: state });
  },
);
