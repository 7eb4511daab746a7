import type { ClientBase } from 'pg';
import { inTransaction, type RunStatement, type Statement } from '../../core/database/transaction';
import type { EntitlementChange } from '../../core/entitlements/recompute';
import type { BitcoinNetwork, BitcoinStatus } from '../../core/providers/bitcoin/contract';
import type { BitcoinNode } from '../../core/providers/bitcoin/node';
import { OperationError } from '../../core/runtime/errors';
import type { Log } from '../../core/runtime/telemetry';
import type { Reorganisation } from './contract';
import type { Reviewed, StatusChange } from './review';

/** What a run works with. */
export interface ConfirmationsRun {
  readonly client: ClientBase;
  readonly node: BitcoinNode;
  readonly network: BitcoinNetwork;
  readonly clock: () => Date;
  readonly log: Log;
  /** Aborted when the time is up, early enough to stop in order. */
  readonly stop: AbortSignal;
  readonly tally: Tally;
}

/** What a run did so far, of what is committed. */
export class Tally {
  readonly changes: Partial<Record<BitcoinStatus, number>> = {};
  readonly entitlements: EntitlementChange[] = [];
  readonly reorganisations: Reorganisation[] = [];
  blocks = 0;
  takenBack = 0;
  lost = 0;

  add({ changes, entitlements }: Reviewed): void {
    for (const { from, to } of changes) {
      this.changes[to] = (this.changes[to] ?? 0) + 1;
      if (from === 'settled') this.takenBack += 1;
      if (to === 'failed' || to === 'late') this.lost += 1;
    }
    this.entitlements.push(...entitlements);
  }
}

/** Advisory lock of each transaction of a run. Any number that nothing else in the billing database uses. */
const RUN_LOCK = 7_303_034;
const TAKE_LOCK: Statement = {
  name: 'lock_bitcoin_run',
  text: `SELECT pg_try_advisory_xact_lock(${RUN_LOCK}) AS taken`,
};
/** Lower gives up behind a backup; higher outlasts the function. */
const LIMITS = { lockMs: 10_000, statementMs: 30_000 };
/** Payments that one line of the log names. */
const MAX_NAMED = 50;

/**
 * One step of a run: what it records and what follows from that, in one transaction. A function that is killed leaves the steps
 * before it, and the next run continues behind them.
 *
 * @throws OperationError `confirmations_running` while another run is in a step of its own
 */
export async function inStep<T extends Reviewed>(
  { client, tally, log }: ConfirmationsRun,
  work: (run: RunStatement) => Promise<T>,
): Promise<T> {
  const result = await inTransaction(
    client,
    async (run) => {
      const [lock] = await run<{ taken: boolean }>(TAKE_LOCK, []);
      if (!lock?.taken) {
        throw new OperationError('confirmations_running', 'Another run is looking at the chain; wait for its end');
      }
      return work(run);
    },
    { limits: LIMITS },
  );
  tally.add(result);
  if (result.changes.length > 0) {
    log.info('Payments changed', { count: result.changes.length, changes: named(result.changes) });
  }
  return result;
}

const named = (changes: readonly StatusChange[]): string[] =>
  changes.slice(0, MAX_NAMED).map(({ id, from, to }) => `${id}: ${from} -> ${to}`);
