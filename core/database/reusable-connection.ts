import { DatabaseError, type Client } from 'pg';
import { OperationError, messageOf } from '../runtime/errors';
import { type DatabaseConnector, wasLost } from './connector';

/**
 * SQLSTATEs that end a connection: those of the class of connection exceptions, and shutdown, crash and failover. Not 57014: a
 * statement that was cancelled, perhaps because it took too long, would only take as long again. 25006 is the answer of a server
 * that takes no writes any more, since the database moved to another one, or another one took over.
 */
const CONNECTION_LOST = /^(08...|57P..|25006)$/;
/**
 * SQLSTATEs of a session without a statement that the client believes to be prepared: it does not exist (a proxy changed the
 * session behind it), or a migration changed its columns. The client would never prepare it again.
 */
const LOST_STATEMENT_CODES = new Set(['26000', '0A000']);

/**
 * Attempts of one call that loses its connection. A new connection may be lost like one that was kept: terminated by an
 * administrator, or by a proxy that fails over. Fewer fail a batch of the queue, which comes back only after its visibility
 * timeout of three minutes; more help only against a server that ends every session, and take the time of the function.
 */
const MAX_ATTEMPTS = 3;

/** The connection was lost while it was in use, as often as the call was attempted. */
export class ConnectionLostError extends OperationError {
  constructor(cause: unknown) {
    super('database_unavailable', `The connection to the database was lost: ${messageOf(cause)}`, { cause });
  }
}

/**
 * One connection that outlives an invocation. It is opened at the first use and replaced when it is broken: after a freeze
 * between invocations (a frozen function misses the server's disconnect), a failover, a restart, or the loss of its prepared
 * statements.
 */
export interface ReusableConnection {
  /**
   * Runs `work`. When its connection is lost, or one kept from an earlier call turns out to be broken, `work` runs again on a
   * new one: it must be safe to repeat. A connection that cannot be opened is not tried again.
   *
   * @throws ConnectionLostError (`database_unavailable`, retryable) when every attempt lost its connection; what the connector or
   * `work` throws
   */
  use<T>(work: (client: Client) => Promise<T>): Promise<T>;
  /** Ends the connection, also one that is still being opened. Calls that run fail and are not repeated. */
  close(): Promise<void>;
}

export function createReusableConnection(connector: DatabaseConnector): ReusableConnection {
  // The promise, so that a connection that is still being opened is shared, and ended, as well.
  let kept: Promise<Client> | undefined;
  let closings = 0;
  /** Whether the last connection broke: the database may be elsewhere by now, which only the current secret says. */
  let broke = false;

  async function discard(connection: Promise<Client>): Promise<void> {
    if (kept === connection) kept = undefined;
    const client = await connection.catch(() => undefined);
    await client?.end().catch(() => undefined);
  }

  async function attempt<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const connection = (kept ??= broke ? connector.connect(undefined, 'current') : connector.connect());
    let client: Client | undefined;
    try {
      client = await connection;
      broke = false;
      return await work(client);
    } catch (error) {
      if (isBroken(error)) {
        broke = true;
        await discard(connection);
      }
      throw client !== undefined && isLoss(error, client) ? new ConnectionLostError(error) : error;
    }
  }

  return {
    async use(work) {
      const closingsBefore = closings;
      for (let attempts = 1; ; attempts += 1) {
        const reused = kept;
        try {
          return await attempt(work);
        } catch (error) {
          const isReplaceable = error instanceof ConnectionLostError || (reused !== undefined && kept !== reused);
          // What was closed meanwhile was given up.
          if (!isReplaceable || attempts === MAX_ATTEMPTS || closings !== closingsBefore) throw error;
        }
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

/** Whether an error of work with a connection is the loss of that connection. The driver has no class or code for it. */
function isLoss(error: unknown, client: Client): boolean {
  return error instanceof DatabaseError ? CONNECTION_LOST.test(error.code ?? '') : wasLost(client);
}
