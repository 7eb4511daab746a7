import * as z from 'zod';

/**
 * What every function and its construct agree on. Imported by `lib/` as well as by the handlers, so it
 * imports only zod: no SDK, no AWS CDK.
 */

/** The two databases of the platform. Each has its own instance, credentials, backup policy and migrations. */
export const DATABASE_NAMES = ['billing', 'main'] as const;
export type DatabaseName = (typeof DATABASE_NAMES)[number];

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
}

/** CloudWatch namespace of every metric that the functions emit. */
export const METRIC_NAMESPACE = 'BillingOperations';

/** Dimensions that every metric carries: the environment, and the function's stem as `service`. */
export interface MetricDimensions {
  readonly environment: string;
  readonly service: string;
}

/** Variables that every function gets, whatever it does. */
export interface BaseEnvironment {
  /** `dev`, `staging`, `production`, `rehearsal` or `local`; becomes the `environment` dimension of every metric. */
  readonly ENVIRONMENT_NAME: string;
  /** `DEBUG`, `INFO`, `WARN` or `ERROR`. */
  readonly LOG_LEVEL: string;
}

/** How a function reaches the billing database. The secret holds JSON with `username` and `password`. */
export interface BillingDatabaseEnvironment {
  readonly BILLING_DATABASE_HOST: string;
  readonly BILLING_DATABASE_PORT: string;
  readonly BILLING_DATABASE_NAME: string;
  readonly BILLING_DATABASE_SECRET_ARN: string;
}

/** A function that reads from Stripe and stores what it finds in the billing database, as the processor does. */
export interface StripeFunctionEnvironment extends BaseEnvironment, BillingDatabaseEnvironment {
  /** Secret with JSON `{"apiKey": "rk_…"}`. */
  readonly STRIPE_API_SECRET_ARN: string;
  /** Base URL of the Stripe API, `https://api.stripe.com` unless a stand-in serves it. */
  readonly STRIPE_API_BASE: string;
  /** `true` when the environment is about live events, `false` for test events; a key of the other kind is refused. */
  readonly LIVEMODE: string;
  /** The app that objects belong to whose metadata names none; the same as the processor's. @default none */
  readonly DEFAULT_APP_ID?: string;
  /** The project that objects belong to whose metadata names none; the same as the processor's. @default none */
  readonly DEFAULT_PROJECT_ID?: string;
}

/** How a function reaches the main database. The secret holds JSON with `username` and `password`. */
export interface MainDatabaseEnvironment {
  readonly MAIN_DATABASE_HOST: string;
  readonly MAIN_DATABASE_PORT: string;
  readonly MAIN_DATABASE_NAME: string;
  readonly MAIN_DATABASE_SECRET_ARN: string;
}
