import { findPerson, PERSONAL_ROWS, personalParameters, personalRows } from '../../../lambdas/erasure/person';
import {
  account,
  customer,
  dispute,
  earlyFraudWarning,
  paymentIntent,
  refund,
  stripeEvent,
  transfer,
} from '../../factories/stripe-objects';
import { useBillingDatabase } from '../../support/billing';

const { apply, client } = useBillingDatabase();

test('an address that another customer has in other letters is not of the person alone', async () => {
  for (const [id, email] of [
    ['cus_1', 'ann@example.com'],
    ['cus_2', 'Ann@Example.com'],
    ['cus_3', 'bob@example.com'],
  ]) {
    await apply(stripeEvent('customer.created', customer({ id, email })));
  }
  const emailsOf = async (id: string) =>
    (await findPerson(client(), { customer: id }, { isInMain: async () => false })).emails;
  expect([await emailsOf('cus_1'), await emailsOf('cus_3')]).toEqual([[], ['bob@example.com']]);
});

test('an export has events, refreshes and findings of the customer, of transfers, and of what names the intent alone', async () => {
  const ofIntent = { charge: null, payment_intent: 'pi_1' };
  const ids = ['cus_1', 'tr_1', 're_1', 'dp_1', 'issfr_1'];
  await apply(
    stripeEvent('customer.created', customer()),
    stripeEvent('account.updated', account({ metadata: { user_id: 'user_1' } }), { account: 'acct_1' }),
    stripeEvent(
      'payment_intent.succeeded',
      paymentIntent({ customer: 'cus_1', metadata: { user_id: 'user_1' }, latest_charge: null }),
    ),
    stripeEvent('transfer.created', transfer({ source_transaction: null })),
    stripeEvent('refund.created', refund(ofIntent)),
    stripeEvent('charge.dispute.created', dispute(ofIntent)),
    stripeEvent('radar.early_fraud_warning.created', earlyFraudWarning(ofIntent)),
    stripeEvent('customer.created', customer({ id: 'cus_2', metadata: {} })),
    stripeEvent('refund.created', refund({ id: 're_2', charge: null, payment_intent: 'pi_2' })),
  );
  await client().query(
    `WITH named AS (SELECT unnest($1::text[]) AS id), asked AS (
       INSERT INTO billing.object_refreshes (provider, object_kind, object_id, reason) SELECT 'stripe', 'any', id, 'test' FROM named),
     run AS (INSERT INTO billing.reconciliation_runs (status, dry_run, window_start, started_at, finished_at)
       VALUES ('complete', false, now(), now(), now()) RETURNING id)
     INSERT INTO billing.reconciliation_findings (run_id, kind, object_type, object_id, corrected)
     SELECT run.id, 'missing_locally', 'any', named.id, true FROM run, named`,
    [[...ids, 'cus_2', 're_2']],
  );
  const parameters = await personalParameters(
    client(),
    await findPerson(client(), { user: 'user_1' }, { isInMain: async () => false }),
  );
  for (const name of ['object_refreshes', 'reconciliation_findings', 'webhook_events']) {
    const [personal] = PERSONAL_ROWS.filter(({ table }) => table === `billing.${name}`);
    const { rows } = await client().query<{ id: string }>(
      `SELECT DISTINCT row.object_id AS id ${personalRows(personal ?? { table: '', where: '' })}`,
      [...parameters],
    );
    const own = name === 'webhook_events' ? [...ids, 'acct_1', 'pi_1'] : ids;
    expect([name, rows.map(({ id }) => id).toSorted()]).toEqual([name, own.toSorted()]);
  }
});
