import * as z from 'zod';
import { databaseName, isoTime } from '../runtime/contract';

/** Prefix in the archive bucket that the export role writes to, outside of the archives. */
export const EXPORT_PREFIX = 'exports/';

const archiveForm = 'expected `latest`, or the ISO 8601 time of an archive such as 2026-11-21T06:00:00Z';

/** Fields of a request that choose an archive of a database. */
export const archiveChoice = {
  database: databaseName,
  archive: z
    .union([z.literal('latest'), z.iso.datetime({ offset: true, error: archiveForm })], { error: archiveForm })
    .describe('The archive: `latest`, or the ISO time that names it.'),
  notAfter: isoTime
    .optional()
    .describe(
      'With `latest`: the newest archive that was finished by this ISO time. Archives are hours apart; for the exact second, have RDS restore the instance to that time. Default: now.',
    ),
};

/** Id of the rule by which S3 copies archives to another region, in its metrics. */
export const REPLICATION_RULE = 'second-region';
