import { createClient } from '@redis/client';
import { messageOf } from '../runtime/errors';
import { connectToken } from './connect-token';

/**
 * Milliseconds that one use of the cache may take, including the connection. A healthy cache answers in about one. Higher
 * makes the caller wait for an answer that the database has; lower gives up during an ordinary hiccup.
 */
const DEADLINE_MS = 200;
/**
 * Milliseconds for which a cache that did not answer is not used again. Without the pause every request would wait for the
 * deadline, and all functions would reconnect at once when the cache is back.
 */
const PAUSE_MS = 5_000;

type RedisClient = ReturnType<typeof createClient>;

/** The commands in use; each has a single key, so a clustered cache accepts them too. */
export interface CacheCommands {
  get(key: string): Promise<string | null>;
  evaluate(script: string, key: string, values: readonly string[]): Promise<unknown>;
}

/** A cache that may be unavailable: no use of it throws or takes long. */
export interface Cache {
  /** @returns what `work` returns, or `undefined` when the cache did not answer in time */
  use<T>(work: (commands: CacheCommands) => Promise<T>): Promise<T | undefined>;
  close(): void;
}

export interface CacheOptions {
  /** `rediss://host:port` (TLS) or `redis://host:port`, with `user@` where the cache knows its users by IAM; empty for none. */
  readonly url: string;
  /** Called with the reason whenever the cache did not answer; not during the pause after that. */
  readonly onUnavailable: (reason: string) => void;
  /** Milliseconds that one use may take, including the connection. @default 200 */
  readonly deadlineMs?: number;
  /** Milliseconds; only differences count. @default performance.now */
  readonly clock?: () => number;
}

/**
 * One connection to Valkey or Redis that outlives an invocation, opened at the first use. A kept connection that turns out to
 * be broken – a frozen function misses the server's disconnect – is replaced within the same deadline.
 */
export function createCache({
  url,
  onUnavailable,
  deadlineMs = DEADLINE_MS,
  clock = () => performance.now(),
}: CacheOptions): Cache {
  let kept: Promise<RedisClient> | undefined;
  let pausedUntil = -Infinity;

  function discard(): void {
    const connecting = kept;
    kept = undefined;
    connecting?.then(
      (client) => client.isOpen && client.destroy(),
      () => undefined,
    );
  }

  async function attempt<T>(work: (commands: CacheCommands) => Promise<T>, overdue: () => boolean): Promise<T> {
    const reused = kept !== undefined;
    const connection = (kept ??= connect(url, deadlineMs));
    try {
      return await work(commandsOf(await connection));
    } catch (error) {
      if (kept === connection) discard();
      if (reused && !overdue()) return attempt(work, overdue);
      throw error;
    }
  }

  return {
    async use(work) {
      if (url === '' || clock() < pausedUntil) return undefined;
      let timer: NodeJS.Timeout | undefined;
      let late = false;
      const deadline = new Promise<never>((_, reject) => {
        timer = setTimeout(() => {
          late = true;
          reject(new Error(`no answer within ${deadlineMs} ms`));
        }, deadlineMs);
      });
      try {
        return await Promise.race([attempt(work, () => late), deadline]);
      } catch (error) {
        discard();
        pausedUntil = clock() + PAUSE_MS;
        onUnavailable(messageOf(error));
        return undefined;
      } finally {
        clearTimeout(timer);
      }
    },
    close: discard,
  };
}

async function connect(url: string, deadlineMs: number): Promise<RedisClient> {
  const address = new URL(url);
  const { username } = address;
  address.username = '';
  const client: RedisClient = createClient({
    url: address.href,
    // A token for each connection: it expires, and the connection outlives it.
    ...(username === '' ? {} : { username, password: await connectToken(username, new Date()) }),
    // Commands that cannot be sent now fail now.
    disableOfflineQueue: true,
    socket: { connectTimeout: deadlineMs, reconnectStrategy: false },
  });
  // A connection lost between two commands surfaces at the next one; without a listener it would end the process.
  client.on('error', () => undefined);
  // A server that accepts the connection and never answers would leave this pending, and its socket open, for ever.
  const deadline = setTimeout(() => client.destroy(), deadlineMs);
  try {
    await client.connect();
    return client;
  } finally {
    clearTimeout(deadline);
  }
}

function commandsOf(client: RedisClient): CacheCommands {
  return {
    get: (key) => client.get(key),
    evaluate: (script, key, values) => client.eval(script, { keys: [key], arguments: [...values] }),
  };
}
