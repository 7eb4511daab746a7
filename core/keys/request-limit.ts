import { DatabaseError, type ClientBase } from 'pg';

/**
 * Requests that an instance takes of a key's minute at once. Lower writes more often; higher leaves more of the minute with
 * instances that do not use it: each may keep this many.
 */
export const REQUESTS_TAKEN_AT_ONCE = 100;

/** SQLSTATEs of the time between a deployment and its migrations: the table is not there, or not granted. */
const NOT_MIGRATED = new Set(['42P01', '42501']);

/** How many requests a key still has in its minute. */
interface Share {
  /** Of those that this instance took. */
  left: number;
  /** Milliseconds of the clock of this instance at which the minute ends. */
  readonly endsAtMs: number;
}

/** Whether the request of a key is within its limit. */
export interface RequestLimit {
  /**
   * Counts a request.
   *
   * @returns seconds after which the key has requests again; undefined when this one is within its limit
   * @throws the database's error
   */
  count(keyId: string): Promise<number | undefined>;
}

export interface RequestLimitDependencies {
  /** Runs `work` with a connection to the billing database. It may run twice: what is then taken twice is lost to the key. */
  readonly use: <T>(work: (client: ClientBase) => Promise<T>) => Promise<T>;
  readonly clock: () => Date;
  /** Requests that a key has in a minute of the clock, however many instances answer them. Taken by the hundred. */
  readonly maxPerMinute: number;
}

/**
 * A limit that all instances share: each takes requests of a key's minute from the database by the hundred, so that not every
 * request writes. What is remembered of a key ends with its minute.
 */
export function createRequestLimit({ use, clock, maxPerMinute }: RequestLimitDependencies): RequestLimit {
  const shares = new Map<string, Promise<Share>>();

  const take = async (keyId: string): Promise<Share> => {
    // From before the question: an answer that took long leaves less of the minute.
    const askedAtMs = clock().getTime();
    const { taken, secondsLeft } = await use((client) => takeRequests(client, keyId, maxPerMinute)).catch(unlimited);
    return { left: taken, endsAtMs: askedAtMs + secondsLeft * 1_000 };
  };

  /** Requests of a key that come at the same time wait for one and the same share. */
  const shareOf = (keyId: string): Promise<Share> => {
    const taking = take(keyId);
    shares.set(keyId, taking);
    taking.catch(() => {
      if (shares.get(keyId) === taking) shares.delete(keyId);
    });
    return taking;
  };

  return {
    async count(keyId) {
      for (;;) {
        const known = shares.get(keyId) ?? shareOf(keyId);
        const share = await known;
        const secondsLeft = (share.endsAtMs - clock().getTime()) / 1_000;
        if (share.left > 0 && secondsLeft > 0) {
          share.left -= 1;
          return undefined;
        }
        // Nothing was there to take: the database need not be asked again before the next minute.
        if (share.left < 0 && secondsLeft > 0) return Math.ceil(secondsLeft);
        if (shares.get(keyId) === known) shares.delete(keyId);
      }
    },
  };
}

/** Without its table the limit cannot be kept; refusing every request until the migration is applied would be worse. */
function unlimited(error: unknown): { readonly taken: number; readonly secondsLeft: number } {
  if (error instanceof DatabaseError && NOT_MIGRATED.has(error.code ?? '')) return { taken: Infinity, secondsLeft: 60 };
  throw error;
}

/** @returns `taken` −1 where the minute has none left */
async function takeRequests(
  client: ClientBase,
  keyId: string,
  maxPerMinute: number,
): Promise<{ readonly taken: number; readonly secondsLeft: number }> {
  const { rows } = await client.query<{ taken: boolean; seconds_left: number }>({
    name: 'take_requests_of_api_key',
    text: `WITH taking AS (
             INSERT INTO billing.api_key_requests AS known (key_id, minute, taken)
             VALUES ($1, date_trunc('minute', now()), $2)
             ON CONFLICT (key_id) DO UPDATE SET minute = excluded.minute,
               taken = CASE WHEN known.minute = excluded.minute THEN known.taken ELSE 0 END + excluded.taken
             WHERE known.minute < excluded.minute OR (known.minute = excluded.minute AND known.taken + excluded.taken <= $3)
             RETURNING taken
           )
           SELECT EXISTS (SELECT FROM taking) AS taken,
             (60 - extract(second FROM now()))::float8 AS seconds_left`,
    values: [keyId, REQUESTS_TAKEN_AT_ONCE, maxPerMinute],
  });
  const [row] = rows;
  return { taken: row?.taken ? REQUESTS_TAKEN_AT_ONCE : -1, secondsLeft: row?.seconds_left ?? 60 };
}
