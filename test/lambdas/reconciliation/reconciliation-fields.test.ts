import type { Client } from 'pg';
import { COMPARED_COLUMNS, type ComparedKind } from '../../../lambdas/reconciliation/differences';
import { reconcile } from '../../../lambdas/reconciliation/core';
import { applyEvents } from '../../../core/billing/apply-events';
import { stripeProvider } from '../../../core/providers/stripe/provider';
import { readEvent } from '../../../core/providers/stripe/shapes';
import { createStripe } from '../../../core/providers/stripe/client';
import { pacedCaller } from '../../../core/providers/stripe/paced-caller';
import { eventObject } from '../../../local/stripe/objects';
import { startStripeStandIn, type StripeStandIn } from '../../../local/stripe/stand-in';
import type { StripeState } from '../../../local/stripe/state';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { silentLog } from '../../support/log';

let database: TestDatabase;
let client: Client;
let stripe: StripeStandIn;

beforeEach(async () => {
  [database, stripe] = await Promise.all([createTestDatabase('billing'), startStripeStandIn()]);
  client = await database.client();
  await client.query(`INSERT INTO billing.customers (id, first_seen_at) VALUES ('cus_other', now())`);
});
afterEach(() => Promise.all([database.drop(), stripe.stop()]));

const yesterday = Math.floor(Date.now() / 1000) - 86_400;

/** One more object of a kind at Stripe, and what tells of it. */
const MAKE: Record<ComparedKind, (state: StripeState) => { id: string; events: object[] }> = {
  subscription: (state) => told(state.createSubscription({ created: yesterday })),
  purchase: (state) => told(state.completeCheckout({ created: yesterday, mode: 'setup' })),
  charge: (state) => told(state.createCharge({ created: yesterday })),
  refund: (state) => {
    const charge = state.createCharge({ created: yesterday });
    const refunded = state.refundCharge(charge.object.id, 100, { at: yesterday });
    const [refund] = state.refunds.newestFirst();
    if (refund === undefined) throw new Error('The stand-in made no refund');
    const created = state.events.put(eventObject('refund.created', refund, { created: yesterday }));
    return { id: refund.id, events: [charge.event, refunded.event, created] };
  },
};
const told = ({ object, event }: { object: { id: string }; event: object }) => ({ id: object.id, events: [event] });

const TABLES = {
  subscription: 'billing.subscriptions',
  purchase: 'billing.purchases',
  charge: 'billing.charges',
  refund: 'billing.refunds',
} satisfies Record<ComparedKind, string>;

/** What names or orders a row, the object as a whole, and how a session was paid, which never changes. */
const UNCOMPARED = new Set(['id', 'version', 'raw', 'mode']);

/** Another value that the column may hold. */
const DAMAGE: Readonly<Record<string, (column: string) => string>> = {
  text: (column) => `coalesce(${column}, '') || 'x'`,
  bigint: (column) => `coalesce(${column}, 0) + 1`,
  boolean: (column) => `NOT ${column}`,
  'timestamp with time zone': (column) => `coalesce(${column}, now()) + interval '1 hour'`,
};
const CONSTRAINED: Readonly<Record<string, string>> = { customer_id: `'cus_other'`, kind: `'path'` };

test.each(Object.keys(COMPARED_COLUMNS) as ComparedKind[])(
  'a %s is compared and corrected in every one of its fields',
  async (kind) => {
    const columns = COMPARED_COLUMNS[kind];
    const { rows: types } = await client.query<{ column_name: string; data_type: string }>(
      `SELECT column_name, data_type FROM information_schema.columns
       WHERE table_schema || '.' || table_name = $1`,
      [TABLES[kind]],
    );
    const typeOf = new Map(types.map(({ column_name, data_type }) => [column_name, data_type]));
    expect([...columns].toSorted()).toEqual([...typeOf.keys()].filter((name) => !UNCOMPARED.has(name)).toSorted());
    const expected: object[] = [];
    for (const field of columns) {
      const { id, events } = MAKE[kind](stripe.state);
      const received = events.map((event) => ({
        event: readEvent(event),
        source: 'webhook' as const,
        receivedAt: new Date(),
      }));
      await applyEvents(client, stripeProvider, received);
      const damaged = CONSTRAINED[field] ?? DAMAGE[typeOf.get(field) ?? '']?.(field);
      await client.query(`UPDATE ${TABLES[kind]} SET ${field} = ${damaged} WHERE id = $1`, [id]);
      expected.push({ object_id: id, field });
    }
    const run = () =>
      reconcile(
        {
          client,
          stripe: createStripe('sk_test_1', stripe.url),
          call: pacedCaller({ callsPerSecond: 10_000, firstBackoffMs: 1 }),
          clock: () => new Date(),
          log: silentLog,
        },
        { daysBack: 7, dryRun: false, settleSeconds: 0 },
      );

    expect(await run()).toMatchObject({ drift_detected: columns.length, corrected: columns.length });
    const { rows } = await client.query<object>(
      `SELECT object_id, field FROM billing.reconciliation_findings WHERE object_type = $1 ORDER BY id`,
      [kind],
    );
    expect(rows).toHaveLength(expected.length);
    expect(rows).toEqual(expect.arrayContaining(expected));
    expect(await run()).toMatchObject({ drift_detected: 0 });
  },
);
