import type { RunStatement, Statement } from '../../core/database/transaction';
import type { BitcoinNetwork } from '../../core/providers/bitcoin/contract';
import type { ChainTransaction } from '../../core/providers/bitcoin/node';

/** Where transactions were found. */
export interface Place {
  readonly state: 'mempool' | 'block';
  /** Of the block. */
  readonly height: number | null;
  /** When they count as paid, unless they were seen before. */
  readonly arrivedAt: Date;
  readonly now: Date;
}

/** `OFFSET 0` looks rows up one at a time: a block has thousands of scripts, the table any number of payments. */
const FIND_PAYMENTS: Statement = {
  name: 'find_bitcoin_payments',
  text: `
SELECT payment.id, wanted.script FROM unnest((SELECT $1::text[])) AS wanted (script)
CROSS JOIN LATERAL (SELECT id FROM billing.bitcoin_payments WHERE script = wanted.script AND network = $2 OFFSET 0) AS payment`,
};

/**
 * What a block has stays in it until the block is taken back. A double-spent transaction that the mempool has again is one of which
 * a reorganisation is about to be noticed: that decides.
 */
const STORE_TRANSACTIONS: Statement = {
  name: 'store_bitcoin_transactions',
  text: `
INSERT INTO billing.bitcoin_transactions AS known
  (payment_id, txid, amount, state, block_height, arrived_at, first_seen_at, changed_at)
SELECT found.payment_id, found.txid, found.amount, $4::text, $5::int, $6::timestamptz, $7::timestamptz, $7
FROM unnest($1::text[], $2::text[], $3::bigint[]) AS found (payment_id, txid, amount)
ON CONFLICT (payment_id, txid) DO UPDATE
SET state = excluded.state, block_height = excluded.block_height, conflict = NULL, changed_at = excluded.changed_at
WHERE excluded.state = 'block' OR known.state IN ('replaced', 'dropped')
RETURNING payment_id AS id`,
};

const STORE_INPUTS: Statement = {
  name: 'store_bitcoin_inputs',
  text: `
INSERT INTO billing.bitcoin_inputs (outpoint, txid)
SELECT outpoint, txid FROM unnest($1::text[], $2::text[]) AS spent (outpoint, txid) ON CONFLICT DO NOTHING`,
};

const FIND_RIVALS: Statement = {
  name: 'find_bitcoin_rivals',
  text: `
SELECT known.outpoint, known.txid FROM unnest((SELECT $1::text[])) AS spent (outpoint)
CROSS JOIN LATERAL (SELECT outpoint, txid FROM billing.bitcoin_inputs WHERE outpoint = spent.outpoint OFFSET 0) AS known`,
};

/** $1: transactions that lost their coins, $2: those that took them, $3: `mempool` or `block`, $4: its height, $5: now. */
const MARK_RIVALS: Statement = {
  name: 'mark_bitcoin_rivals',
  text: `
UPDATE billing.bitcoin_transactions AS lost
SET state = CASE WHEN $3::text = 'mempool' OR EXISTS (
      SELECT FROM billing.bitcoin_transactions AS winner
      WHERE winner.payment_id = lost.payment_id AND winner.txid = rival.winner) THEN 'replaced' ELSE 'double_spent' END,
    block_height = $4::int, conflict = rival.winner, changed_at = $5::timestamptz
FROM unnest($1::text[], $2::text[]) AS rival (loser, winner)
WHERE lost.txid = rival.loser
  AND lost.state = ANY (CASE WHEN $3 = 'block' THEN '{mempool,dropped,replaced,double_spent}'::text[]
                        ELSE '{mempool,dropped}'::text[] END)
RETURNING lost.payment_id AS id`,
};

/**
 * Records which of the transactions pay an expected payment, and which known ones they take the coins from. Everything else about
 * them is forgotten, so that what is stored does not grow with the chain.
 *
 * @returns ids of the payments that it is about
 */
export async function recordTransactions(
  run: RunStatement,
  network: BitcoinNetwork,
  transactions: readonly ChainTransaction[],
  place: Place,
): Promise<string[]> {
  const scripts = [...new Set(transactions.flatMap(({ outputs }) => outputs.map(({ script }) => script)))];
  const expected = await run<{ id: string; script: string }>(FIND_PAYMENTS, [scripts, network]);
  const paymentOf = new Map(expected.map(({ id, script }) => [script, id]));
  const stored = paymentOf.size === 0 ? [] : await storePaying(run, transactions, paymentOf, place);
  const lost = await markRivals(run, transactions, place);
  return [...stored, ...lost];
}

async function storePaying(
  run: RunStatement,
  transactions: readonly ChainTransaction[],
  paymentOf: ReadonlyMap<string, string>,
  { state, height, arrivedAt, now }: Place,
): Promise<string[]> {
  const paid = transactions.flatMap(({ txid, outputs }) => {
    const amounts = new Map<string, number>();
    for (const { script, amount } of outputs) {
      const payment = paymentOf.get(script);
      if (payment !== undefined && amount > 0) amounts.set(payment, (amounts.get(payment) ?? 0) + amount);
    }
    return [...amounts].map(([payment, amount]) => ({ payment, txid, amount }));
  });
  if (paid.length === 0) return [];
  const rows = await run(STORE_TRANSACTIONS, [
    paid.map(({ payment }) => payment),
    paid.map(({ txid }) => txid),
    paid.map(({ amount }) => amount),
    state,
    height,
    arrivedAt,
    now,
  ]);
  const paying = new Set(paid.map(({ txid }) => txid));
  const inputs = transactions
    .filter(({ txid }) => paying.has(txid))
    .flatMap(({ txid, inputs: spent }) => spent.map((outpoint) => ({ outpoint, txid })));
  await run(STORE_INPUTS, [inputs.map(({ outpoint }) => outpoint), inputs.map(({ txid }) => txid)]);
  return rows.map(({ id }) => id);
}

async function markRivals(
  run: RunStatement,
  transactions: readonly ChainTransaction[],
  { state, height, now }: Place,
): Promise<string[]> {
  const spenderOf = new Map(transactions.flatMap(({ txid, inputs }) => inputs.map((outpoint) => [outpoint, txid])));
  const known = await run<{ outpoint: string; txid: string }>(FIND_RIVALS, [[...spenderOf.keys()]]);
  const winners = new Map<string, string>();
  for (const { outpoint, txid } of known) {
    const spender = spenderOf.get(outpoint);
    if (spender !== undefined && spender !== txid) winners.set(txid, spender);
  }
  if (winners.size === 0) return [];
  const rows = await run(MARK_RIVALS, [[...winners.keys()], [...winners.values()], state, height, now]);
  return rows.map(({ id }) => id);
}
