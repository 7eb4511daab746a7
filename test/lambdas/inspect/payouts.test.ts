import { listPayouts } from '../../../lambdas/inspect/payouts';
import { account, EPOCH, payout, stripeEvent } from '../../factories/stripe-objects';
import { useBillingDatabase } from '../../support/billing';

const { apply, client } = useBillingDatabase();
const NOW = new Date((EPOCH + 9 * 86_400) * 1000);
const list = (request: { status?: 'failed'; account?: string; id?: string; open?: boolean } = {}) =>
  listPayouts(client(), { action: 'payouts', limit: 20, open: false, ...request }, NOW);

test('payouts are listed with what became of them, and restricted accounts with what is due', async () => {
  const told = (type: string, fields: Record<string, unknown>, of: string) =>
    stripeEvent(`payout.${type}`, payout(fields), { account: of });
  await apply(
    told('failed', { id: 'po_1', status: 'failed', failure_code: 'no_account' }, 'acct_1'),
    told('created', { id: 'po_2', created: EPOCH + 60, metadata: { billing_retry_of: 'po_1' } }, 'acct_1'),
    told('failed', { id: 'po_3', created: EPOCH + 30, status: 'failed' }, 'acct_2'),
    stripeEvent(
      'account.updated',
      account({ id: 'acct_2', payouts_enabled: false, requirements: { past_due: ['external_account'] } }),
      { account: 'acct_2' },
    ),
  );

  const { payouts, restrictedAccounts, restrictedTotal, totals } = await list();
  expect(payouts.map(({ id, isLate, isOpen, retriedBy }) => [id, isLate, isOpen, retriedBy])).toEqual([
    ['po_2', true, false, null],
    ['po_3', false, true, null],
    ['po_1', false, false, 'po_2'],
  ]);
  expect([restrictedAccounts, restrictedTotal]).toEqual([
    [{ id: 'acct_2', cause: null, requirementsDue: ['external_account'] }],
    1,
  ]);
  expect((await list({ status: 'failed', account: 'acct_1' })).payouts).toMatchObject([
    { id: 'po_1', account: 'acct_1', amount: '12000', failureCode: 'no_account' },
  ]);
  expect((await list({ id: 'po_9' })).payouts).toEqual([]);
  expect(totals).toEqual({ underWay: 1, late: 1, failed: 1, paid: 0 });
  await apply(told('paid', { id: 'po_4', created: EPOCH + 90, status: 'paid' }, 'acct_3'));
  expect((await list({ open: true })).payouts.map(({ id }) => id)).toEqual(['po_2', 'po_3']);
  const onItsDay = listPayouts(client(), { action: 'payouts', limit: 1, open: true }, new Date(EPOCH * 1000 + 90_000));
  expect((await onItsDay).totals).toEqual({ underWay: 1, late: 0, failed: 1, paid: 1 });
});
