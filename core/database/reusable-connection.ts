import { DatabaseError, type Client } from 'pg';
import type { DatabaseConnector } from './connector';

/** Classes of SQLSTATE that end a connection: connection exception, operator intervention (shutdown, failover). */
const CONNECTION_ERROR_CLASSES = new Set(['08', '57']);
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
  close(): Promise<void>;
}

export function createReusableConnection(connector: DatabaseConnector): ReusableConnection {
  let kept: Client | undefined;

  async function discard(): Promise<void> {
    const client = kept;
    kept = undefined;
    await client?.end().catch(() => undefined);
  }

  async function attempt<T>(work: (client: Client) => Promise<T>): Promise<T> {
    kept ??= await connector.connect();
    try {
      return await work(kept);
    } catch (error) {
      if (isBroken(error)) await discard();
      throw error;
    }
  }

  return {
    async use(work) {
      const reused = kept !== undefined;
      try {
        return await attempt(work);
      } catch (error) {
        if (reused && kept === undefined) return attempt(work);
        throw error;
      }
    },
    close: discard,
  };
}

function isBroken(error: unknown): boolean {
  if (!(error instanceof DatabaseError)) return true;
  const code = error.code ?? '';
  return CONNECTION_ERROR_CLASSES.has(code.slice(0, 2)) || LOST_STATEMENT_CODES.has(code);
}
