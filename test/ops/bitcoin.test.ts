import { GetFunctionConfigurationCommand, InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { mockClient } from 'aws-sdk-client-mock';
import type { Client } from 'pg';
import { bitcoinView } from '../../lambdas/api/admin/views/bitcoin';
import { readBitcoin } from '../../lambdas/inspect/bitcoin';
import { INSPECTIONS } from '../../lambdas/inspect/contract';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { runOps } from './run-ops';
import { wordsOf } from './runbook-lines';

/** What an operator sees of payments in bitcoin, from the rows to the lines and the page. */
const lambda = mockClient(LambdaClient);
let database: TestDatabase;
let client: Client;

beforeAll(async () => {
  database = await createTestDatabase('billing');
  client = await database.client();
  await client.query(`
    INSERT INTO billing.bitcoin_chain VALUES (true, 'mainnet', 900, repeat('a', 64), now() - interval '7 minutes', now(), 902, now());
    INSERT INTO billing.bitcoin_reorganisations (noticed_at, fork_height, depth, transactions) VALUES (now(), 897, 2, 1);
    INSERT INTO billing.bitcoin_payments (id, network, address, script, amount, confirmations, expires_at, project_id, user_id, kind,
        status, received, first_seen_at, settled_at)
    VALUES ('btc_settled', 'mainnet', 'a', '01', 100000, 3, now() + interval '1 hour', 'p1', 'ada', 'course', 'settled', 110000,
        now() - interval '30 minutes', now()),
      ('btc_seen', 'mainnet', 'b', '02', 250000000, 3, now() + interval '1 hour', 'p1', 'ada', 'course', 'seen', 250000000,
        now() - interval '2 hours', NULL),
      ('btc_pending', 'mainnet', 'c', '03', 5, 3, now() + interval '1 hour', NULL, 'bob', 'course', 'pending', 0, NULL, NULL);
    INSERT INTO billing.bitcoin_transactions (payment_id, txid, amount, state, arrived_at, first_seen_at, changed_at)
    VALUES ('btc_seen', repeat('ab', 32), 250000000, 'mempool', now(), now(), now())`);
});
afterAll(() => database.drop());

beforeEach(() => {
  lambda.reset();
  lambda.on(GetFunctionConfigurationCommand).resolves({});
});

const read = async () =>
  INSPECTIONS.bitcoin.report.parse(await readBitcoin(client, { action: 'bitcoin', limit: 20 }, new Date()));
const answering = (answer: () => Promise<object>) =>
  lambda.on(InvokeCommand).callsFake(async () => {
    const text = JSON.stringify(await answer());
    return { Payload: { transformToString: () => text } };
  });
const ops = (line: string) => runOps([...wordsOf(line), '--env', 'dev']);

test('bitcoin status shows node, payments under way, mean time, projects and reorganisations, and is a finding once one is lost', async () => {
  answering(read);
  const { status, stdout } = await ops('bitcoin status');
  expect(status).toBe(0);
  expect(stdout).toMatch(/^last block +900, .* \(7 min ago\)$/m);
  expect(stdout).toMatch(/^node +2 blocks ahead/m);
  expect(stdout).toMatch(/^payments +1 pending, 1 seen, 1 settled$/m);
  expect(stdout).toMatch(/^last 24 h +1 payment settled, after 30 min on average; 0 failed or too late$/m);
  expect(stdout).toMatch(/^btc_seen +p1 +seen +2\.50000000 +2\.50000000 +.*\(2\.0 h ago\) +abababab… mempool$/m);
  expect(stdout).toMatch(/^p1 +1 +0\.00100000$/m);
  expect(stdout).toMatch(/ago\) +897 +2 +1$/m);
  expect(stdout).toMatch(/Paid too much, 7 days[^]+btc_settled +p1 +settled +0\.00100000 +0\.00110000/);
  const page = String(await bitcoinView(await read(), new Date()));
  expect(page).toContain('btc_seen');
  expect(page).toContain('2.50000000');

  await client.query(
    `UPDATE billing.bitcoin_payments SET status = 'late', status_changed_at = now() WHERE id = 'btc_seen'`,
  );
  expect(await ops('bitcoin status')).toMatchObject({
    status: 1,
    stdout: expect.stringMatching(/Failed or too late[^]+btc_seen +p1 +late/),
  });
});

const FOLLOWED = {
  dryRun: true,
  outcome: 'node_unreachable',
  problem: 'The node did not answer: connect ECONNREFUSED 10.0.0.8:8332',
  height: 900,
  nodeHeight: null,
  blockAt: new Date().toISOString(),
  blocks: 0,
  reorganisations: [],
  mempool: null,
  changes: {},
  accepted: null,
  takenBack: 0,
  durationMs: 3_000,
};

test('bitcoin follow asks the function, dry where it is said so, and says why the node cannot be reached', async () => {
  answering(async () => FOLLOWED);
  const { status, stdout, stderr } = await ops('bitcoin follow --dry-run --without-audit');
  expect(stderr).toBe('');
  expect([status, stdout]).toEqual([
    1,
    expect.stringContaining('node_unreachable: The node did not answer: connect ECONNREFUSED'),
  ]);
  const { FunctionName, Payload } = lambda.commandCalls(InvokeCommand)[0]?.args[0].input ?? {};
  expect([FunctionName, Buffer.from(Payload as Uint8Array).toString()]).toEqual([
    'BillingOps-dev-confirmations',
    '{"dryRun":true}',
  ]);
});

test('bitcoin accept says what has arrived and of how much, and accepts it only once the id of the payment is typed', async () => {
  mockClient(STSClient).on(GetCallerIdentityCommand).resolves({ Arn: 'arn:aws:iam::111111111111:user/ann' });
  const asked: { readonly dryRun: boolean; readonly accept: unknown }[] = [];
  lambda.on(InvokeCommand).callsFake(async ({ Payload }: { Payload: Uint8Array }) => {
    const request = JSON.parse(Buffer.from(Payload).toString()) as (typeof asked)[number];
    asked.push(request);
    const accepted = { payment: 'btc_seen', before: 'late', status: request.dryRun ? 'late' : 'settled' };
    const text = JSON.stringify({ ...FOLLOWED, accepted: { ...accepted, asked: '250000000', received: '250000000' } });
    return { Payload: { transformToString: () => text } };
  });
  const line = 'bitcoin accept btc_seen --reason agreed --without-audit';
  const unconfirmed = await ops(line);
  expect([unconfirmed.status === 0, asked.map(({ dryRun }) => dryRun)]).toEqual([false, [true]]);
  const wrong = await ops(`${line} --confirm btc_other`);
  expect([wrong.status === 0, asked.every(({ dryRun }) => dryRun)]).toEqual([false, true]);
  const { status, stdout } = await ops(`${line} --confirm btc_seen`);
  expect([status, stdout]).toEqual([
    0,
    'Accepted 2.50000000 BTC of 2.50000000 BTC for btc_seen, late so far. It is settled now\n',
  ]);
  expect(asked.at(-1)).toEqual({
    dryRun: false,
    accept: { payment: 'btc_seen', reason: 'agreed', by: '111111111111:user/ann', received: '250000000' },
  });
});
