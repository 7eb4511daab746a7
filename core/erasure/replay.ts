import type { ClientBase } from 'pg';
import type { DatabaseName } from '../contract';
import {
  assertLedgerHas,
  beginSeeking,
  beginSweep,
  finishErasures,
  knownErasures,
  plantTombstones,
  type Sweep,
  sweepBilling,
  type SweepLimits,
} from './billing';
import type { ErasureHook } from './contract';
import { drainTransactions } from './drain';
import type { ErasureLedger, Erasures } from './ledger';
import { sweepMain } from './main';

/** What a restore needs to keep people erased. */
export interface ErasureReplay {
  readonly ledger: Pick<ErasureLedger, 'read'>;
  /** What is erased from the main database. */
  readonly hooks: readonly ErasureHook[];
}

export interface ReplayOptions extends SweepLimits {
  /** Erasures that billing knew before the ledger was read. @default asks it now, while no other session erases there */
  readonly known?: readonly string[];
}

const NOT_HANDED_OVER = 'Nothing was handed over: end them, and repeat the request';

/** What one call did of a replay. */
export interface Replay extends Sweep {
  /** `false`: call again from where this one stopped. Nothing of the database may be handed over before. */
  readonly done: boolean;
}

/**
 * Erases everybody of the ledger from a database that came back from before: restored from an archive, from a snapshot, or to a
 * moment. Called before anything of it is handed over, in as many calls as it takes. Begun anew at any point, it is complete as well.
 *
 * @returns rows that this call reduced; where the database knew every erasure, only those that refer to what was found since
 * @throws OperationError `database_busy` (retryable) naming transactions of others that stay open in it, `erasure_ledger_unreadable` (retryable) when the
 * ledger lacks an erasure that billing knows, `hooks_invalid` when main refuses a treatment
 */
export async function replayErasures(
  client: ClientBase,
  database: DatabaseName,
  erasures: Erasures,
  hooks: readonly ErasureHook[],
  { from = null, hasTime, known }: ReplayOptions = {},
): Promise<Replay> {
  if (database === 'billing') assertLedgerHas(known ?? (await knownErasures(client)), erasures);
  if (erasures.entries.length === 0) return completed({});
  if (database === 'main') return completed(await sweepMain(client, erasures, hooks));
  let sweep = from?.sweep;
  let begin = from;
  // A call that continues adds no person: one erased since the first call may have rows before its position.
  if (from === null) {
    await plantTombstones(client, erasures);
    const begun = await beginSweep(client);
    sweep = begun.sweep;
    if (begun.open > 0) await drainTransactions(client, { whatNext: NOT_HANDED_OVER });
    else {
      // An event that came after the last sweep may have an object that an earlier one names.
      begin = await beginSeeking(client);
      if (begin === null) return completed({});
    }
  }
  const { reduced, continueFrom: next } = await sweepBilling(client, {
    from: begin,
    hasTime,
    whatNext: NOT_HANDED_OVER,
  });
  if (next !== null) return { reduced, continueFrom: { sweep, ...next }, done: false };
  await finishErasures(client, sweep, reduced);
  // After a sweep of several calls, another looks from the begin for people who were erased meanwhile.
  return { reduced, continueFrom: null, done: from === null };
}

function completed(reduced: Sweep['reduced']): Replay {
  return { reduced, continueFrom: null, done: true };
}
