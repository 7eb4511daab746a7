import type { Client } from 'pg';
import type { EraseReport } from '../../lambdas/erasure/contract';
import { waitUntil } from '../../local/pass/check';
import { applyEvents } from '../../core/billing/apply-events';
import { stripeProvider } from '../../core/providers/stripe/provider';
import { type BundledFunctions, startBundledFunctions } from '../factories/bundled-functions';
import { placesOf, plantedPerson } from '../factories/planted-person';
import { delivered } from '../support/billing';

/** The bundle that is deployed, in a process of its own that is killed with SIGKILL. A busy machine starts it slowly. */
jest.setTimeout(60_000);

let functions: BundledFunctions;
let client: Client;

beforeAll(async () => {
  functions = await startBundledFunctions();
  client = await functions.databases.billing.client();
});
afterAll(() => functions.stop());

/** With more time than it reserves for its answer. */
const started = () => functions.start('erasure', undefined, { timeoutSeconds: 300 });

test.each([
  ['ledger', 'before the tombstones', 'erasures'],
  ['sweep', 'between two pages of the sweep', 'connect_accounts'],
  ['users', 'while users are renamed', 'entitlement_versions'],
])('%s: an erasure killed %s is completed by the same request', async (name, _, table) => {
  const person = plantedPerson(name);
  await applyEvents(client, stripeProvider, delivered([...person.events, ...person.guest]));
  await client.query(`INSERT INTO billing.entitlement_versions VALUES ($1, 'project_1', 3, now())`, [person.userId]);
  const planted = (await placesOf(client, person.marker)).length;
  const request = {
    action: 'erase',
    subject: { customer: person.customerId },
    typed: { confirm: person.customerId },
  };

  // It stops where it writes to the table.
  await client.query('BEGIN');
  await client.query(`LOCK TABLE billing.${table} IN EXCLUSIVE MODE`);
  const victim = started();
  const killed = victim.invoke(request).catch((error: unknown) => error);
  await waitUntil(async () => {
    const waiting = await client.query(`SELECT FROM pg_locks WHERE relation = $1::regclass AND NOT granted`, [
      `billing.${table}`,
    ]);
    return waiting.rowCount === 1 ? undefined : `the erasure does not wait for billing.${table}`;
  }, 30_000);
  victim.stop();
  expect(await killed).toMatchObject({ message: expect.stringContaining('Runtime exited with error') as string });
  // Or else PostgreSQL, which does not see that the client is gone, completes the statement that waits.
  await client.query(
    'SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE relation = $1::regclass AND NOT granted',
    [`billing.${table}`],
  );
  await client.query('ROLLBACK');
  const left = (await placesOf(client, person.marker)).length;
  expect(left).toBeGreaterThan(0);
  if (name === 'ledger') expect(left).toBe(planted);
  else expect(left).toBeLessThan(planted);

  const report = (await started().invoke(request)) as EraseReport;
  expect(report).toMatchObject({ dryRun: false, continueFrom: null });
  expect(await placesOf(client, person.marker)).toEqual([]);
  const { rows } = await client.query(
    'SELECT count(*) FILTER (WHERE finished_at IS NULL)::int AS open FROM billing.erasures',
  );
  expect(rows).toEqual([{ open: 0 }]);
});
