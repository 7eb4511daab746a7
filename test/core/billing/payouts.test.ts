import fc from 'fast-check';
import { EPOCH, payout, stripeEvent, transfer } from '../../factories/stripe-objects';
import { useBillingDatabase } from '../../support/billing';

const { apply, client, rows } = useBillingDatabase();

const told = (type: string, seconds: number, fields: Record<string, unknown>) =>
  stripeEvent(type, payout(fields), { created: EPOCH + seconds, account: 'acct_1' });

test.each([
  [
    'that was paid is paid',
    ['payout.created', 'payout.updated', 'payout.paid'],
    ['pending', 'in_transit', 'paid'],
    { status: 'paid', failure_code: null },
  ],
  [
    'that the bank returned after it was paid has failed',
    ['payout.created', 'payout.paid', 'payout.failed'],
    ['pending', 'paid', 'failed'],
    { status: 'failed', failure_code: 'account_closed' },
  ],
  [
    'that failed within the second in which it was made has failed',
    ['payout.created', 'payout.failed'],
    ['pending', 'failed'],
    { status: 'failed', failure_code: 'account_closed' },
  ],
])('a payout %s, in any order of delivery and delivered twice', async (story, types, statuses, outcome) => {
  const step = story.includes('second') ? 0 : 1;
  const events = types.map((type, index) => {
    const status = statuses[index];
    return told(type, index * step, { status, failure_code: status === 'failed' ? 'account_closed' : null });
  });
  const orders = fc.shuffledSubarray([...events, ...events], { minLength: 2 * events.length });
  await fc.assert(
    fc.asyncProperty(orders, async (order) => {
      await client().query('TRUNCATE billing.webhook_events, billing.payouts');
      for (const event of order) await apply(event);
      expect(await rows('SELECT account_id, status, failure_code FROM billing.payouts')).toEqual([
        { account_id: 'acct_1', ...outcome },
      ]);
    }),
    { numRuns: 8 },
  );
});

test('a transfer that was taken back in part keeps the larger part, whatever arrives last', async () => {
  await apply(
    stripeEvent('transfer.reversed', transfer({ amount_reversed: 3_000 }), { created: EPOCH + 5 }),
    stripeEvent('transfer.created', transfer(), { created: EPOCH }),
  );
  expect(await rows('SELECT account_id, charge_id, amount, amount_reversed FROM billing.transfers')).toEqual([
    { account_id: 'acct_1', charge_id: 'ch_1', amount: '8000', amount_reversed: '3000' },
  ]);
});

test('a transfer within a connected account is its owner’s business', async () => {
  await apply(stripeEvent('transfer.created', transfer(), { account: 'acct_1' }));
  expect(await rows('SELECT id FROM billing.transfers')).toEqual([]);
});

test('a payout without an arrival date fails with the name of the field, and leaves no row', async () => {
  const [outcome] = (await apply(told('payout.paid', 0, { arrival_date: undefined }))).values();
  expect(outcome).toMatchObject({ status: 'failed', error: 'payout.arrival_date: expected whole seconds since 1970' });
  expect(await rows('SELECT id FROM billing.payouts')).toEqual([]);
});
