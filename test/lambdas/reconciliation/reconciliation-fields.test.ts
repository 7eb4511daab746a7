import { COMPARED_COLUMNS, COMPARED_KINDS, type ComparedKind } from '../../../lambdas/reconciliation/differences';
import { eventObject } from '../../../local/stripe/objects';
import type { StripeState } from '../../../local/stripe/state';
import type { Deliveries } from '../../factories/stripe-work';
import { daysAgoSeconds, useStripeAndDatabase } from '../../support/stripe';

const { client, deliver, reconcile, rows, stripe } = useStripeAndDatabase();
beforeEach(() => client().query(`INSERT INTO billing.customers (id, first_seen_at) VALUES ('cus_other', now())`));

const created = daysAgoSeconds(1);

interface Created {
  readonly id: string;
  readonly deliveries: Deliveries;
}

/** Creates an object of a kind at Stripe. */
const CREATE: Record<ComparedKind, (state: StripeState) => Created> = {
  subscription: (state) => oneDelivery(state.createSubscription({ created })),
  purchase: (state) => oneDelivery(state.completeCheckout({ created, mode: 'setup' })),
  charge: (state) => oneDelivery(state.createCharge({ created })),
  refund: (state) => {
    const charge = state.createCharge({ created });
    const refunded = state.refundCharge(charge.object.id, 100, { atSeconds: created });
    const [refund] = state.refunds.newestFirst();
    if (refund === undefined) throw new Error('The stand-in has no refund');
    const event = state.events.put(eventObject('refund.created', refund, { created }));
    return { id: refund.id, deliveries: [charge, refunded, { event }] };
  },
};

function oneDelivery(change: { object: { id: string }; event: object }): Created {
  return { id: change.object.id, deliveries: [change] };
}

const TABLES = {
  subscription: 'billing.subscriptions',
  purchase: 'billing.purchases',
  charge: 'billing.charges',
  refund: 'billing.refunds',
} satisfies Record<ComparedKind, string>;

/** The key and order of a row, the whole object, and the mode of a session, which never changes. */
const UNCOMPARED = new Set(['id', 'version', 'raw', 'mode', 'defaulted']);

/** Another value that the column may hold. */
const DAMAGE: Readonly<Record<string, (column: string) => string>> = {
  text: (column) => `coalesce(${column}, '') || 'x'`,
  integer: (column) => `coalesce(${column}, 0) + 1`,
  bigint: (column) => `coalesce(${column}, 0) + 1`,
  boolean: (column) => `NOT ${column}`,
  'timestamp with time zone': (column) => `coalesce(${column}, now()) + interval '1 hour'`,
};
const CONSTRAINED: Readonly<Record<string, string>> = { customer_id: `'cus_other'`, kind: `'path'` };

test.each(COMPARED_KINDS)('a %s is compared and corrected in every one of its fields', async (kind) => {
  const columns = COMPARED_COLUMNS[kind];
  const types = await columnTypes(TABLES[kind]);
  expect([...columns].toSorted()).toEqual([...types.keys()].filter((name) => !UNCOMPARED.has(name)).toSorted());
  const expected: object[] = [];
  for (const field of columns) {
    const { id, deliveries } = CREATE[kind](stripe().state);
    await deliver(...deliveries);
    const damaged = CONSTRAINED[field] ?? DAMAGE[types.get(field) ?? '']?.(field);
    await client().query(`UPDATE ${TABLES[kind]} SET ${field} = ${damaged} WHERE id = $1`, [id]);
    expected.push({ object_id: id, field });
  }

  expect(await reconcile()).toMatchObject({ drift_detected: columns.length, corrected: columns.length });
  const findings = await rows(
    `SELECT object_id, field FROM billing.reconciliation_findings WHERE object_type = '${kind}' ORDER BY id`,
  );
  expect(findings).toHaveLength(expected.length);
  expect(findings).toEqual(expect.arrayContaining(expected));
  expect(await reconcile()).toMatchObject({ drift_detected: 0 });
});

test('a subscription is compared and corrected in every field of its items', async () => {
  const types = await columnTypes('billing.subscription_items');
  const columns = [...types.keys()].filter((name) => name !== 'subscription_id');
  for (const field of columns) {
    const { id, deliveries } = CREATE.subscription(stripe().state);
    await deliver(...deliveries);
    const damaged = DAMAGE[types.get(field) ?? '']?.(field);
    await client().query(`UPDATE billing.subscription_items SET ${field} = ${damaged} WHERE subscription_id = $1`, [
      id,
    ]);
  }

  expect(await reconcile()).toMatchObject({ drift_detected: columns.length, corrected: columns.length });
  expect(await rows('SELECT DISTINCT field FROM billing.reconciliation_findings')).toEqual([{ field: 'items' }]);
  expect(await reconcile()).toMatchObject({ drift_detected: 0 });
});

/** Types of a table's columns, by name. */
async function columnTypes(table: string): Promise<Map<string, string>> {
  const types = await rows(
    `SELECT column_name, data_type FROM information_schema.columns WHERE table_schema || '.' || table_name = '${table}'`,
  );
  return new Map(types.map(({ column_name, data_type }) => [column_name, data_type]));
}
