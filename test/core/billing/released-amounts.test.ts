import type { Client } from 'pg';
import { revenueFigures } from '../../../core/entitlements/figures';
import { checkInvariants } from '../../../core/restore/invariants';
import type { StripeEvent } from '../../../core/providers/stripe/shapes';
import { charge, checkoutSession, EPOCH, olderCharge, refund, stripeEvent } from '../../factories/stripe-objects';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { applyWithEntitlements, putRules, RULES } from '../../support/entitlements';

let database: TestDatabase;
let client: Client;
beforeAll(async () => {
  database = await createTestDatabase('billing');
  client = await database.client();
  await putRules(client, RULES);
});
afterAll(() => database.drop());

/** What happens to 9,900 that were authorised. Objects have the ids of their story. */
type Story = (events: {
  readonly charged: (type: string, seconds: number, fields: object) => StripeEvent;
  readonly older: (type: string, seconds: number, fields: object) => StripeEvent;
  readonly given: (seconds: number, fields: object) => StripeEvent;
  /** Until API version 2025-03-31.basil Stripe makes a refund of what it releases, too; nobody gave it a reason. */
  readonly released: (seconds: number, fields: object) => StripeEvent;
}) => StripeEvent[];

const PART = { amount_captured: 6_000, amount_refunded: 3_900 };
/** Since that version a release changes nothing of the charge either. */
const HALF = { amount_captured: 4_950, amount_refunded: 0 };
const CANCELED = { captured: false, amount_captured: 0, amount_refunded: 9_900 };

const STORIES: Record<string, readonly [Story, { granted: number; gross: number; refunded: number }]> = {
  'the rest was released': [
    ({ charged, released }) => [charged('charge.captured', 5, PART), released(5, { amount: 3_900 })],
    { granted: 1, gross: 6_000, refunded: 0 },
  ],
  'a part of what was captured was given back': [
    ({ charged, given, released }) => [
      charged('charge.captured', 5, PART),
      released(5, { amount: 3_900 }),
      given(9, { amount: 3_000 }),
      charged('charge.refunded', 9, { ...PART, amount_refunded: 6_900 }),
    ],
    { granted: 1, gross: 6_000, refunded: 3_000 },
  ],
  'all of what was captured was given back, and the refund of the release is not known': [
    ({ charged, given }) => [
      charged('charge.captured', 5, { amount_captured: 4_950, amount_refunded: 4_950 }),
      given(9, { amount: 4_950 }),
      charged('charge.refunded', 9, { amount_captured: 4_950, amount_refunded: 9_900 }),
    ],
    { granted: 0, gross: 4_950, refunded: 4_950 },
  ],
  'a half was captured, and nothing is told of the release': [
    ({ charged }) => [charged('charge.captured', 5, HALF)],
    { granted: 1, gross: 4_950, refunded: 0 },
  ],
  'a half was captured and given back, and no refund was made of the release': [
    ({ charged, given }) => [
      charged('charge.captured', 5, HALF),
      given(9, { amount: 4_950 }),
      charged('charge.refunded', 9, { ...HALF, amount_refunded: 4_950 }),
    ],
    { granted: 0, gross: 4_950, refunded: 4_950 },
  ],
  'a half was captured and given back in the second of its release': [
    ({ charged, given, released }) => [
      charged('charge.captured', 5, { ...HALF, amount_refunded: 4_950 }),
      released(5, { amount: 4_950 }),
      given(5, { amount: 4_950 }),
      charged('charge.refunded', 5, { ...HALF, amount_refunded: 9_900 }),
    ],
    { granted: 0, gross: 4_950, refunded: 4_950 },
  ],
  'all of it was given back, by refunds that name their payment intent only': [
    ({ charged, given, released }) => [
      charged('charge.captured', 5, PART),
      released(5, { amount: 3_900, charge: null }),
      given(9, { amount: 6_000, charge: null }),
    ],
    { granted: 0, gross: 6_000, refunded: 6_000 },
  ],
  'it was canceled': [
    ({ charged, given }) => [charged('charge.refunded', 5, CANCELED), given(5, { amount: 9_900 })],
    { granted: 0, gross: 0, refunded: 0 },
  ],
  'it was canceled, in the shape that carries its refunds': [
    ({ older }) => [older('charge.refunded', 5, CANCELED)],
    { granted: 0, gross: 0, refunded: 0 },
  ],
  'it expired, and no refund of it is known': [
    ({ charged }) => [charged('charge.expired', 5, CANCELED)],
    { granted: 0, gross: 0, refunded: 0 },
  ],
  'more than was authorised was captured': [
    ({ charged }) => [charged('charge.captured', 5, { amount_captured: 11_000 })],
    { granted: 1, gross: 11_000, refunded: 0 },
  ],
  'more than was authorised was captured and given back': [
    ({ charged, given }) => [
      charged('charge.captured', 5, { amount_captured: 11_000 }),
      given(9, { amount: 11_000 }),
      charged('charge.refunded', 9, { amount_captured: 11_000, amount_refunded: 11_000 }),
    ],
    { granted: 0, gross: 11_000, refunded: 11_000 },
  ],
};

/** @param story tells the objects of one story from those of the others */
function eventsOf(tell: Story, story: string): StripeEvent[] {
  const metadata = { kind: 'course', item_id: 'c', user_id: 'user_1', project_id: story };
  const ids = { payment_intent: `pi_${story}`, customer: null };
  const at = (seconds: number) => ({ created: EPOCH + seconds });
  const charged =
    (make: typeof charge) =>
    (type: string, seconds: number, fields: object): StripeEvent =>
      stripeEvent(type, make({ captured: true, ...fields, ...ids, id: `ch_${story}`, metadata }), at(seconds));
  let refunds = 0;
  const given = (seconds: number, fields: object) => {
    const id = `re_${story}_${(refunds += 1)}`;
    return stripeEvent(
      'refund.created',
      refund({ charge: `ch_${story}`, ...ids, ...at(seconds), ...fields, id }),
      at(seconds),
    );
  };
  const session = checkoutSession({ ...ids, id: `cs_${story}`, payment_status: 'unpaid', metadata });
  const released = (seconds: number, fields: object) => given(seconds, { reason: null, ...fields });
  return [
    stripeEvent('checkout.session.completed', session),
    charged(charge)('charge.succeeded', 1, { captured: false, amount_captured: 0 }),
    ...tell({ charged: charged(charge), older: charged(olderCharge), given, released }),
  ];
}

test.each(Object.entries(STORIES))(
  'an authorised purchase counts as what was captured less what was given back, in either order: %s',
  async (name, [tell, expected]) => {
    for (const order of ['forth', 'back']) {
      const story = `${Object.keys(STORIES).indexOf(name)}_${order}`;
      const events = eventsOf(tell, story);
      for (const event of order === 'forth' ? events : events.toReversed()) await applyWithEntitlements(client, event);
      const range = { from: new Date(0), to: new Date('2100-01-01') };
      const [{ gross, refunded } = { gross: 0, refunded: 0 }] = await revenueFigures(client, story, range);
      const { rowCount } = await client.query('SELECT FROM billing.entitlements WHERE project_id = $1', [story]);
      expect({ granted: rowCount, gross, refunded }).toEqual(expected);
    }
    expect((await client.query(`SELECT error FROM billing.webhook_events WHERE status = 'failed'`)).rows).toEqual([]);
    expect((await checkInvariants(client, 'billing')).broken).toEqual([]);
  },
);
