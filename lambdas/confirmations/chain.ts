import type { RunStatement, Statement } from '../../core/database/transaction';
import { BATCH_SIZE, requireNetwork, type Block, type Tip } from '../../core/providers/bitcoin/node';
import { ConfigurationError, OperationError } from '../../core/runtime/errors';
import type { Reorganisation } from './contract';
import { recordTransactions } from './record';
import { reviewPayments, type Reviewed } from './review';
import { inStep, type ConfirmationsRun } from './run';

/**
 * Blocks before the tip at which the first run of an environment begins: a day, for payments that were expected before it. Fewer
 * miss those that were paid before the function was deployed.
 */
const FIRST_BLOCKS = 144;
/**
 * Blocks whose hashes are kept, a week of them: the depth of the deepest reorganisation that is followed by itself. No chain that
 * has a value was ever reorganised by a tenth of it.
 */
export const KEPT_BLOCKS = 1_000;
/**
 * Depth up to which a reorganisation is one step: payments that the new blocks have, too, then keep their status throughout. The
 * blocks are read while its transaction is open.
 */
const ONE_STEP_DEPTH = 12;

/** The last block that was looked at. */
export interface Cursor {
  readonly height: number;
  readonly hash: string;
  readonly blockAt: Date;
  readonly scannedAt: Date | null;
}

export interface Followed {
  readonly cursor: Cursor;
  readonly tip: Tip;
  readonly outcome: 'up_to_date' | 'behind' | 'node_behind';
}

const MOVE_CURSOR: Statement = {
  name: 'move_bitcoin_cursor',
  text: `UPDATE billing.bitcoin_chain SET height = $2, hash = $3, block_at = $4 WHERE hash = $1 RETURNING hash AS id`,
};
const KEEP_BLOCK: Statement = {
  name: 'keep_bitcoin_block',
  text: `
WITH forgotten AS (DELETE FROM billing.bitcoin_blocks WHERE height <= $1::int - ${KEPT_BLOCKS})
INSERT INTO billing.bitcoin_blocks (height, hash) VALUES ($1, $2)`,
};
const FIND_DUE: Statement = {
  name: 'find_due_bitcoin_payments',
  text: 'SELECT id FROM billing.bitcoin_payments WHERE review_height <= $1',
};
const FORGET_BLOCKS: Statement = {
  name: 'forget_bitcoin_blocks',
  text: 'DELETE FROM billing.bitcoin_blocks WHERE height > $1',
};
/**
 * Transactions of blocks that were taken back wait in the mempool again, for all that is known; what had lost its coins to one may
 * come back. Where either is not so, the new blocks or the mempool say it next.
 */
const TAKE_BACK: Statement = {
  name: 'take_bitcoin_blocks_back',
  text: `
UPDATE billing.bitcoin_transactions AS known
SET state = CASE WHEN before.state = 'block' THEN 'mempool' ELSE 'dropped' END, block_height = NULL, conflict = NULL, changed_at = $2
FROM (SELECT payment_id, txid, state FROM billing.bitcoin_transactions WHERE block_height > $1) AS before
WHERE known.payment_id = before.payment_id AND known.txid = before.txid
RETURNING known.payment_id AS id, before.state = 'block' AS was_in_block`,
};
const RECORD_REORGANISATION: Statement = {
  name: 'record_bitcoin_reorganisation',
  text: `
INSERT INTO billing.bitcoin_reorganisations (noticed_at, fork_height, depth, transactions) VALUES ($1, $2, $3, $4)`,
};

/**
 * Follows the chain of the node from the last block that was looked at to its tip, one step for each block. The cursor is the
 * block's hash: after an outage of whatever length the next run continues where the last one was, and a chain that went another way
 * is noticed by it.
 *
 * @throws OperationError `chain_diverged` when not even the oldest block that is kept is in the node's chain; what the node throws
 */
