import { DatabaseError, type Client } from 'pg';
import type { DatabaseConnector } from './connector';

/**
 * SQLSTATEs that end a connection: those of the class of connection exceptions, and shutdown, crash and failover. Not 57014: a
 * statement that was cancelled, perhaps because it took too long, would only take as long again.
 */
const CONNECTION_LOST = /^(08...|57P..)$/;
/**
 * SQLSTATEs of a session without a statement that the client believes to be prepared: it does not exist (a proxy changed the
 * session behind it), or a migration changed its columns. The client would never prepare it again.
 */
const LOST_STATEMENT_CODES = new Set(['26000', '0A000']);

/**
 * One connection that outlives an invocation. It is opened at the first use and replaced when it is broken: after a freeze
 * between invocations (a frozen function misses the server's disconnect), a failover, a restart, or the loss of its prepared
 * statements.
 */
export interface ReusableConnection {
  /**
   * Runs `work`. When a connection kept from an earlier call turns out to be broken, `work` runs again on a new one: it must
   * be safe to repeat.
   */
  use<T>(work: (client: Client) => Promise<T>): Promise<T>;
  /** Ends the connection, also one that is still being opened. Calls that run fail and are not repeated. */
  close(): Promise<void>;
}

export function createReusableConnection(connector: DatabaseConnector): ReusableConnection {
  // The promise, so that a connection that is still being opened is shared, and ended, as well.
  let kept: Promise<Client> | undefined;
  let closings = 0;

  async function discard(connection: Promise<Client>): Promise<void> {
    if (kept === connection) kept = undefined;
    const client = await connection.catch(() => undefined);
    await client?.end().catch(() => undefined);
  }

  async function attempt<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const connection = (kept ??= connector.connect());
    try {
      return await work(await connection);
    } catch (error) {
      if (isBroken(error)) await discard(connection);
      throw error;
    }
  }

  return {
    async use(work) {
      const reused = kept;
      const closingsBefore = closings;
      try {
        return await attempt(work);
      } catch (error) {
        // What was closed meanwhile was given up.
        if (reused !== undefined && kept !== reused && closings === closingsBefore) return attempt(work);
        throw error;
      }
    },
    async close() {
      closings += 1;
      if (kept !== undefined) await discard(kept);
    },
  };
}

function isBroken(error: unknown): boolean {
  if (!(error instanceof DatabaseError)) return true;
  const code = error.code ?? '';
  return CONNECTION_LOST.test(code) || LOST_STATEMENT_CODES.has(code);
}
