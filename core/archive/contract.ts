import * as z from 'zod';
import { databaseName, isoTime } from '../runtime/contract';

/** Prefix in the archive bucket that the export role writes to, outside of the archives. */
export const EXPORT_PREFIX = 'exports/';

/** Variables of a function that reads or writes archives. */
export interface ArchiveEnvironment {
  readonly ARCHIVE_BUCKET: string;
  /** Key of KMS that signs manifests: the backup signs, the others read its public half. */
  readonly ARCHIVE_SIGNING_KEY_ARN: string;
}

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
  manifestSha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'expected 64 hexadecimal digits, as `sha256sum manifest.json` prints them')
    .optional()
    .describe(
      'With a named archive: SHA-256 of its manifest, which a person has checked. For an archive without a signature of this environment: of before archives were signed, or of another region. Default: the manifest has to be signed.',
    ),
};

/** Id of the rule by which S3 copies archives to another region, in its metrics. */
export const REPLICATION_RULE = 'second-region';
/** Id of the rule by which S3 copies them to another account. */
export const ACCOUNT_RULE = 'backup-account';

/** Of a manifest. */
export const signatureState = z
  .enum(['valid', 'missing', 'invalid'])
  .describe(
    '`valid`: a backup of this environment wrote the manifest. `missing`: it was written before archives were signed, or by another program. `invalid`: it is not what the backup signed.',
  );
export type SignatureState = z.infer<typeof signatureState>;

/** Folder of reports and merges of row recovery in the archive bucket: `row-recovery/<database>/<report id>/`. */
export const ROW_RECOVERY_PREFIX = 'row-recovery/';
