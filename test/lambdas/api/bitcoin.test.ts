import { startApi, type ApiUnderTest } from '../../factories/api';
import { putRules, RULES } from '../../support/entitlements';

const ADDRESSES = [
  'bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4',
  '1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa',
  '3P14159f73E4gFr7JterCCQh9QjiTjiZrG',
];
const PATH = '/api/v1/bitcoin/payments';
let api: ApiUnderTest;
let key: string;

beforeAll(async () => {
  api = await startApi();
  await putRules(api.client, RULES);
  key = await api.key(['bitcoin:write'], ['p1']);
});
afterAll(() => api.stop());

const wanted = {
  id: 'order-1',
  address: ADDRESSES[0],
  amount: 150_000,
  expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
  user: 'ada',
  project: 'p1',
  kind: 'course',
  item: 'c1',
};
const expectIt = (change: object = {}, by = key) => api.post(PATH, by, { ...wanted, ...change });

test('a payment is expected once: the same request is answered with it, another one of its id or address is refused', async () => {
  const created = await expectIt();
  expect(created.status).toBe(201);
  const payment: unknown = await created.json();
  expect(payment).toMatchObject({
    id: 'order-1',
    purchase: 'btc_order-1',
    status: 'pending',
    network: 'mainnet',
    confirmations: 3,
    received: 0,
    transactions: [],
  });
  const again = await expectIt();
  expect([again.status, await again.json()]).toEqual([200, payment]);
  const read = await api.get(`${PATH}/order-1`, key);
  expect([read.status, await read.json()]).toEqual([200, payment]);
  const conflicts = [await expectIt({ amount: 150_001 }), await expectIt({ id: 'order-2' })];
  const answers = await Promise.all(conflicts.map((answer) => answer.json() as Promise<{ detail: string }>));
  expect(conflicts.map(({ status }) => status)).toEqual([409, 409]);
  expect(answers.map(({ detail }) => detail)).toEqual([
    'Another payment has this id: give each payment an id of its own',
    'The address was given for another payment: each payment needs an address of its own',
  ]);
  // As after a change of the environment's default.
  await api.client.query('UPDATE billing.bitcoin_payments SET confirmations = 6');
  expect([(await expectIt()).status, (await expectIt({ confirmations: 3 })).status]).toEqual([200, 409]);
});

test.each([
  ['no amount', { amount: undefined }, 'body.amount', /satoshi above 0/],
  ['a fraction of a satoshi', { amount: 0.5 }, 'body.amount', /whole number of satoshi/],
  ['a negative amount', { amount: -1 }, 'body.amount', /above 0/],
  ['all bitcoin that there are', { amount: 21e14 }, 'body.amount', /below 21 million/],
  ['an amount as text', { amount: '150000' }, 'body.amount', /as a number/],
  [
    'a character changed in the address',
    { address: `${ADDRESSES[0]?.slice(0, -1)}5` },
    'body.address',
    /checksum matches/,
  ],
  [
    'an address of another network',
    { address: 'tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx' },
    'body.address',
    /of mainnet/,
  ],
  ['an expiry that is over', { expiresAt: '2026-01-01T00:00:00Z' }, 'body.expiresAt', /in the future/],
  ['an expiry of milliseconds', { expiresAt: 1_795_971_951_000 }, 'body.expiresAt', /an ISO time/],
  ['101 confirmations', { confirmations: 101 }, 'body.confirmations', /from 1 to 100/],
  ['a kind that no rule names', { kind: 'subscription' }, 'body.kind', /course, path, coaching or other/],
  ['an id with a space', { id: 'order 1' }, 'body.id', /letters, digits/],
  ['a currency', { currency: 'btc' }, 'body', /^expected a JSON object whose fields are .*, and no other$/],
])('%s is answered 400 with the field and the form, and leaves no row', async (_, change, field, form) => {
  const answer = await expectIt({ id: 'wrong', address: ADDRESSES[1], ...change });
  const { errors } = (await answer.json()) as { errors: unknown };
  expect([answer.status, errors]).toEqual([400, [{ field, detail: expect.stringMatching(form) }]]);
  const { rows } = await api.client.query(`SELECT FROM billing.bitcoin_payments WHERE id <> 'btc_order-1'`);
  expect(rows).toEqual([]);
});

