import type { Client } from 'pg';
import { deliver, type Chaos } from '../simulation/deliveries';
import { populate, SIMULATED_RULES } from '../simulation/life';
import { expectedEntitlements } from '../simulation/oracle';
import { applyAll, refreshPending, storedEntitlements } from '../simulation/platform';
import { seededRandom } from '../simulation/random';
import { DAY, StripeState } from '../simulation/state';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { putRules } from '../support/entitlements';

const CUSTOMERS = Number(environmentVariable('SIMULATED_CUSTOMERS') ?? 300);
const YEARS = 3;
/** Days after which the platform's entitlements are compared with the oracle's. */
const STEP_DAYS = 15;
const START = Date.UTC(2024, 0, 1) / 1000;
const PROCESSORS = 2;
const CHAOS: Chaos = { dropped: 0.02, doubled: 0.05, late: 0.05, reorderedWithin: 300 };

let database: TestDatabase;
let clients: Client[];

beforeAll(async () => {
  database = await createTestDatabase('billing');
  clients = await Promise.all(Array.from({ length: PROCESSORS }, () => database.client()));
});
afterAll(() => database.drop());

function environmentVariable(name: string): string | undefined {
  return process.env[name];
}

test(`${CUSTOMERS} customers may use at each step of ${YEARS} years what the oracle says`, async () => {
  const seed = Number(environmentVariable('SIMULATION_SEED') ?? Date.now() % 1_000_000);
  const random = seededRandom(seed);
  const [client] = clients as [Client];
  await putRules(client, SIMULATED_RULES);
  const stripe = new StripeState(START, random);
  populate(stripe, CUSTOMERS);

  const started = performance.now();
  let events = 0;
  let refreshed = 0;
  for (let day = STEP_DAYS; day <= YEARS * 365; day += STEP_DAYS) {
    stripe.agenda.advanceTo(START + day * DAY);
    const happened = stripe.takeEvents();
    events += happened.length;
    const { delivered, dropped } = deliver(happened, CHAOS, random);
    await applyAll(clients, delivered, 'webhook', random);
    await applyAll(clients, dropped, 'reconciliation', random);
    refreshed += await refreshPending(client, stripe);

    const stored = new Set(await storedEntitlements(client));
    const expected = new Set(expectedEntitlements(stripe, SIMULATED_RULES));
    const wrong = [
      ...[...stored].filter((line) => !expected.has(line)).map((line) => `stored: ${line}`),
      ...[...expected].filter((line) => !stored.has(line)).map((line) => `expected: ${line}`),
    ].toSorted();
    expect({ seed, day, differences: wrong.length, first: wrong.slice(0, 10) }).toEqual({
      seed,
      day,
      differences: 0,
      first: [],
    });
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(
    `seed ${seed}: ${CUSTOMERS} customers, ${stripe.subscriptions.size} subscriptions, ${events} events, ` +
      `${refreshed} objects read again, ${seconds} s`,
  );
}, 900_000);
