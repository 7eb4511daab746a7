import type { ClientBase } from 'pg';
import type { DatabaseName } from '../contract';
import {
  assertLedgerHas,
  drainTransactions,
  finishErasures,
  knownErasures,
  plantTombstones,
  sweepBilling,
} from './billing';
import type { ErasureHook } from './contract';
import type { ErasureLedger, Erasures } from './ledger';
import { sweepMain } from './main';

/** What a restore needs to keep people erased. */
export interface ErasureReplay {
  readonly ledger: Pick<ErasureLedger, 'read'>;
  /** What is erased from the main database. */
  readonly hooks: readonly ErasureHook[];
}

/**
 * Erases everybody of the ledger from a database that came back from before: restored from an archive, from a snapshot, or to a
 * moment. Called before anything of it is handed over.
 *
 * @returns rows that were reduced, by table; none where the database knew every erasure
 * @throws OperationError `database_busy` (retryable) when other sessions write to it, `erasure_ledger_unreadable` (retryable) when the
 * ledger lacks an erasure that billing knows, `hooks_invalid` when main refuses a treatment
 */
export async function replayErasures(
  client: ClientBase,
  database: DatabaseName,
  erasures: Erasures,
  hooks: readonly ErasureHook[],
): Promise<Readonly<Record<string, number>>> {
  if (database === 'billing') assertLedgerHas(await knownErasures(client), erasures);
  if (erasures.entries.length === 0) return {};
  if (database === 'main') return sweepMain(client, erasures, hooks);
  if (!(await plantTombstones(client, erasures))) return {};
  await drainTransactions(client);
  const { reduced } = await sweepBilling(client);
  await finishErasures(client, reduced);
  return reduced;
}