test.each([
  ['that is cut off', '{"id":', 'application/json', 'body', 'expected JSON'],
  ['of another type', JSON.stringify(wanted), 'text/plain', 'header.content-type', 'expected application/json'],
])(
  'a body %s is answered 400 with what was expected, and is no fault of the platform',
  async (_, body, type, field, detail) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': type };
    const answer = await api.app.request(PATH, { method: 'POST', body, headers }, {});
    expect([answer.status, ((await answer.json()) as { errors: unknown }).errors]).toEqual([400, [{ field, detail }]]);
  },
);

test('a key expects and reads payments of its projects only, with its scope only', async () => {
  const statuses = async (...answers: Promise<Response>[]) => (await Promise.all(answers)).map(({ status }) => status);
  const other = await api.key(['bitcoin:write'], ['p2']);
  const reader = await api.key(['entitlements:read'], ['p1']);
  expect(
    await statuses(
      expectIt({ id: 'theirs', address: ADDRESSES[2] }, other),
      api.get(`${PATH}/order-1`, other),
      api.get(`${PATH}/unknown`, other),
      expectIt({}, reader),
      api.post(PATH),
    ),
  ).toEqual([403, 404, 404, 403, 401]);
});

test('a settled payment is revenue of its project in satoshi, beside other currencies; one that is not settled is none', async () => {
  await api.client.query(
    `INSERT INTO billing.bitcoin_payments
       (id, network, address, script, amount, confirmations, created_at, expires_at, project_id, user_id, kind, status, received, in_blocks, settled_at)
     SELECT 'btc_sold-' || number, 'mainnet', 'a' || number, '00' || number, 150000, 1, '2026-01-01', '2026-02-01', project, 'ada', 'course', status,
       160000, 160000, CASE WHEN status = 'settled' THEN settled::timestamptz END
     FROM (VALUES (11, 'p1', 'settled', '2026-01-10'), (12, 'p1', 'settled', '2026-01-12'), (13, 'p1', 'late', NULL),
                  (14, 'p2', 'settled', '2026-01-10'), (15, 'p1', 'settled', '2026-03-01')) AS sold (number, project, status, settled);
     INSERT INTO billing.purchases
       (id, project_id, user_id, kind, mode, status, payment_status, amount_total, currency, created_at, version, raw)
     SELECT id, project_id, user_id, kind, 'payment', 'complete', 'paid', amount, 'btc', created_at, 'bitcoin', '{}'
     FROM billing.bitcoin_payments WHERE status = 'settled';
     INSERT INTO billing.charges (id, project_id, status, amount, amount_refunded, currency, created_at, version, raw)
     VALUES ('ch_1', 'p1', 'succeeded', 2900, 0, 'usd', '2026-01-10', '', '{}')`,
  );
  const reader = await api.key(['metrics:read'], ['p1']);
  const answer = await api.get('/api/v1/metrics/project/p1/revenue?from=2026-01-01&to=2026-02-01', reader);
  expect(((await answer.json()) as { currencies: unknown }).currencies).toEqual([
    { currency: 'btc', gross: 300_000, refunded: 0, net: 300_000, charges: 2 },
    { currency: 'usd', gross: 2_900, refunded: 0, net: 2_900, charges: 1 },
  ]);
});

test('an environment that takes no bitcoin has no such routes', async () => {
  const without = await startApi({ bitcoin: undefined });
  const admin = await without.key(['admin']);
  expect((await without.post(PATH, admin, wanted)).status).toBe(404);
  expect((await without.post(PATH, undefined, wanted)).status).toBe(404);
  expect(await (await without.get('/admin')).text()).not.toContain('#/bitcoin');
  await without.stop();
});

test('a request about a payment counts once against the limit of its key', async () => {
  const counted: string[] = [];
  const own = await startApi({
    requestLimit: {
      count: async (keyId) => {
        counted.push(keyId);
        return undefined;
      },
    },
  });
  await own.get(`${PATH}/pay_unknown`, await own.key(['bitcoin:write']));
  expect(counted).toHaveLength(1);
  await own.stop();
});