export async function followChain(run: ConfirmationsRun): Promise<Followed> {
  const { node, stop, tally } = run;
  let tip = await node.tip();
  let cursor = (await readCursor(run)) ?? (await begin(run, tip));
  const ended = async (outcome: Followed['outcome']): Promise<Followed> => {
    await run.client.query('UPDATE billing.bitcoin_chain SET node_height = $1, node_at = $2', [
      tip.height,
      run.clock(),
    ]);
    return { cursor, tip, outcome };
  };
  while (!stop.aborted) {
    const [same, next] = await node.hashes([cursor.height, cursor.height + 1]);
    if (same === cursor.hash) {
      if (next === undefined) return ended('up_to_date');
      const block = await node.block(next);
      // The chain went another way between the two calls.
      if (block.previous !== cursor.hash) continue;
      cursor = await attach(run, cursor, block);
      tally.blocks += 1;
      continue;
    }
    tip = await node.tip();
    // A node that starts anew, or stands in for another: until it has as many blocks, it contradicts nothing.
    if (tip.height < cursor.height) return ended('node_behind');
    cursor = await reorganise(run, cursor, tip);
  }
  return ended('behind');
}

/** @throws ConfigurationError when the blocks so far are of another network */
export async function readCursor({
  client,
  network,
}: Pick<ConfirmationsRun, 'client' | 'network'>): Promise<Cursor | undefined> {
  const { rows } = await client.query<{
    network: string;
    height: number;
    hash: string;
    block_at: Date;
    scanned_at: Date | null;
  }>('SELECT network, height, hash, block_at, scanned_at FROM billing.bitcoin_chain');
  const [row] = rows;
  if (row === undefined) return undefined;
  if (row.network !== network) {
    throw new ConfigurationError(
      `The database has followed ${row.network} up to block ${row.height}, and \`bitcoin.network\` is ${network}: a database is of one network`,
    );
  }
  return { height: row.height, hash: row.hash, blockAt: row.block_at, scannedAt: row.scanned_at };
}

/** The first run: from some blocks before the tip on. */
async function begin(run: ConfirmationsRun, tip: Tip): Promise<Cursor> {
  const { client, node, network, clock } = run;
  await requireNetwork(node, network);
  const height = Math.max(0, tip.height - FIRST_BLOCKS);
  const [hash] = await node.hashes([height]);
  if (hash === undefined) throw new OperationError('node_refused', `The node has no block ${height} below its tip`);
  const { at } = await node.block(hash);
  await client.query(
    `WITH kept AS (INSERT INTO billing.bitcoin_blocks (height, hash) VALUES ($2, $3))
     INSERT INTO billing.bitcoin_chain (network, height, hash, block_at, node_height, node_at) VALUES ($1, $2, $3, $4, $5, $6)`,
    [network, height, hash, at, tip.height, clock()],
  );
  return { height, hash, blockAt: at, scannedAt: null };
}

async function attach(run: ConfirmationsRun, cursor: Cursor, block: Block): Promise<Cursor> {
  await inStep(run, async (statement) => {
    const touched = await addBlock(run, statement, cursor, block);
    return reviewAt(statement, touched, block.height, run.clock());
  });
  return cursorAt(block, cursor);
}

/** Moves the cursor to the next block and records what is in it. @returns payments that it touches */
async function addBlock(
  { network, clock }: ConfirmationsRun,
  run: RunStatement,
  cursor: Pick<Cursor, 'hash' | 'scannedAt'>,
  { height, hash, at, transactions }: Block,
): Promise<string[]> {
  const moved = await run(MOVE_CURSOR, [cursor.hash, height, hash, at]);
  if (moved.length === 0) throw new OperationError('confirmations_running', 'Another run has moved on from this block');
  await run(KEEP_BLOCK, [height, hash]);
  const now = clock();
  // What the mempool did not have when it was last looked at came after that, before the block: in doubt it was in time, so that
  // an outage of the node or of this function makes nobody's payment late.
  const arrivedAt = new Date(Math.min(at.getTime(), now.getTime(), cursor.scannedAt?.getTime() ?? Infinity));
  return recordTransactions(run, network, transactions, { state: 'block', height, arrivedAt, now });
}

