import { OperationError } from '../../../core/runtime/errors';
import type { BitcoinNode } from '../../../core/providers/bitcoin/node';
import { expectPayment, runConfirmations } from '../../factories/bitcoin-payments';
import { useBillingDatabase } from '../../support/billing';
import { putRules, RULES } from '../../support/entitlements';

const { client, rows } = useBillingDatabase();
/** Accepting asks no node, and does not fail with a chain that cannot be followed. */
const gone = () => Promise.reject(new OperationError('chain_diverged', 'Another chain'));
const node = { identity: gone, tip: gone, hashes: gone, block: gone } as unknown as BitcoinNode;
const REASON = { reason: 'agreed by phone', by: 'user/ann' };

/** A payment of 100,000 satoshi, for which some have arrived in block 100 of 102. */
async function arrived(amount: number, status: string, expiresInSeconds = -60) {
  const payment = await expectPayment(client(), { confirmations: 2, expiresInSeconds });
  await client().query(
    `INSERT INTO billing.bitcoin_chain (network, height, hash, block_at, node_height, node_at)
     VALUES ('simnet', 102, repeat('0', 64), now(), 102, now()) ON CONFLICT DO NOTHING`,
  );
  if (amount > 0) {
    await client().query(
      `INSERT INTO billing.bitcoin_transactions (payment_id, txid, amount, state, block_height, arrived_at, first_seen_at, changed_at)
       VALUES ($1, repeat('a', 64), $2, 'block', 100, now(), now(), now())`,
      [payment.id, amount],
    );
  }
  await client().query(
    `UPDATE billing.bitcoin_payments SET status = $2, received = $3, in_blocks = $3, first_seen_at = now(),
       settled_at = CASE WHEN $2 = 'settled' THEN now() END WHERE id = $1`,
    [payment.id, status, amount],
  );
  return payment;
}

/** Without an amount, dry. */
const accept = (payment: string, received?: number) =>
  runConfirmations(client(), {
    node,
    dryRun: received === undefined,
    accept: { payment, ...REASON, received: received?.toFixed() },
  });

test.each([
  ['late', 100_000, -60],
  ['failed', 60_000, -60],
  ['underpaid', 60_000, 3_600],
])(
  'a payment that is %s is accepted as it is: it is settled with %d satoshi, grants, and says who accepted it',
  async (status, amount, expires) => {
    await putRules(client(), RULES);
    const { id } = await arrived(amount, status, expires);
    expect((await accept(id)).accepted).toEqual({
      payment: id,
      before: status,
      status,
      asked: '100000',
      received: String(amount),
    });
    expect(await rows('SELECT FROM billing.purchases')).toEqual([]);
    expect((await accept(id, amount)).accepted).toMatchObject({ before: status, status: 'settled' });
    expect(
      await rows(
        `SELECT status, amount::int, asked_amount::int, accepted_by, accepted_reason FROM billing.bitcoin_payments`,
      ),
    ).toEqual([
      { status: 'settled', amount, asked_amount: 100_000, accepted_by: REASON.by, accepted_reason: REASON.reason },
    ]);
    expect(await rows('SELECT id, payment_status, amount_total::int FROM billing.purchases')).toEqual([
      { id, payment_status: 'paid', amount_total: amount },
    ]);
    expect(await rows('SELECT feature FROM billing.entitlements')).toEqual([{ feature: 'course:c1' }]);
    await expect(accept(id, amount)).rejects.toThrow(
      `payment: ${id} is settled; only late, underpaid, failed can be accepted`,
    );
  },
);

test('what is unknown, or has brought nothing, is not accepted', async () => {
  await expect(accept('btc_unknown', 1)).rejects.toThrow('payment: there is no payment btc_unknown');
  const { id } = await arrived(0, 'failed');
  await expect(accept(id, 1)).rejects.toThrow(`payment: nothing has arrived for ${id}`);
});

test('what has arrived since the amount was confirmed is not accepted unseen', async () => {
  const { id } = await arrived(60_000, 'failed');
  await expect(accept(id, 50_000)).rejects.toThrow(
    `received: 60000 satoshi have arrived for ${id} by now, not 50000; look at it again, and confirm that`,
  );
  await expect(runConfirmations(client(), { node, dryRun: false, accept: { payment: id, ...REASON } })).rejects.toThrow(
    'received: expected what a dry run answered',
  );
  expect(await rows('SELECT status, accepted_by FROM billing.bitcoin_payments')).toEqual([
    { status: 'failed', accepted_by: null },
  ]);
});

test('a purchase that was settled, and is accepted with less after a reorganisation, counts with less', async () => {
  const { id } = await arrived(60_000, 'failed');
  await client().query(
    `INSERT INTO billing.purchases (id, kind, item_id, user_id, mode, status, payment_status, amount_total, currency, created_at, version, raw)
     VALUES ($1, 'course', 'c1', 'u1', 'payment', 'complete', 'unpaid', 100000, 'btc', now(), 'bitcoin', '{}')`,
    [id],
  );
  const { outcome } = await accept(id, 60_000);
  expect(outcome).toBe('not_followed');
  expect(await rows('SELECT payment_status, amount_total::int FROM billing.purchases')).toEqual([
    { payment_status: 'paid', amount_total: 60_000 },
  ]);
  // Taken back once more: what was asked for first is still said.
  await client().query(`UPDATE billing.bitcoin_payments SET status = 'failed', settled_at = NULL`);
  expect((await accept(id)).accepted).toMatchObject({ asked: '100000', received: '60000' });
});
