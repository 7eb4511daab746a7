import { plantTombstones, sweepBilling } from '../../../core/erasure/billing';
import type { Erasures } from '../../../core/erasure/ledger';
import {
  findPerson,
  type Person,
  PERSONAL_ROWS,
  personalParameters,
  personalRows,
} from '../../../lambdas/erasure/person';
import { placesOf, plantedPerson } from '../../factories/planted-person';
import {
  account,
  checkoutSession,
  customer,
  EPOCH,
  payout,
  refund,
  stripeEvent,
  transfer,
} from '../../factories/stripe-objects';
import { useBillingDatabase } from '../../support/billing';
import { ERASURE_KEY } from '../../support/erasures';

const { apply, client } = useBillingDatabase();
const nowhere = { isInMain: async () => false };
const find = (subject: Parameters<typeof findPerson>[1]) => findPerson(client(), subject, nowhere);
const quote = (fields: object) => ({ id: 'qt_1', object: 'quote', created: EPOCH, ...fields });

test('a person is found whom an event alone names: one of a type that is not applied, or that failed and was dismissed', async () => {
  const email = 'Xavier@example.com';
  await apply(
    stripeEvent('quote.created', quote({ customer: 'cus_1', metadata: { user_id: 'user_1' } })),
    stripeEvent('customer.created', customer({ id: 'cus_1', email, currency: 5, metadata: { user_id: 'user_1' } })),
    stripeEvent('quote.created', quote({ id: 'qt_2', customer: 'cus_2', metadata: { user_id: 'user_2' } })),
    stripeEvent('quote.created', quote({ id: 'qt_3', customer: 'cus_3', metadata: { user_id: 'user_2' } })),
  );
  await client().query('DELETE FROM billing.customers');
  const one = { customers: ['cus_1'], users: ['user_1'], emails: ['xavier@example.com'], sharedUsers: [] };
  expect(await find({ user: 'user_1' })).toEqual(one);
  expect(await find({ customer: 'cus_1' })).toEqual(one);
  expect(await find({ customer: 'cus_2' })).toEqual({
    customers: ['cus_2'],
    users: [],
    emails: [],
    sharedUsers: ['user_2'],
  });
  // An address that events alone tell of another customer, too, is nobody's.
  await apply(stripeEvent('quote.created', quote({ id: 'qt_4', customer: 'cus_5', email: 'XAVIER@example.com' })));
  expect(await find({ user: 'user_1' })).toEqual({ ...one, emails: [] });
  await expect(find({ customer: 'cus_4' })).rejects.toMatchObject({ code: 'subject_not_found' });
});

test('a user is found whose purchase is no longer stored', async () => {
  const bought = checkoutSession({ customer: null, metadata: { user_id: 'user_1' } });
  await apply(stripeEvent('checkout.session.completed', bought));
  await client().query('DELETE FROM billing.purchases');
  expect(await find({ user: 'user_1' })).toMatchObject({ users: ['user_1'] });
});

/** Events about one person, in each of which something else says so. */
function namings(name: string) {
  const email = `planted-${name}@example.com`;
  const user = { user_id: `planted-${name}-user@example.com` };
  const id = (kind: string) => `${kind}_${name}_x`;
  const other = (object: string, fields: object) => ({
    id: id(object),
    object,
    created: EPOCH,
    note: email,
    ...fields,
  });
  return [
    stripeEvent('quote.created', other('quote', { customer: null, metadata: user })),
    stripeEvent('quote.accepted', other('quote', { customer: null })),
    stripeEvent('review.opened', other('review', { charge: `ch_${name}` })),
    stripeEvent('setup_intent.created', other('setup_intent', { customer: { id: `cus_${name}` }, metadata: {} })),
    stripeEvent('mandate.updated', other('mandate', { payment_method: `pm_${name}` })),
    stripeEvent('setup_intent.failed', other('setup_intent', { id: id('seti'), payment_method: id('later') })),
    stripeEvent('payment_method.attached', {
      ...other('payment_method', {}),
      id: id('later'),
      customer: `cus_${name}`,
    }),
    stripeEvent('invoice.upcoming', other('invoice', { subscription_details: { metadata: user } })),
    stripeEvent('credit_note.created', other('credit_note', { invoice: `in_${name}` })),
    stripeEvent('source.chargeable', other('source', { email })),
    stripeEvent('invoiceitem.created', other('invoiceitem', { subscription: { id: `sub_${name}` } })),
    stripeEvent(
      'checkout.session.completed',
      checkoutSession({
        id: id('cs'),
        customer: null,
        payment_intent: null,
        client_reference_id: user.user_id,
        metadata: {},
      }),
    ),
    stripeEvent('refund.created', refund({ id: id('re'), charge: id('ch'), payment_intent: null, metadata: user })),
    stripeEvent('account.updated', account({ id: id('acct'), metadata: user }), { account: id('acct') }),
    stripeEvent('payout.paid', payout({ id: id('po'), description: email }), { account: id('acct') }),
    stripeEvent('payout.reconciliation_completed', payout({ id: id('po2'), description: email }), {
      account: id('acct'),
    }),
    // What a seller gets of a buyer's charge: the buyer of `one` is `other`.
    stripeEvent(
      'transfer.created',
      transfer({ id: id('tr'), destination: id('acct'), source_transaction: name === 'one' ? 'ch_other' : null }),
    ),
  ];
}

