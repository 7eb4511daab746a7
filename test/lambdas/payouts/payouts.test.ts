import type { PayoutsReport } from '../../../lambdas/payouts/contract';
import { retryPayout } from '../../../lambdas/payouts/core';
import { refresh } from '../../../lambdas/refresh/core';
import { restrictTo } from '../../support/access';
import { silentLog } from '../../support/log';
import { daysAgoSeconds, nowSeconds, useStripeAndDatabase } from '../../support/stripe';

const { stripe, client, rows, work, deliver } = useStripeAndDatabase();

const retry = (payout: string, dryRun = false): Promise<PayoutsReport> =>
  retryPayout(work(), { payout, by: 'ada', dryRun });
const attempts = () => rows('SELECT attempt, status, new_payout_id FROM billing.payout_retries ORDER BY attempt');
const madeAtStripe = () =>
  stripe()
    .state.payouts.of('acct_1')
    .newestFirst()
    .filter(({ automatic }) => !automatic);

/** A payout of 120.00 EUR to acct_1 that its bank returned yesterday. */
async function failedPayout(): Promise<string> {
  const { payouts } = stripe().state;
  const created = payouts.create('acct_1', { created: daysAgoSeconds(3) });
  const failed = payouts.fail('acct_1', created.object.id, 'account_closed', daysAgoSeconds(1));
  await deliver(stripe().state.updateAccount({ id: 'acct_1', created: daysAgoSeconds(9) }), created, failed);
  return failed.object.id;
}

test('a failed payout is made again once, however often it is asked for', async () => {
  const id = await failedPayout();
  await restrictTo('billing_service', client());

  const first = await retry(id);
  expect(first).toMatchObject({ outcome: 'created', account: 'acct_1', amount: '12000', currency: 'eur' });
  expect(await retry(id)).toMatchObject({ outcome: 'alreadyRetried', newPayout: { id: first.newPayout?.id } });
  expect(madeAtStripe()).toMatchObject([
    { id: first.newPayout?.id, amount: 12_000, metadata: { billing_retry_of: id } },
  ]);
  expect(await attempts()).toEqual([{ attempt: 1, status: 'created', new_payout_id: first.newPayout?.id }]);
  expect(await rows('SELECT id FROM billing.open_payout_failures')).toEqual([]);
});

test('a dry run says what would be done, and makes and stores nothing', async () => {
  const id = await failedPayout();
  const versions = await rows('SELECT version FROM billing.payouts UNION SELECT version FROM billing.connect_accounts');

  expect(await retry(id, true)).toMatchObject({ outcome: 'wouldRetry', newPayout: null });
  expect(madeAtStripe()).toEqual([]);
  expect(await attempts()).toEqual([]);
  expect(await rows('SELECT version FROM billing.payouts UNION SELECT version FROM billing.connect_accounts')).toEqual(
    versions,
  );
});

test('a run that was killed before Stripe’s answer was stored finds the payout that it made, also days later', async () => {
  const id = await failedPayout();
  await client().query(
    `INSERT INTO billing.payout_retries (payout_id, attempt, status, requested_by) VALUES ('${id}', 1, 'requested', 'ada')`,
  );
  const body = new URLSearchParams({ amount: '12000', currency: 'eur', 'metadata[billing_retry_of]': id });
  const lost = stripe().state.payouts.answer({
    method: 'POST',
    path: '/v1/payouts',
    query: new URLSearchParams(),
    body,
    account: 'acct_1',
    idempotencyKey: `billing-payout-retry/${id}/1`,
  }) as { readonly id: string };
  stripe().state.payouts.forgetKeys();

  expect(await retry(id)).toMatchObject({ outcome: 'alreadyRetried', newPayout: { id: lost.id } });
  expect(madeAtStripe()).toHaveLength(1);
  expect(await attempts()).toEqual([{ attempt: 1, status: 'created', new_payout_id: lost.id }]);
});

test('what Stripe refuses is recorded, and may be tried again under another key', async () => {
  const id = await failedPayout();
  stripe().state.payouts.credit('acct_1', -12_000);
  await expect(retry(id)).rejects.toMatchObject({ code: 'stripe_refused' });
  stripe().state.payouts.credit('acct_1', 12_000);

  expect(await retry(id)).toMatchObject({ outcome: 'created' });
  expect(await attempts()).toMatchObject([
    { attempt: 1, status: 'refused' },
    { attempt: 2, status: 'created' },
  ]);
});

