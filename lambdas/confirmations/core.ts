import type { Statement } from '../../core/database/transaction';
import { recordSuccess } from '../../core/database/job-success';
import { requireNetwork } from '../../core/providers/bitcoin/node';
import { OperationError } from '../../core/runtime/errors';
import { findFork, followChain, readCursor, type Followed } from './chain';
import { acceptPayment } from './accept';
import type { Acceptance, ConfirmationsReport } from './contract';
import { scanMempool, type ExaminedIds } from './mempool';
import { PAGE_SIZE, reviewPayments } from './review';
import { inStep, type ConfirmationsRun } from './run';

const FIND_EXPIRED: Statement = {
  name: 'find_expired_bitcoin_payments',
  text: `
SELECT id FROM billing.bitcoin_payments WHERE status IN ('pending', 'underpaid') AND expires_at < $1
ORDER BY expires_at LIMIT ${PAGE_SIZE}`,
};

/**
 * Brings expected payments up to date with a node: its blocks, its mempool, and the payments whose time is over.
 *
 * A node that cannot be reached is an outcome and no error: the next run continues where this one was, without losing a block.
 *
 * @param accept a payment to accept as it is, in place of all that: neither the chain nor the node is asked
 * @param examined what earlier runs looked at in the mempool
 * @throws InvalidRequestError when the payment cannot be accepted; OperationError `confirmations_running`, `chain_diverged`, `node_refused`, `configuration`, or what PostgreSQL threw
 */
export async function confirmPayments(
  run: ConfirmationsRun,
  {
    dryRun,
    examined,
    accept,
  }: { readonly dryRun: boolean; readonly examined: ExaminedIds; readonly accept?: Acceptance | undefined },
): Promise<ConfirmationsReport> {
  const { clock, client, tally, log } = run;
  const startedMs = clock().getTime();
  if (accept !== undefined) return acceptOnly(run, accept, dryRun);
  let followed: Followed | undefined;
  let mempool: ConfirmationsReport['mempool'] = null;
  let problem: string | null = null;
  try {
    followed = await (dryRun ? lookAtChain(run) : followChain(run));
    if (followed.outcome === 'up_to_date' && !dryRun) {
      // Transactions of blocks that were taken back are in the mempool again.
      if (tally.reorganisations.length > 0) examined.clear();
      mempool = await scanMempool(run, followed.cursor, examined);
    }
  } catch (error) {
    if (!(error instanceof OperationError) || error.code !== 'node_unreachable') throw error;
    // The end of this run's time ends its calls, which says nothing about the node.
    if (!run.stop.aborted) {
      problem = error.message;
      log.error('The node cannot be reached; the next run continues', { problem });
    }
  }
  const cursor = followed?.cursor ?? (await readCursor(run));
  // While blocks are missing, what is over by the clock may have been paid in one of them.
  if (!dryRun && cursor && followed?.outcome === 'up_to_date' && problem === null) await expire(run, cursor.height);
  if (!dryRun && problem === null) await recordSuccess(client, 'confirmations', clock(), log);
  return {
    dryRun,
    outcome: problem === null ? (followed?.outcome ?? 'behind') : 'node_unreachable',
    problem,
    height: cursor?.height ?? null,
    nodeHeight: followed?.tip.height ?? null,
    blockAt: cursor?.blockAt.toISOString() ?? null,
    blocks: tally.blocks,
    reorganisations: tally.reorganisations,
    mempool,
    changes: tally.changes,
    accepted: null,
    takenBack: tally.takenBack,
    durationMs: clock().getTime() - startedMs,
  };
}

/** A report of an acceptance alone. What was done must not fail with a chain that cannot be followed. */
async function acceptOnly(run: ConfirmationsRun, accept: Acceptance, dryRun: boolean): Promise<ConfirmationsReport> {
  const { clock, tally } = run;
  const startedMs = clock().getTime();
  const accepted = await acceptPayment(run, accept, dryRun);
  const cursor = await readCursor(run);
  return {
    dryRun,
    outcome: 'not_followed',
    problem: null,
    height: cursor?.height ?? null,
    nodeHeight: null,
    blockAt: cursor?.blockAt.toISOString() ?? null,
    blocks: 0,
    reorganisations: [],
    mempool: null,
    changes: tally.changes,
    accepted,
    takenBack: tally.takenBack,
    durationMs: clock().getTime() - startedMs,
  };
}

/** What {@link followChain} would find, without changing anything. */
async function lookAtChain(run: ConfirmationsRun): Promise<Followed> {
  const { node, network, tally } = run;
  await requireNetwork(node, network);
  const tip = await node.tip();
  const cursor = await readCursor(run);
  if (cursor === undefined) {
    return { cursor: { height: 0, hash: '', blockAt: run.clock(), scannedAt: null }, tip, outcome: 'behind' };
  }
  if (tip.height < cursor.height) return { cursor, tip, outcome: 'node_behind' };
  const fork = await findFork(run, cursor);
  const depth = cursor.height - fork.height;
  if (depth > 0) tally.reorganisations.push({ forkHeight: fork.height, depth, transactions: 0 });
  return { cursor, tip, outcome: tip.hash === cursor.hash ? 'up_to_date' : 'behind' };
}

/** Payments whose time is over and that were not paid in time. */
async function expire(run: ConfirmationsRun, tip: number): Promise<void> {
  for (;;) {
    const { found } = await inStep(run, async (statement) => {
      const now = run.clock();
      const rows = await statement(FIND_EXPIRED, [now]);
      const reviewed = await reviewPayments(
        statement,
        rows.map(({ id }) => id),
        { tip, now },
      );
      return { ...reviewed, found: rows.length };
    });
    if (found < PAGE_SIZE || run.stop.aborted) return;
  }
}