test('the plan and the export have every row that the erasure reduces, whatever names the person, and no row of others', async () => {
  const [one, other] = [plantedPerson('one'), plantedPerson('other')];
  for (const { events, guest } of [one, other]) await apply(...events, ...guest);
  for (const name of ['one', 'other']) for (const event of namings(name)) await apply(event);
  await client().query(
    `INSERT INTO billing.payout_retries (payout_id, attempt, status, error, requested_by) VALUES ('po_one_x', 1, 'refused', $1, 'ann')`,
    [one.marker],
  );
  // Assigned by mistake to one, and then to the other.
  for (const user of [one.userId, other.userId]) {
    await client().query(
      `INSERT INTO billing.owner_assignment_log (object_id, app_id, project_id, user_id, reason, assigned_by, assigned_at)
       VALUES ('sub_other', 'app', 'project', $1, 'asked', 'ann', '2026-11-01')`,
      [user],
    );
  }
  const person = await find({ user: one.userId });
  const found = await rowsOfPerson(await personalParameters(client(), person));
  const before = await storedRows();
  await plantTombstones(client(), erasuresOf(person));
  await sweepBilling(client());
  const after = await storedRows();
  const reduced = [...before].flatMap(([key, row]) => (after.get(key) === row ? [] : [key]));
  expect(reduced.length).toBeGreaterThan(40);
  expect(reduced.filter((key) => !found.has(key))).toEqual([]);
  for (const keys of [[...found], reduced]) {
    expect(keys.filter((key) => before.get(key)?.includes('planted-other'))).toEqual([]);
  }
  expect(await placesOf(client(), one.marker)).toEqual([]);
});

test('a card is no longer of the erased person once another customer has it, be it told before the erasure or after it', async () => {
  const told = (type: string, fields: object, note: string) =>
    stripeEvent(type, { id: 'pm_1', object: 'payment_method', ...fields }, { data: { previous_attributes: { note } } });
  const mandate = (note: string) =>
    stripeEvent('mandate.updated', { id: `mandate_${note.at(-1)}`, object: 'mandate', payment_method: 'pm_1', note });
  await apply(told('payment_method.attached', { customer: 'cus_1' }, 'mine-card-1'), mandate('mine-card-2'));
  await plantTombstones(client(), erasuresOf(await find({ customer: 'cus_1' })));
  await sweepBilling(client());
  await apply(mandate('mine-card-3'));
  expect(await placesOf(client(), 'mine-card')).toHaveLength(0);
  await apply(told('payment_method.attached', { customer: 'cus_2' }, 'other-card-5'), mandate('other-card-6'));
  await apply(mandate('other-card-7'), told('payment_method.updated', { customer: 'cus_2' }, 'other-card-8'));
  await sweepBilling(client());
  expect(await placesOf(client(), 'other-card')).toHaveLength(4);
});

function erasuresOf({ customers, users, emails }: Person): Erasures {
  const subjects = [
    ...customers.map((id) => ERASURE_KEY.subject('customer', id)),
    ...users.map((id) => ERASURE_KEY.subject('user', id)),
    ...emails.map((id) => ERASURE_KEY.subject('email', id)),
  ];
  const [id, erasedAt] = ['20261129T120000000Z-00000001', '2026-11-29T12:00:00.000Z'];
  return { key: ERASURE_KEY, entries: [{ format: 'billing-operations-erasure', version: 1, id, erasedAt, subjects }] };
}

async function rowsOfPerson(parameters: readonly unknown[]): Promise<Set<string>> {
  const found = new Set<string>();
  for (const personal of PERSONAL_ROWS) {
    const { rows } = await client().query<{ key: string }>(
      `SELECT concat_ws(' ', ${personal.order}) AS key ${personalRows(personal)}`,
      [...parameters],
    );
    for (const { key } of rows) found.add(`${personal.table} ${key}`);
  }
  return found;
}

/** Every row of the tables that an export has, as text, by table and key. */
async function storedRows(): Promise<Map<string, string>> {
  const stored = new Map<string, string>();
  for (const { table, order } of PERSONAL_ROWS) {
    const { rows } = await client().query<{ key: string; row: string }>(
      `SELECT concat_ws(' ', ${order}) AS key, row::text AS row FROM ${table} AS row`,
    );
    for (const { key, row } of rows) stored.set(`${table} ${key}`, row);
  }
  return stored;
}
