import { ARCHIVE_SHARE, PRICES } from './costs';

/** MB/s that one connection copies, compresses and uploads: half of what two reach in `docs/benchmarks.md`. */
export const CONNECTION_MB_PER_SECOND = 125;
/** What the table assumes: the class of the instance, how many times `m7g.large` it is, and its lasting rate of disk. */
export const READER = { instanceClass: 'm7g.4xlarge', larges: 8, diskMbPerSecond: 625, concurrentParts: 8 } as const;
/** The same without settings, for an instance in use of class `m7g.large`. */
export const DEFAULT_READER = {
  instanceClass: 'm7g.large',
  larges: 1,
  diskMbPerSecond: 78,
  concurrentParts: 4,
} as const;
/** Of the rate that is planned with: a restored disk loads from S3 as it is read, and no rate of that is documented. */
export const PLANNED_SHARE = 0.5;
/** From the request to an instance that answers. */
export const RESTORE_HOURS = 0.5;

const GIB_PER_FUNCTION = 3538 / 1024;
const PART_MB = 1_074;
const UPLOAD_PART_MB = 6.29;
const TRANSITIONS_PER_PART = 3;
const HOURS_PER_MONTH = 730;

type Reader = typeof READER | typeof DEFAULT_READER;

/** MB/s that an archive is planned with. */
export function plannedRate({ concurrentParts, diskMbPerSecond }: Reader = READER): number {
  return Math.min(concurrentParts * CONNECTION_MB_PER_SECOND, diskMbPerSecond) * PLANNED_SHARE;
}

/** What one archive of a database of so many GB takes, in hours and dollars. */
export interface LargeArchiveCosts {
  readonly parts: number;
  readonly hours: number;
  readonly instance: number;
  readonly functions: number;
  readonly requests: number;
  /** A month of the archive in S3. */
  readonly keptMonth: number;
}

export function largeArchiveCosts(sizeGb: number, reader: Reader = READER): LargeArchiveCosts {
  const copySeconds = (sizeGb * 1000) / plannedRate(reader);
  const hours = RESTORE_HOURS + copySeconds / 3600;
  const sizeGiB = sizeGb / 1.074;
  const parts = Math.ceil((sizeGb * 1000) / PART_MB);
  const hourly = (PRICES.instanceHour['m7g.large'] ?? 0) * reader.larges;
  const uploads = (sizeGb * 1000 * ARCHIVE_SHARE) / UPLOAD_PART_MB;
  return {
    parts,
    hours,
    instance: hours * (hourly + (sizeGiB * PRICES.storageGiBMonth) / HOURS_PER_MONTH),
    functions: reader.concurrentParts * copySeconds * GIB_PER_FUNCTION * PRICES.functionGiBSecond,
    requests:
      ((uploads + 3 * parts) * PRICES.thousandObjectWrites +
        TRANSITIONS_PER_PART * parts * PRICES.thousandStateTransitions) /
      1000,
    keptMonth: sizeGiB * ARCHIVE_SHARE * PRICES.objectGiBMonth,
  };
}

/** MB/s of COPY text that one connection restores, indexes included: half of what two reach in `docs/benchmarks.md`. */
export const RESTORING_MB_PER_SECOND = 66;
/** Bytes that the disk writes for one of COPY text: the table, its indexes, and the log of both. */
export const WRITES_PER_BYTE = 3;

/** MB/s that a restore is planned with. */
export function plannedRestoreRate({ concurrentParts, diskMbPerSecond }: Reader = READER): number {
  return Math.min(concurrentParts * RESTORING_MB_PER_SECOND, diskMbPerSecond / WRITES_PER_BYTE) * PLANNED_SHARE;
}

/** What one restore of an archive of so many GB takes, in hours and dollars, on an instance that is there anyway. */
export interface LargeRestoreCosts {
  readonly calls: number;
  readonly hours: number;
  readonly functions: number;
  readonly transitions: number;
  /** A month of disk for the restored database. */
  readonly keptMonth: number;
}

export function largeRestoreCosts(sizeGb: number, reader: Reader = READER): LargeRestoreCosts {
  const seconds = (sizeGb * 1000) / plannedRestoreRate(reader);
  const calls = Math.ceil((sizeGb * 1000) / PART_MB);
  return {
    calls,
    hours: seconds / 3600,
    functions: reader.concurrentParts * seconds * GIB_PER_FUNCTION * PRICES.functionGiBSecond,
    transitions: (TRANSITIONS_PER_PART * calls * PRICES.thousandStateTransitions) / 1000,
    keptMonth: (sizeGb / 1.074) * PRICES.storageGiBMonth,
  };
}
