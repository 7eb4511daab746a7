import { GetFunctionConfigurationCommand, InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { mockClient } from 'aws-sdk-client-mock';
import type { Client } from 'pg';
import { INSPECTIONS } from '../../lambdas/inspect/contract';
import { readFigures } from '../../lambdas/inspect/figures';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { runOps } from './run-ops';
import { wordsOf } from './runbook-lines';

/** What an operator sees of a project's revenue, from the rows to the lines. */
const lambda = mockClient(LambdaClient);
const NOW = new Date('2026-11-30T12:00:00Z');
let database: TestDatabase;
let client: Client;

beforeAll(async () => {
  database = await createTestDatabase('billing');
  client = await database.client();
  await client.query(
    `INSERT INTO billing.charges (id, project_id, status, amount, amount_refunded, currency, created_at, version, raw)
     VALUES ('ch_1', 'p1', 'succeeded', 123456, 0, 'usd', '2026-11-10', '', '{}'),
       ('ch_2', 'p1', 'succeeded', 900, 0, 'jpy', '2026-11-10', '', '{}'),
       ('ch_3', 'p1', 'succeeded', 100, 0, 'usd', '2026-10-10', '', '{}'),
       ('ch_4', 'p2', 'succeeded', 100, 0, 'usd', '2026-11-10', '', '{}')`,
  );
  lambda.on(GetFunctionConfigurationCommand).resolves({});
  lambda.on(InvokeCommand).callsFake(async ({ Payload }: { Payload: string }) => {
    const question = INSPECTIONS.figures.request.parse(JSON.parse(Payload));
    const text = JSON.stringify(INSPECTIONS.figures.report.parse(await readFigures(client, question, NOW)));
    return { Payload: { transformToString: () => text } };
  });
});
afterAll(() => database.drop());

const ops = (line: string) => runOps([...wordsOf(line), '--env', 'dev']);

test('revenue shows what a project took in over 30 days, in each currency as people write it', async () => {
  const { status, stdout } = await ops('revenue p1');
  expect(status).toBe(0);
  expect(stdout).toMatch(/^from +2026-10-31T12:00:00\.000Z$/m);
  expect(stdout).toMatch(/^JPY +900 JPY +0 JPY +900 JPY +1$/m);
  expect(stdout).toMatch(/^USD +1,234\.56 USD +0\.00 USD +1,234\.56 USD +1$/m);
  const october = await ops('revenue p1 --from 2026-10-01T00:00:00Z --to 2026-11-01T00:00:00Z --json');
  expect(JSON.parse(october.stdout)).toMatchObject({
    currencies: [{ currency: 'usd', gross: 100, refunded: 0, net: 100, charges: 1 }],
  });
});

test('revenue of a project that nothing names says so, and a range of years is refused by its field', async () => {
  expect((await ops('revenue p9')).stdout).toMatch(/^Nothing was paid or refunded in this range/m);
  await expect(
    readFigures(client, { action: 'figures', projectId: 'p1', from: '2020-01-01T00:00:00Z' }, NOW),
  ).rejects.toThrow('from: expected a range of at most 366 days');
});
