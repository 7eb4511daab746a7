import { createRequestLimit, REQUESTS_TAKEN_AT_ONCE } from '../../../core/keys/request-limit';
import { startApi, type ApiUnderTest } from '../../factories/api';
import { keyId } from '../../../core/keys/key';

let api: ApiUnderTest;
let key: string;
let laterMs = 0;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.stop());
beforeEach(async () => {
  key = keyId(await api.key(['admin'])) ?? '';
  laterMs = 0;
  // Not across the end of a minute.
  const { rows } = await api.client.query<{ left: number }>('SELECT (60 - extract(second FROM now()))::float8 AS left');
  const left = rows[0]?.left ?? 0;
  if (left < 4) await new Promise((resolve) => setTimeout(resolve, left * 1_000 + 10));
});

/** An instance of the function, on the role of the API. */
const instance = (maxPerMinute: number) => {
  const writes: string[] = [];
  const limit = createRequestLimit({
    use: (work) => {
      writes.push(key);
      return api.connection.use(work);
    },
    clock: () => new Date(Date.now() + laterMs),
    maxPerMinute,
  });
  /** How many of so many requests at once are admitted. */
  const admitted = async (requests: number): Promise<number> => {
    const answers = await Promise.all(Array.from({ length: requests }, () => limit.count(key)));
    return answers.filter((wait) => wait === undefined).length;
  };
  return { limit, admitted, writes };
};

test('a key has its requests of a minute from all instances together, and the wait is to the end of the minute', async () => {
  const [one, two] = [instance(3 * REQUESTS_TAKEN_AT_ONCE), instance(3 * REQUESTS_TAKEN_AT_ONCE)];
  expect(await one.admitted(150)).toBe(150);
  expect(await two.admitted(150)).toBe(100);
  expect(await one.admitted(60)).toBe(50);
  const wait = (await two.limit.count(key)) ?? 0;
  expect(wait).toBeGreaterThan(0);
  expect(wait).toBeLessThanOrEqual(60);
});

test('an instance asks the database once for a hundred requests, and once for all that it refuses in a minute', async () => {
  const { admitted, writes } = instance(REQUESTS_TAKEN_AT_ONCE);
  expect(await admitted(100)).toBe(100);
  expect(writes).toHaveLength(1);
  expect(await admitted(500)).toBe(0);
  expect(writes).toHaveLength(2);
});

test('the next minute has requests again, and what was left of the last one is not added to them', async () => {
  const { admitted } = instance(2 * REQUESTS_TAKEN_AT_ONCE);
  expect(await admitted(50)).toBe(50);
  laterMs = 61_000;
  await api.client.query("UPDATE billing.api_key_requests SET minute = minute - interval '1 minute'");
  expect(await admitted(300)).toBe(200);
});

test('one key does not use up the requests of another, and a database that fails is asked again', async () => {
  const { limit, admitted } = instance(REQUESTS_TAKEN_AT_ONCE);
  expect(await admitted(101)).toBe(100);
  const other = keyId(await api.key(['admin'])) ?? '';
  expect(await limit.count(other)).toBeUndefined();

  let fails = true;
  const failing = createRequestLimit({
    use: (work) => (fails ? Promise.reject(new Error('no connection')) : api.connection.use(work)),
    clock: () => new Date(),
    maxPerMinute: 3 * REQUESTS_TAKEN_AT_ONCE,
  });
  await expect(failing.count(other)).rejects.toThrow('no connection');
  fails = false;
  expect(await failing.count(other)).toBeUndefined();
});

test('before the migration that makes its table there is no limit', async () => {
  await api.client.query('ALTER TABLE billing.api_key_requests RENAME TO away');
  try {
    expect(await instance(3 * REQUESTS_TAKEN_AT_ONCE).admitted(1_000)).toBe(1_000);
  } finally {
    await api.client.query('ALTER TABLE billing.away RENAME TO api_key_requests');
  }
});
