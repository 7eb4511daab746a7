import { table } from '../runtime/console';
import { check } from './check';
import { readSubscriptions } from './ledger';
import type { Step } from './steps';

function dollars(cents: string | number): string {
  return `$${(Number(cents) / 100).toFixed(2)}`;
}

/** Shows the rows that the events became, and compares them with what Stripe holds. */
export const showState: Step = {
  title: 'The state that resulted',
  async run({ billing, stripe, scenario }, tell) {
    check(scenario !== undefined, 'no events were delivered');
    const subscriptions = await readSubscriptions(billing);
    const headings = ['subscription of', 'status', 'ends with its period'];
    // Those of this story: the platform may have been up for long.
    const own = new Set(scenario.deliveries.map(({ event }) => (event.data.object as { readonly id?: string }).id));
    const cells = subscriptions
      .filter(({ id }) => own.has(id))
      .map((row) => [row.user_id, row.status, row.cancel_at_period_end ? 'yes' : 'no']);
    for (const line of table(headings, cells)) tell(line);
    const differing = stripe.subscriptions.newestFirst().filter((expected) => {
      const row = subscriptions.find(({ id }) => id === expected.id);
      return row?.status !== expected.status || row.cancel_at_period_end !== expected.cancel_at_period_end;
    });
    check(differing.length === 0, `not as at Stripe: ${differing.map(({ id }) => id).join(', ')}`);

    const invoices = await billing.query<{ status: string; count: string; paid: string }>(
      'SELECT status, count(*), sum(amount_paid) AS paid FROM billing.invoices GROUP BY status ORDER BY status',
    );
    for (const { status, count, paid } of invoices.rows) tell(`invoices ${status}: ${count}, ${dollars(paid)} paid`);

    const purchases = await billing.query<{ user_id: string; kind: string; amount_total: string }>(
      'SELECT user_id, kind, amount_total FROM billing.purchases WHERE id = $1',
      [scenario.purchase],
    );
    const refunds = await billing.query<{ charge_id: string; amount: string }>(
      'SELECT charge_id, amount FROM billing.refund_entries WHERE charge_id = $1',
      [scenario.refund.chargeId],
    );
    for (const { user_id: user, kind, amount_total: amount } of purchases.rows) {
      tell(`purchase of ${user}: ${kind}, ${dollars(amount)}`);
    }
    for (const { amount } of refunds.rows) tell(`refund in the ledger: ${dollars(amount)}`);
    const expected = { charge_id: scenario.refund.chargeId, amount: String(scenario.refund.amount) };
    check(
      refunds.rows.length === 1 &&
        refunds.rows[0]?.charge_id === expected.charge_id &&
        refunds.rows[0].amount === expected.amount,
      `expected one refund ${JSON.stringify(expected)}, found ${JSON.stringify(refunds.rows)}`,
    );
    check(purchases.rows.length === 1, `expected one purchase, found ${purchases.rows.length}`);
  },
};
