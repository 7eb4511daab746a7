import * as z from 'zod';
import { DATABASE_NAMES } from '../contract';

/**
 * Fields of a request that name a database, and where it is when that is not the configured place: a restored database
 * on the same server, or a recovered instance with the same credentials.
 */
export const databaseLocation = {
  database: z.enum(DATABASE_NAMES, { error: `one of ${DATABASE_NAMES.join(', ')}` }),
  /** Another database on the server, such as a restored one. @default the configured database */
  targetDatabase: z.string().min(1, 'the name of a database on the server').optional(),
  /** Another server with the same credentials, such as a recovered instance. @default the configured host */
  host: z.string().min(1, 'a host name or address').optional(),
  /** @default the configured port */
  port: z.int().min(1).max(65_535).optional(),
};
