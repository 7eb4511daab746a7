import * as z from 'zod';
import { addressOf } from './contract';

/** Another server that a database is on now, and who logs in there. */
const place = z.object({
  host: z.string().min(1),
  port: z.int().min(1).max(65_535),
  database: z.string().min(1),
  username: z.string().min(1),
  password: z.string().min(1),
});

/**
 * The field `move` of a database's secret, which `ops move` writes: all functions read the secret, so that all find another
 * server within seconds and without a deployment. Absent where the database is where the configuration says.
 */
export const secretMove = z.object({
  /** `moving`: writes pause for seconds, and a new connection that finds them refused waits. */
  state: z.enum(['moving', 'moved']),
  /** Addresses, `host:port`, that this is about. Another server with the same credentials is not redirected. */
  from: z.array(z.string()),
  /** Where the database is. Absent while it is still at the configured address. */
  to: place.optional(),
});
export type SecretMove = z.infer<typeof secretMove>;

/** What an error ends in, and the comment of a database, on a server that a move has refuse all writes. */
export const NO_WRITES = ': this server takes no writes';

/** Where a connection goes, and as whom. */
export type Place = z.infer<typeof place>;

/** Whether a move is about the server at this address. */
export function concerns(move: SecretMove | undefined, at: Pick<Place, 'host' | 'port'>): move is SecretMove {
  return move?.from.includes(addressOf(at)) ?? false;
}
