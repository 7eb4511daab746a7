import type { CacheEnvironment } from '../../core/cache/contract';
import type {
  BaseEnvironment,
  BillingDatabaseEnvironment,
  DatabaseName,
  MainDatabaseEnvironment,
} from '../../core/contract';

export interface RowRecoveryEnvironment
  extends BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment, CacheEnvironment {
  readonly ARCHIVE_BUCKET: string;
}

export const ROW_OPERATORS = ['=', '<>', '<', '<=', '>', '>=', 'in', 'like', 'is-null', 'is-not-null'] as const;
export type RowOperator = (typeof ROW_OPERATORS)[number];

/** One condition on the archived rows; several must all hold. Never SQL: values are compared as the column's type. */
export interface RowCondition {
  /** `schema.table` that it is about. @default every requested table; each must have the column */
  readonly table?: string;
  readonly column: string;
  readonly operator: RowOperator;
  /** A list for `in`, absent for `is-null` and `is-not-null`. */
  readonly value?: string | number | boolean | readonly (string | number | boolean)[];
}

/** Asks what was deleted or changed since an archive. The live tables are only read. */
export interface RowRecoveryReportRequest {
  readonly action: 'report';
  readonly database: DatabaseName;
  /** Slot of the archive (its ISO time), or `latest`. */
  readonly archive: string;
  /** With `latest`: the newest archive that was finished by this ISO time, such as a moment before the accident. */
  readonly notAfter?: string;
  /** Names as `schema.table`. */
  readonly tables: readonly string[];
  /** @default every row of the archive */
  readonly where?: readonly RowCondition[];
}

/**
 * Merges chosen rows of a report back, in one transaction. Without `confirm` it only says what it would do.
 * Rows that are there again are skipped, so asking twice changes nothing.
 */
export interface RowRecoveryMergeRequest {
  readonly action: 'merge';
  readonly database: DatabaseName;
  readonly reportId: string;
  /** Ids of the report, or all of its rows. */
  readonly choose: 'all' | readonly string[];
  /** The name of the database, `billing` or `main`, typed by whoever takes the responsibility. */
  readonly confirm?: string;
}

export type RowRecoveryRequest = RowRecoveryReportRequest | RowRecoveryMergeRequest;

/** What became of an archived row: it is gone from the live table, or the live row is another now. */
export type RowDifference = 'deleted' | 'changed';

export interface TableDifferences {
  readonly table: string;
  /** Archived rows that met the conditions. */
  readonly compared: number;
  readonly deleted: number;
  readonly changed: number;
}

/** A report in short. The rows themselves are in the bucket, one JSON object a line. */
export interface RowRecoveryReport {
  readonly reportId: string;
  readonly database: DatabaseName;
  /** ISO time that names the archive. */
  readonly slot: string;
  /** ISO time of the comparison. */
  readonly createdAt: string;
  /** In the order of merging: parents before children. */
  readonly tables: readonly TableDifferences[];
  readonly deleted: number;
  readonly changed: number;
  /**
   * Tables that were not asked for but belong to these rows: their parents, and children that are deleted along with
   * them. Ask for them too, unless they are known to be whole.
   */
  readonly related: readonly string[];
  /** Key of the rows in the archive bucket. */
  readonly rowsKey: string;
  /** Ids of the first rows, to choose from; the object at `rowsKey` has all. */
  readonly firstIds: readonly string[];
}

export interface TableMerge {
  readonly table: string;
  readonly inserted: number;
  readonly updated: number;
  /** There already: as archived, or made anew by somebody, which is left alone. */
  readonly skipped: number;
}

/** What a merge did; in a dry run, what it would do. */
export interface RowRecoveryMergeReport {
  readonly reportId: string;
  readonly database: DatabaseName;
  readonly dryRun: boolean;
  readonly tables: readonly TableMerge[];
  readonly inserted: number;
  readonly updated: number;
  readonly skipped: number;
  /** Rows that were changed or deleted since the report was made, at most 20. They make a confirmed merge refuse. */
  readonly conflicts: readonly string[];
  /**
   * Users whose entitlements in a project changed, because they were computed again from the merged rows; 0 in a dry
   * run. Rules that were merged hold for what changes from then on: recompute the scope `all` by the function
   * `entitlements` after merging any.
   */
  readonly entitlementsChanged: number;
}

/** Folder of reports and merges in the archive bucket: `row-recovery/<database>/<report id>/`. */
export const ROW_RECOVERY_PREFIX = 'row-recovery/';

export const ROW_RECOVERY_METRICS = {
  succeeded: 'RowRecoverySucceeded',
  failed: 'RowRecoveryFailed',
  /** Rows that confirmed merges brought back. */
  mergedRows: 'RowRecoveryMergedRows',
} as const;
