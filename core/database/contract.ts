import * as z from 'zod';
import { databaseName } from '../runtime/contract';

/**
 * Fields of a request that name a database, and where it is when that is not the configured place: a restored database
 * on the same server, or a recovered instance with the same credentials.
 */
export const databaseLocation = {
  database: databaseName,
  targetDatabase: z
    .string()
    .min(1)
    .optional()
    .describe('Another database on the server, such as a restored one. Default: the configured database.'),
  host: z
    .string()
    .min(1)
    .optional()
    .describe('Another server with the same credentials, such as a recovered instance. Default: the configured host.'),
  port: z.int().min(1).max(65_535).optional().describe('Port of that server. Default: the configured port.'),
};

/** The logs that an instance of RDS writes to CloudWatch: `postgresql` holds connections, slow statements and pgaudit's records. */
export const LOG_EXPORTS: readonly string[] = ['postgresql', 'upgrade'];

/**
 * Name of the log group that RDS writes a log of an instance to.
 *
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_LogAccess.Concepts.PostgreSQL.html
 */
export function exportedLogName(instanceIdentifier: string, log: string): string {
  return `/aws/rds/instance/${instanceIdentifier}/${log}`;
}

/** A server as lists and secrets name it: `host:port`. */
export function addressOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host}:${port}`;
}
