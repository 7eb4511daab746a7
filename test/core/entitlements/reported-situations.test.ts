import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from 'pg';
import type { EntitlementRule } from '../../../core/entitlements/contract';
import type { StripeEvent } from '../../../core/providers/stripe/shapes';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { applyWithEntitlements, DAY, putRules } from '../../support/entitlements';

const FOLDER = join(__dirname, '../../fixtures/situations');
const RULES: readonly EntitlementRule[] = [
  ...['pro', 'basic', 'addon'].map((name): EntitlementRule => ({
    id: name,
    grants: { source: 'subscription', priceId: `price_${name}` },
    features: [name],
  })),
  { id: 'course', grants: { source: 'purchase', kind: 'course' }, features: ['course:{item_id}'] },
];

let database: TestDatabase;
let client: Client;
beforeAll(async () => {
  database = await createTestDatabase('billing');
  client = await database.client();
  await putRules(client, RULES);
});
afterAll(() => database.drop());

/** Events as Stripe sent them: `ID_` stands for something unique, `@5` and `@-50d` for seconds and days from now. */
function eventsOf(name: string, now: number): StripeEvent[] {
  const text = readFileSync(join(FOLDER, `${name}.json`), 'utf8')
    .replaceAll('ID_', `${name.replaceAll('-', '_')}_`)
    .replaceAll(/"@(-?\d+)(d?)"/g, (_, count: string, days: string) => String(now + Number(count) * (days ? DAY : 1)));
  return (JSON.parse(text) as { events: StripeEvent[] }).events;
}

/** What the user of a situation may use, and for how many days from now; `null` for good. */
async function access(name: string, now: number): Promise<Record<string, number | null>> {
  const { rows } = await client.query<{ feature: string; valid_until: Date | null }>(
    'SELECT feature, valid_until FROM billing.entitlements WHERE user_id = $1 ORDER BY feature',
    [`u_${name.replaceAll('-', '_')}_`],
  );
  const days = (until: Date) => Math.round((until.getTime() / 1000 - now) / DAY);
  return Object.fromEntries(rows.map((row) => [row.feature, row.valid_until && days(row.valid_until)]));
}

/** What was reported as wrong by people who do this, and what is right; see docs/entitlements.md. */
const OUTCOMES: Record<string, Record<string, number | null>> = {
  'deauthorized-account': {},
  // The course is taken back.
  'dispute-lost': {},
  'emoji-locally': {},
  'invoice-due-in-30-days-becomes-past-due': { pro: 7 },
  // The add-on is gone.
  'item-removed-beyond-ten': { basic: 37 },
  'partial-capture-is-no-refund': {},
  'past-due-and-active-in-one-second': { pro: 17 },
  // Nothing of the paused period was paid.
  'paused-collection': {},
  // To the end of the paid year, and the grace.
  'upgrade-declined-mid-period': { pro: 272 },
  'user-only-on-checkout': { pro: 37 },
};

/** What the last event takes away. */
const BEFORE_THE_LAST: typeof OUTCOMES = { 'dispute-lost': { 'course:c1': null } };

/** What is stored where nothing is granted, by the query that finds it. */
const STORED: Record<string, readonly [string, object]> = {
  'deauthorized-account': [`SELECT restricted FROM billing.connect_accounts`, { restricted: true }],
  'emoji-locally': [`SELECT name FROM billing.customers WHERE id = 'cus_emoji_locally_'`, { name: 'Zoë 🎉' }],
  // What was never captured is no refund.
  'partial-capture-is-no-refund': [
    `SELECT charge.status, refunds.charge_id AS refunded FROM billing.charges AS charge
     LEFT JOIN billing.refund_balances AS refunds ON refunds.charge_id = charge.id WHERE charge.id LIKE '%capture%'`,
    { status: 'succeeded', refunded: null },
  ],
  'paused-collection': [
    `SELECT own.status, invoice.status AS invoice FROM billing.subscriptions AS own
     JOIN billing.invoices AS invoice ON invoice.subscription_id = own.id WHERE own.user_id = 'u_paused_collection_'`,
    { status: 'active', invoice: 'void' },
  ],
};

test.each(Object.entries(OUTCOMES))('%s', async (name, expected) => {
  const now = Math.floor(Date.now() / 1000);
  const events = eventsOf(name, now);
  const last = events.splice(-1);
  for (const event of events) await applyWithEntitlements(client, event);
  const before = await access(name, now);
  await applyWithEntitlements(client, ...last);
  expect([before, await access(name, now)]).toEqual([BEFORE_THE_LAST[name] ?? before, expected]);
});

test.each(Object.entries(STORED))('%s is stored', async (name, [query, row]) => {
  for (const event of eventsOf(name, Math.floor(Date.now() / 1000))) await applyWithEntitlements(client, event);
  expect((await client.query(query)).rows).toEqual([row]);
});

test('an outcome without access says what was there before, or what is stored', () => {
  const without = Object.keys(OUTCOMES).filter((name) => Object.keys(OUTCOMES[name] ?? {}).length === 0);
  expect(without).toEqual(Object.keys({ ...BEFORE_THE_LAST, ...STORED }).toSorted());
});

test('every situation has its outcome', () => {
  expect(readdirSync(FOLDER).toSorted()).toEqual(Object.keys(OUTCOMES).map((name) => `${name}.json`));
});
