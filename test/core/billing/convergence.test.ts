import type { Client } from 'pg';
import { applyEvents } from '../../../core/billing/apply-events';
import { stripeProvider } from '../../../core/providers/stripe/provider';
import { newestById, versionKey } from '../../../core/billing/version';
import { applyStories, finalStates, randomNumbers, shuffled, story } from '../../factories/billing-story';
import { createTestDatabase, type TestDatabase } from '../../support/database';

const PURE_PERMUTATIONS = 10_000;
/** On PostgreSQL; the heavier proof does thousands. */
const STORIES = 60;
const AT_ONCE = 30;

describe('the order of versions', () => {
  test(`picks the same newest state of ${PURE_PERMUTATIONS} random sets, compared at once or one by one in any order`, () => {
    const seed = Date.now();
    const random = randomNumbers(seed);
    const wrong: string[] = [];
    const small = (limit: number) => Math.floor(random() * limit);
    for (let run = 0; run < PURE_PERMUTATIONS; run += 1) {
      // Few distinct values, so that ties are the rule.
      const states = Array.from({ length: 2 + small(8) }, (_, index) => ({
        id: 'object',
        version: versionKey({ progress: small(2), moment: small(3), rank: small(3), eventId: `evt_${index}` }),
      }));
      const [newest] = newestById(states);
      // As the database does: over what is there only what is newer.
      const stored = shuffled(states, random, small(4)).reduce((kept, next) =>
        next.version > kept.version ? next : kept,
      );
      if (stored.version !== newest?.version) wrong.push(`Seed ${seed}, run ${run}: ${JSON.stringify(states)}`);
    }
    expect(wrong).toEqual([]);
  });

  test.each([
    [
      'final states',
      { progress: 1, moment: 1, rank: 0, eventId: 'evt_a' },
      { progress: 0, moment: 9, rank: 9, eventId: 'evt_z' },
    ],
    [
      'later moments',
      { progress: 0, moment: 10, rank: 0, eventId: 'evt_a' },
      { progress: 0, moment: 9, rank: 9, eventId: 'evt_z' },
    ],
    [
      'later statuses of a second',
      { progress: 0, moment: 9, rank: 10, eventId: 'evt_a' },
      { progress: 0, moment: 9, rank: 9, eventId: 'evt_z' },
    ],
    [
      'events over snapshots of their second',
      { progress: 0, moment: 9, rank: 0, eventId: 'evt_a' },
      { progress: 0, moment: 9, rank: 0, eventId: '' },
    ],
  ])('%s win', (_name, winner, loser) => {
    expect(versionKey(winner) > versionKey(loser)).toBe(true);
  });
});

describe('events on PostgreSQL', () => {
  let database: TestDatabase;
  let client: Client;

  beforeEach(async () => {
    database = await createTestDatabase('billing');
    client = await database.client();
  });
  afterEach(() => database.drop());

  test('applied in order end in the state at Stripe', async () => {
    await applyEvents(
      client,
      stripeProvider,
      story(0).map((event) => ({ event, source: 'webhook', receivedAt: new Date() })),
    );
    const rows = async (sql: string) => (await client.query({ text: sql, rowMode: 'array' })).rows;

    expect(await rows('SELECT status FROM billing.subscriptions ORDER BY id')).toEqual([['canceled'], ['active']]);
    expect(await rows('SELECT left(id, 4) FROM billing.subscription_items ORDER BY id')).toEqual([['si_b'], ['si_z']]);
    expect(await rows('SELECT status FROM billing.invoices ORDER BY id')).toEqual([['paid'], ['deleted']]);
    expect(await rows('SELECT payment_status FROM billing.purchases')).toEqual([['paid']]);
    expect(await rows('SELECT status FROM billing.payment_intents')).toEqual([['succeeded']]);
    expect(await rows('SELECT amount_refunded FROM billing.charges')).toEqual([['2000']]);
    expect(await rows('SELECT refunded, returned, balance FROM billing.refund_balances')).toEqual([
      ['5000', '3000', '2000'],
    ]);
    expect(await rows('SELECT restricted FROM billing.connect_accounts')).toEqual([[false]]);
    expect(await rows(`SELECT email FROM billing.customers WHERE email IS NOT NULL`)).toEqual([['new@example.com']]);
    expect(await rows(`SELECT count(*)::int FROM billing.webhook_events WHERE status = 'failed'`)).toEqual([[1]]);
  });

  test(`applied in ${STORIES} random orders, with duplicates, in batches of any size, end in the same state`, async () => {
    const seed = Date.now();
    const random = randomNumbers(seed);
    for (let first = 1; first <= STORIES; first += AT_ONCE) {
      await applyStories(
        client,
        Array.from({ length: AT_ONCE }, (_, index) => first + index),
        random,
      );
    }
    await applyEvents(
      client,
      stripeProvider,
      story(0).map((event) => ({ event, source: 'webhook', receivedAt: new Date() })),
    );

    const states = await finalStates(client);
    expect({ seed, stories: states.map(({ stories }) => stories) }).toEqual({ seed, stories: [STORIES + 1] });
    expect(states[0]?.facts.length).toBeGreaterThan(story(0).length);
  });

  test('applied by two connections at once end in the same state', async () => {
    const other = await database.client();
    const copies = Array.from({ length: 20 }, (_, index) => index + 1);
    await Promise.all([
      applyStories(client, copies, randomNumbers(1)),
      applyStories(other, copies.toReversed(), randomNumbers(2)),
    ]);

    expect((await finalStates(client)).map(({ stories }) => stories)).toEqual([copies.length]);
  });
});