async function reviewAt(run: RunStatement, touched: Iterable<string>, tip: number, now: Date): Promise<Reviewed> {
  const due = await run(FIND_DUE, [tip]);
  return reviewPayments(run, [...touched, ...due.map(({ id }) => id)], { tip, now });
}

/** Goes back to the last block that the node's chain has, too, and from there along it. */
async function reorganise(run: ConfirmationsRun, cursor: Cursor, tip: Tip): Promise<Cursor> {
  const { node, log, clock } = run;
  const fork = await findFork(run, cursor);
  const depth = cursor.height - fork.height;
  // The node has the last block after all: it was catching up, or the chain came back, since it was asked.
  if (depth === 0) return cursor;
  const wanted = depth > ONE_STEP_DEPTH ? [] : heightsBetween(fork.height + 1, Math.min(tip.height, cursor.height + 1));
  const hashes = await node.hashes(wanted);
  let reached: Cursor = { ...fork, blockAt: cursor.blockAt, scannedAt: cursor.scannedAt };
  let blocks = 0;
  const { reorganisation } = await inStep(run, async (statement) => {
    const taken = await takeBack(statement, cursor, fork, clock());
    const touched = taken.payments;
    for (const hash of hashes) {
      if (hash === undefined) break;
      const block = await node.block(hash);
      // The chain went another way again: what is left is found by the next look at it.
      if (block.previous !== reached.hash) break;
      touched.push(...(await addBlock(run, statement, reached, block)));
      reached = cursorAt(block, cursor);
      blocks += 1;
    }
    const reviewed = await reviewAt(statement, touched, reached.height, clock());
    const found: Reorganisation = { forkHeight: fork.height, depth, transactions: taken.transactions };
    return { ...reviewed, reorganisation: found };
  });
  log.warn('The chain was reorganised', {
    ...reorganisation,
    from: cursor.hash,
    to: reached.hash,
    height: reached.height,
  });
  run.tally.blocks += blocks;
  run.tally.reorganisations.push(reorganisation);
  return reached;
}

async function takeBack(
  run: RunStatement,
  cursor: Cursor,
  fork: Pick<Cursor, 'height' | 'hash'>,
  now: Date,
): Promise<{ readonly payments: string[]; readonly transactions: number }> {
  const moved = await run(MOVE_CURSOR, [cursor.hash, fork.height, fork.hash, cursor.blockAt]);
  if (moved.length === 0) throw new OperationError('confirmations_running', 'Another run has moved on from this block');
  await run(FORGET_BLOCKS, [fork.height]);
  const rows = await run<{ id: string; was_in_block: boolean }>(TAKE_BACK, [fork.height, now]);
  const transactions = rows.filter((row) => row.was_in_block).length;
  await run(RECORD_REORGANISATION, [now, fork.height, cursor.height - fork.height, transactions]);
  return { payments: rows.map(({ id }) => id), transactions };
}

/** The last block that was looked at and is in the node's chain. */
export async function findFork(
  { client, node }: Pick<ConfirmationsRun, 'client' | 'node'>,
  cursor: Pick<Cursor, 'height'>,
): Promise<Pick<Cursor, 'height' | 'hash'>> {
  const { rows } = await client.query<{ height: number; hash: string }>(
    'SELECT height, hash FROM billing.bitcoin_blocks WHERE height <= $1 ORDER BY height DESC',
    [cursor.height],
  );
  for (let start = 0; start < rows.length; start += BATCH_SIZE) {
    const page = rows.slice(start, start + BATCH_SIZE);
    const hashes = await node.hashes(page.map(({ height }) => height));
    const found = page.find(({ hash }, index) => hash === hashes[index]);
    if (found !== undefined) return found;
  }
  throw new OperationError(
    'chain_diverged',
    `The node's chain has none of the last ${rows.length} blocks that were looked at: it is another chain, or was reorganised deeper than is followed by itself`,
  );
}

const cursorAt = ({ height, hash, at }: Block, { scannedAt }: Cursor): Cursor => ({
  height,
  hash,
  blockAt: at,
  scannedAt,
});

const heightsBetween = (first: number, last: number): number[] =>
  Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);
