import type { ClientBase } from 'pg';
import { OperationError } from '../runtime/errors';

/** Longest wait for transactions that began before the tombstones: those of webhooks take milliseconds. */
const DRAIN_MS = 30_000;
const POLL_MS = 50;
/** Transactions that the message of the error names. */
const NAMED = 3;

export interface DrainOptions {
  /** What the message of the error says to do, once it has named the transactions. */
  readonly whatNext: string;
  /** Milliseconds before it gives up. @default 30 s */
  readonly waitMs?: number;
}

interface OpenTransaction {
  readonly id: string;
  readonly holder: string;
}

/**
 * Waits until no transaction is left that wrote, or looked for erasures, in this database before the tombstones were committed, since its
 * triggers did not see them. Those of other databases of the server cannot write here.
 *
 * @throws OperationError `database_busy` (retryable) naming the transactions
 */
export async function drainTransactions(
  client: ClientBase,
  { whatNext, waitMs = DRAIN_MS }: DrainOptions,
): Promise<void> {
  const ofBefore = new Set((await openTransactions(client)).map(({ id }) => id));
  const deadline = performance.now() + waitMs;
  while (ofBefore.size > 0) {
    const left = (await openTransactions(client)).filter(({ id }) => ofBefore.has(id));
    if (left.length === 0) return;
    if (performance.now() > deadline) {
      const named = left.slice(0, NAMED).map(({ holder }) => holder);
      const more = left.length > NAMED ? ` and ${left.length - NAMED} more` : '';
      throw new OperationError(
        'database_busy',
        `Transactions that began before the people were marked as erased are still open: ${named.join(', ')}${more}. ${whatNext}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Those that have an id, oldest first. Every role may see the ids of all sessions, but not always since when they are open. */
async function openTransactions(client: ClientBase): Promise<OpenTransaction[]> {
  const { rows } = await client.query<OpenTransaction>(
    `SELECT id::text AS id, holder FROM (
       SELECT backend_xid, format('%s (process %s)', coalesce(nullif(application_name, ''), usename), pid)
       FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_xid IS NOT NULL
       UNION ALL
       SELECT transaction, format('prepared transaction %L', gid) FROM pg_prepared_xacts WHERE database = current_database()
     ) AS open (id, holder) ORDER BY age(id) DESC`,
  );
  return rows;
}