test('a payout whose repetition was canceled at Stripe is open again, and is repeated by another', async () => {
  const id = await failedPayout();
  const { newPayout } = await retry(id);
  await deliver(stripe().state.payouts.cancel('acct_1', newPayout?.id ?? ''));
  expect(await rows('SELECT id FROM billing.open_payout_failures')).toEqual([{ id }]);

  expect(await retry(id, true)).toMatchObject({ outcome: 'wouldRetry' });
  expect(await retry(id)).toMatchObject({ outcome: 'created' });
  expect(await retry(id)).toMatchObject({ outcome: 'alreadyRetried', newPayout: { status: 'pending' } });
  expect(
    madeAtStripe()
      .map(({ status }) => status)
      .toSorted(),
  ).toEqual(['canceled', 'pending']);
  expect(await rows('SELECT attempt, status, error FROM billing.payout_retries ORDER BY attempt')).toEqual([
    { attempt: 1, status: 'refused', error: `${newPayout?.id} was canceled` },
    { attempt: 2, status: 'created', error: null },
  ]);
});

test('an attempt that Stripe did not answer is made again under the same key', async () => {
  const id = await failedPayout();
  const { call } = work();
  // The list, the payout and the account are answered; then Stripe is away.
  let calls = 0;
  const away: typeof call = (request) => {
    calls += 1;
    if (calls === 4) stripe().failNext(10, 500);
    return call(request);
  };
  await expect(retryPayout(work({ call: away }), { payout: id, by: 'ada', dryRun: false })).rejects.toMatchObject({
    code: 'stripe_unavailable',
  });
  expect(await attempts()).toMatchObject([{ attempt: 1, status: 'requested' }]);
  while (stripe().requests.at(-1)?.status === 500) await retry(id).catch(() => undefined);

  expect(await retry(id)).toMatchObject({ outcome: 'alreadyRetried' });
  expect(await attempts()).toMatchObject([{ attempt: 1, status: 'created' }]);
  expect(madeAtStripe()).toHaveLength(1);
  const keys = stripe().requests.flatMap(({ idempotencyKey }) => idempotencyKey ?? []);
  expect(keys.length).toBeGreaterThan(2);
  expect(new Set(keys)).toEqual(new Set([`billing-payout-retry/${id}/1`]));
});

test('a payout is not repeated while its account is restricted, by what Stripe says now', async () => {
  const id = await failedPayout();
  // No event told of it.
  stripe().state.updateAccount({
    id: 'acct_1',
    payouts_enabled: false,
    requirements: { past_due: ['external_account'] } as never,
  });

  await expect(retry(id)).rejects.toMatchObject({
    code: 'account_restricted',
    message: 'acct_1 is restricted (external_account): its owner has to give Stripe what is missing',
  });
  expect(madeAtStripe()).toEqual([]);
  expect(await rows('SELECT restricted FROM billing.connect_accounts')).toEqual([{ restricted: true }]);
});

test('a payout that did not fail, or that nothing is known of, is not repeated', async () => {
  const pending = stripe().state.payouts.create('acct_1');
  await deliver(pending);
  await expect(retry(pending.object.id)).rejects.toMatchObject({ code: 'payout_not_failed' });
  await expect(retry('po_unknown')).rejects.toMatchObject({ code: 'payout_unknown' });
});

test('a late payout of which no event told is read again, and then has failed', async () => {
  const { payouts } = stripe().state;
  const late = payouts.create('acct_1', { created: daysAgoSeconds(9), arrival_date: daysAgoSeconds(7) });
  await deliver(late);
  payouts.fail('acct_1', late.object.id, 'no_account', nowSeconds());
  const run = () => refresh({ ...work(), log: silentLog }, { dryRun: false });

  expect(await run()).toMatchObject({ outcomes: { refreshed: 1 }, pending: 0 });
  expect(await rows('SELECT account_id, status, failure_code FROM billing.payouts')).toEqual([
    { account_id: 'acct_1', status: 'failed', failure_code: 'no_account' },
  ]);
  expect(await run()).toMatchObject({ outcomes: {} });
});
