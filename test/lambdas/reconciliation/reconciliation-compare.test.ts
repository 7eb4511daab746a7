import { NO_DEFAULTS } from '../../../core/billing/owner';
import { versionKey } from '../../../core/billing/version';
import { compare, readObjects, type StoredRows } from '../../../lambdas/reconciliation/compare';
import type { ComparedState, StoredRow } from '../../../lambdas/reconciliation/differences';
import type { ComparedKind } from '../../../lambdas/reconciliation/kinds';
import { charge, checkoutSession, EPOCH, refund, subscription } from '../../factories/stripe-objects';

/** A page that was requested a minute after everything that is stored. */
const REQUESTED_AT_SECONDS = EPOCH + 3_600;
const read = (listed: object) => readObjects(listed, REQUESTED_AT_SECONDS, NO_DEFAULTS);

const versionAt = (moment: number) => versionKey({ progress: 0, moment, rank: 0, eventId: 'evt_1' });

/** The rows that the given states would have, each with the given changes. */
function stored(states: readonly ComparedState[], changes: Partial<StoredRow> = {}): StoredRows {
  const rows = new Map<ComparedKind, Map<string, StoredRow>>();
  for (const state of states) {
    const ofKind = rows.get(state.kind) ?? new Map<string, StoredRow>();
    const items = state.kind === 'subscription' ? { items: state.items } : {};
    ofKind.set(state.row.id, { ...state.row, ...items, version: versionAt(EPOCH), ...changes });
    rows.set(state.kind, ofKind);
  }
  return rows;
}

const PAGES: readonly (readonly [string, object, object])[] = [
  ['subscription', { subscription: [subscription()] }, { status: 'past_due' }],
  ['purchase', { purchase: [checkoutSession()] }, { payment_status: 'unpaid' }],
  ['charge', { charge: [charge()] }, { amount: '1' }],
  ['refund', { refund: [refund()] }, { status: 'pending' }],
];

test.each(PAGES)('a %s that is stored as Stripe has it is not corrected', (kind, listed) => {
  const objects = read(listed);

  expect(objects.problems).toEqual([]);
  expect(objects.states).toHaveLength(1);
  expect(compare(objects, stored(objects.states))).toMatchObject({
    kinds: { [kind]: { checked: 1, drift: 0 } },
    corrections: [],
    findings: [],
  });
});

test.each(PAGES)('a %s without a row is stored and reported as missing', (kind, listed) => {
  const objects = read(listed);
  const [state] = objects.states;

  expect(compare(objects, new Map())).toMatchObject({
    kinds: { [kind]: { checked: 1, drift: 1 } },
    corrections: [state],
    findings: [{ kind: 'missing_locally', objectType: kind, objectId: state?.row.id }],
  });
});

test.each(PAGES)(
  'a %s of which a field differs is corrected, with one finding for the field',
  (kind, listed, changes) => {
    const objects = read(listed);
    const [state] = objects.states;
    const [[field, localValue] = []] = Object.entries(changes);

    const { corrections, findings } = compare(objects, stored(objects.states, changes));

    expect(corrections).toEqual([state]);
    expect(findings).toEqual([
      {
        kind: 'field_differs',
        objectType: kind,
        objectId: state?.row.id,
        field,
        localValue,
        stripeValue: String(state?.row[field as 'id']),
      },
    ]);
  },
);

test('one object with several differences is one drift with a finding for each', () => {
  const objects = read({ subscription: [subscription()] });
  const changes = { status: 'past_due', user_id: null, items: null };

  const { counts, kinds, corrections, findings } = compare(objects, stored(objects.states, changes));

  expect(counts).toMatchObject({ subscriptions_checked: 1 });
  expect(kinds).toEqual({ subscription: { checked: 1, drift: 1 } });
  expect(corrections).toHaveLength(1);
  expect(findings.map(({ field }) => field)).toEqual(['user_id', 'status', 'items']);
});

test.each([
  ['before the page was requested is compared', REQUESTED_AT_SECONDS - 1, 1],
  ['in the second of the request is newer', REQUESTED_AT_SECONDS, 0],
  ['after the page was requested is newer', REQUESTED_AT_SECONDS + 1, 0],
])('a row that was changed %s', (_case, moment, drift) => {
  const objects = read({ subscription: [subscription()] });
  const rows = stored(objects.states, { status: 'past_due', version: versionAt(moment) });

  expect(compare(objects, rows).kinds).toEqual({ subscription: { checked: 1, drift } });
});

test('items are compared whatever their order', () => {
  const items = ['si_a', 'si_b'].map((id) => ({ ...firstItem(), id }));
  const objects = read({ subscription: [subscription({ items: { data: items, has_more: false } })] });
  const [state] = objects.states;
  if (state?.kind !== 'subscription') throw new Error('expected a subscription');

  expect(compare(objects, stored([state], { items: state.items.toReversed() })).findings).toEqual([]);
});

const firstItem = () => (subscription().items as { data: object[] }).data[0];

test('values are equal however PostgreSQL and Stripe write them', () => {
  const objects = read({ charge: [charge({ amount: 4_900 })] });

  expect(compare(objects, stored(objects.states, { amount: '4900' })).findings).toEqual([]);
});

test('an object that cannot be read is a problem, and the others of its page are compared', () => {
  const objects = read({ subscription: [subscription({ id: 'sub_bad', currency: 'euro' }), subscription()] });

  expect(compare(objects, new Map())).toMatchObject({
    counts: { subscriptions_checked: 2 },
    kinds: { subscription: { checked: 2, drift: 1 } },
    findings: [{ objectId: 'sub_1' }],
    problems: [expect.stringMatching(/^sub_bad: subscription\.currency: expected an ISO 4217 currency/)],
  });
});

test('comparing changes neither the page nor the rows', () => {
  const objects = read({ subscription: [subscription()], charge: [charge()] });
  const rows = stored(objects.states, { status: 'past_due' });
  const before = structuredClone([objects, rows]);

  compare(objects, rows);

  expect([objects, rows]).toEqual(before);
});
