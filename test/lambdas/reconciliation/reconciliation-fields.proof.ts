import { COMPARED_COLUMNS, COMPARED_KINDS, tableOf, type ComparedKind } from '../../../lambdas/reconciliation/kinds';
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
  customer: (state) => oneDelivery(state.createCustomer({ created })),
  invoice: (state) => {
    const subscription = state.createSubscription({ created });
    const paid = state.payInvoice(subscription.object.id, { created });
    return { id: paid.object.id ?? '', deliveries: [subscription, paid] };
  },
  invoice_payment: (state) => oneDelivery(state.recordInvoicePayment({ created })),
  payment_intent: (state) => oneDelivery(state.createPaymentIntent({ created })),
  dispute: (state) => oneDelivery(state.openDispute({ created })),
  early_fraud_warning: (state) => oneDelivery(state.warnOfFraud({ created })),
  account: (state) => oneDelivery(state.updateAccount({ created })),
};

function oneDelivery(change: { object: { id: string }; event: object }): Created {
  return { id: change.object.id, deliveries: [change] };
}

/** The key and order of a row, the whole object, and what does not follow from the object alone or never changes. */
const UNCOMPARED = new Set(['id', 'version', 'raw', 'defaulted']);
const UNCOMPARED_OF: Partial<Record<ComparedKind, string[]>> = {
  purchase: ['mode'],
  customer: ['first_seen_at'],
  account: ['restricted', 'restriction'],
};
/** Columns of which Stripe's present API version says nothing. */
const UNTOLD = new Set(['invoice.payment_intent_id', 'payment_intent.invoice_id']);

/** Another value that the column may hold. */
const DAMAGE: Readonly<Record<string, (column: string) => string>> = {
  text: (column) => `coalesce(${column}, '') || 'x'`,
  integer: (column) => `coalesce(${column}, 0) + 1`,
  bigint: (column) => `coalesce(${column}, 0) + 1`,
  boolean: (column) => `NOT coalesce(${column}, false)`,
  ARRAY: (column) => `${column} || '{x}'`,
  'timestamp with time zone': (column) => `coalesce(${column}, now()) + interval '1 hour'`,
};
const CONSTRAINED: Readonly<Record<string, string>> = { customer_id: `'cus_other'`, kind: `'path'` };

test.each(COMPARED_KINDS)('a %s is compared and corrected in every one of its fields', async (kind) => {
  const table = tableOf(kind);
  const types = await columnTypes(table);
  const uncompared = new Set([...UNCOMPARED, ...(UNCOMPARED_OF[kind] ?? [])]);
  expect([...COMPARED_COLUMNS[kind]].toSorted()).toEqual(
    [...types.keys()].filter((name) => !uncompared.has(name)).toSorted(),
  );
  const columns = COMPARED_COLUMNS[kind].filter((column) => !UNTOLD.has(`${kind}.${column}`));
  const expected: object[] = [];
  for (const field of columns) {
    const { id, deliveries } = CREATE[kind](stripe().state);
    await deliver(...deliveries);
    const damaged = CONSTRAINED[field] ?? DAMAGE[types.get(field) ?? '']?.(field);
    await client().query(`UPDATE ${table} SET ${field} = ${damaged} WHERE id = $1`, [id]);
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
  // The place in the list is only known of items that were stored since there is such a column.
  const columns = [...types.keys()].filter((name) => name !== 'subscription_id' && name !== 'position');
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

test.each(COMPARED_KINDS)('a %s whose event had no effect is drift of its kind, and stored', async (kind) => {
  const { id, deliveries } = CREATE[kind](stripe().state);
  await deliver(...deliveries);
  await client().query(`DELETE FROM ${tableOf(kind)} WHERE id = $1`, [id]);
  // Accounts are listed where any is connected.
  if (kind === 'account') await deliver(stripe().state.updateAccount({ created }));

  expect(await reconcile()).toMatchObject({
    eventsMissed: 0,
    drift_detected: 1,
    corrected: 1,
    kinds: { [kind]: { drift: 1 } },
  });
  expect(await rows('SELECT kind, object_type, object_id FROM billing.reconciliation_findings')).toEqual([
    { kind: 'missing_locally', object_type: kind, object_id: id },
  ]);
  expect(await rows(`SELECT id FROM ${tableOf(kind)} WHERE id = '${id}'`)).toHaveLength(1);
  expect(await reconcile()).toMatchObject({ drift_detected: 0 });
});

test.each(COMPARED_KINDS)('a %s that Stripe does not have is reported once, and stays as it is', async (kind) => {
  const { id, deliveries } = CREATE[kind](stripe().state);
  await deliver(...deliveries);
  const { state } = stripe();
  for (const collection of Object.values(state)) {
    if (typeof collection === 'object' && 'delete' in collection) collection.delete(id);
  }

  expect(await reconcile()).toMatchObject({ drift_detected: 1, corrected: 0, kinds: { [kind]: { drift: 1 } } });
  expect(await rows('SELECT kind, object_type, object_id, corrected FROM billing.reconciliation_findings')).toEqual([
    { kind: 'missing_at_stripe', object_type: kind, object_id: id, corrected: false },
  ]);
  expect(await rows(`SELECT id FROM ${tableOf(kind)} WHERE id = '${id}'`)).toHaveLength(1);
});

/** Types of a table's columns, by name. */
async function columnTypes(table: string): Promise<Map<string, string>> {
  const types = await rows(
    `SELECT column_name, data_type FROM information_schema.columns WHERE table_schema || '.' || table_name = '${table}'`,
  );
  return new Map(types.map(({ column_name, data_type }) => [column_name, data_type]));
}
