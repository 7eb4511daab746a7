import { DatabaseError, type Client } from 'pg';
import type { DatabaseConnector } from './connector';

/** Classes of SQLSTATE that end a connection: connection exception, operator intervention (shutdown, failover). */
const CONNECTION_ERROR_CLASSES = new Set(['08', '57']);
/**
 * SQLSTATEs of a session that lost what the client believes to be prepared in it: a statement that is not there (a proxy
 * changed the session behind it), and one whose columns a migration changed. The client never prepares it again.
 */
const LOST_STATEMENT_CODES = new Set(['26000', '0A000']);

/**
 * One connection that outlives an invocation. It is opened when first needed and replaced when it broke, as it does
 * between invocations (a frozen function misses the server's goodbye), in a failover, after a restart, or when what was
 * prepared in it is lost.
 */
export interface ReusableConnection {
  /**
   * Runs `work`. When a connection left over from an earlier call turns out to be broken, `work` runs once more on a new
   * one: it must be safe to repeat.
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
