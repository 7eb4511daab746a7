import * as z from 'zod';
import { DATABASE_NAMES } from '../contract';

/** The field `database` of a request. */
export const databaseName = z.enum(DATABASE_NAMES).describe('The database: `billing` or `main`.');

/** A point in time in a request or a report. */
export const isoTime = z.iso.datetime({ offset: true });

/** The field `dryRun` of every request that may change live data: dry unless the caller says otherwise. */
export const dryRun = z
  .boolean()
  .default(true)
  .describe('`true` reports what would be done and changes nothing; only `false` changes anything.');

/**
 * What a request does to live data: `reads` changes nothing; `adds` makes something new beside it, such as an archive or
 * a database; `changes` changes it, and only with `dryRun: false` or the typed name of the database in `confirm`.
 */
export type Effect = 'reads' | 'adds' | 'changes';

/** What a function may be asked, what it answers, and what that does to live data. */
export interface OperationContract {
  readonly request: z.ZodType<object>;
  readonly report: z.ZodType<object>;
  /** Of the whole function, or by the `action` of the request. */
  readonly effect: Effect | Readonly<Record<string, Effect>>;
  /**
   * What a caller may ask whom IAM lets invoke an alias only, by the name of the alias: a narrower form of the request.
   *
   * @default - nothing is answered through an alias
   */
  readonly aliases?: Readonly<Record<string, z.ZodType<object>>>;
}
