import type { Statement } from '../../core/database/transaction';
import { BATCH_SIZE } from '../../core/providers/bitcoin/node';
import type { Cursor } from './chain';
import type { ConfirmationsReport } from './contract';
import { recordTransactions } from './record';
import { PAGE_SIZE, reviewPayments } from './review';
import { inStep, type ConfirmationsRun } from './run';

/**
 * Transactions that a run looks at, at most: half a minute of calls. What is left is the next run's; a payment that is in a block
 * meanwhile is found there. Fewer show payments later after a cold start; more take time from blocks.
 */
const MAX_EXAMINED = 20_000;

/**
 * Ids of transactions that were looked at, for as long as they are in the mempool: nothing about a transaction changes there. It is
 * kept in memory between runs and may be lost at any time; the mempool is then looked at anew.
 */
export type ExaminedIds = Set<string>;

const FIND_IN_MEMPOOL: Statement = {
  name: 'find_bitcoin_in_mempool',
  text: `
SELECT payment_id AS id, txid FROM billing.bitcoin_transactions
WHERE state = 'mempool' AND (txid, payment_id) > ($1, $2) ORDER BY txid, payment_id LIMIT ${PAGE_SIZE}`,
};
/** Of the two weeks that nodes keep a transaction: those after which the mempool may have it again. */
const FIND_GONE: Statement = {
  name: 'find_gone_bitcoin_transactions',
  text: `
SELECT DISTINCT txid AS id FROM billing.bitcoin_transactions
WHERE state IN ('replaced', 'dropped') AND changed_at > $1::timestamptz - interval '14 days'`,
};
const DROP: Statement = {
  name: 'drop_bitcoin_transactions',
  text: `
UPDATE billing.bitcoin_transactions SET state = 'dropped', changed_at = $2
WHERE txid = ANY ($1::text[]) AND state = 'mempool' RETURNING payment_id AS id`,
};

/**
 * Records which transactions of the mempool pay expected payments, and which of those have left it.
 *
 * @param cursor the node's tip when the chain was followed to its end
 */
export async function scanMempool(
  run: ConfirmationsRun,
  cursor: Cursor,
  examined: ExaminedIds,
): Promise<NonNullable<ConfirmationsReport['mempool']>> {
  const { node, clock, client, stop } = run;
  const startedAt = clock();
  const present = new Set(await node.mempool());
  for (const txid of examined) if (!present.has(txid)) examined.delete(txid);
  // One that was thought gone and is here is looked at again, whatever this function remembers.
  for (const txid of await goneTransactions(run)) examined.delete(txid);
  const unknown = [...present].filter((txid) => !examined.has(txid));
  // What the last complete look did not find came after it: in doubt it was in time.
  const arrivedAt = cursor.scannedAt ?? startedAt;
  const some = unknown.slice(0, MAX_EXAMINED);
  let count = 0;
  for (; count < some.length && !stop.aborted; count += BATCH_SIZE) {
    const batch = some.slice(count, count + BATCH_SIZE);
    await examine(run, cursor, batch, arrivedAt);
    for (const txid of batch) examined.add(txid);
  }
  const done = Math.min(count, some.length);
  const complete = done === unknown.length;
  // What is neither here nor in a block that was looked at is gone, unless a block came meanwhile.
  const { hash } = await node.tip();
  if (hash === cursor.hash && !stop.aborted) await dropAbsent(run, cursor, present);
  if (complete) await client.query('UPDATE billing.bitcoin_chain SET scanned_at = $1', [startedAt]);
  return { size: present.size, examined: done, complete };
}

async function goneTransactions({ client, clock }: ConfirmationsRun): Promise<string[]> {
  const { rows } = await client.query<{ id: string }>(FIND_GONE.text, [clock()]);
  return rows.map(({ id }) => id);
}

async function examine(
  run: ConfirmationsRun,
  { height }: Cursor,
  txids: readonly string[],
  arrivedAt: Date,
): Promise<void> {
  const transactions = await run.node.transactions(txids);
  const now = run.clock();
  await inStep(run, async (statement) => {
    const place = { state: 'mempool', height: null, arrivedAt, now } as const;
    const touched = await recordTransactions(statement, run.network, transactions, place);
    return reviewPayments(statement, touched, { tip: height, now });
  });
}

async function dropAbsent(run: ConfirmationsRun, { height }: Cursor, present: ReadonlySet<string>): Promise<void> {
  for (let after = { txid: '', id: '' }; ;) {
    const { last } = await inStep(run, async (statement) => {
      const page = await statement<{ id: string; txid: string }>(FIND_IN_MEMPOOL, [after.txid, after.id]);
      const absent = page.filter(({ txid }) => !present.has(txid)).map(({ txid }) => txid);
      const now = run.clock();
      const touched = absent.length === 0 ? [] : await statement(DROP, [absent, now]);
      const reviewed = await reviewPayments(
        statement,
        touched.map(({ id }) => id),
        { tip: height, now },
      );
      return { ...reviewed, last: page.length < PAGE_SIZE ? undefined : page.at(-1) };
    });
    if (last === undefined || run.stop.aborted) return;
    after = last;
  }
}
