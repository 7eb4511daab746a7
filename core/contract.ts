/**
 * What every function and its construct agree on. Imported by `lib/` as well as by the handlers, so it
 * imports nothing: no SDK, no AWS CDK.
 */

/** The two databases of the platform. Each has its own instance, credentials, backup policy and migrations. */
export const DATABASE_NAMES = ['billing', 'main'] as const;
export type DatabaseName = (typeof DATABASE_NAMES)[number];

/**
 * Form of an environment's name. It is part of names that AWS limits, such as that of a bucket, which has 63 characters with
 * account and region.
 */
export const ENVIRONMENT_NAME = /^(?=.{1,14}$)[a-z][a-z0-9]*(-[a-z0-9]+)*$/;

/** The environment that `npm start` runs on this machine. */
export const LOCAL_ENVIRONMENT = 'local';

/** Folder, at the top of the repository, with one file for each deployed environment, which is named after it. */
export const ENVIRONMENT_FOLDER = 'environments';
/** Endings of these files. JSON is read as the YAML that it is. */
export const ENVIRONMENT_FILE = /^([^.]+)\.(?:ya?ml|json)$/;

/** Complete name of a function. Callers and alarms need only this name. */
export function functionName(environmentName: string, stem: string): string {
  return `BillingOps-${environmentName}-${stem}`;
}

/** Alias by which the API invokes the functions that it asks. Its role may invoke nothing but these aliases. */
export const API_ALIAS = 'api';

/** Complete name of the failure queue of an asynchronous function. */
export function failureQueueName(environmentName: string, stem: string): string {
  return `${functionName(environmentName, stem)}-failures`;
}

/** Complete name of the dashboard of everything, or of the short one for the night. */
export function dashboardName(environmentName: string, dashboard: 'overview' | 'night'): string {
  return functionName(environmentName, dashboard);
}

/** Name of the workflow that recovers the instance of a database. */
export function recoveryWorkflowName(environmentName: string, database: DatabaseName): string {
  return functionName(environmentName, `recover-${database}`);
}

/** Name of the workflow that compares the rows of a database with those of a moment. */
export function rowWorkflowName(environmentName: string, database: DatabaseName): string {
  return functionName(environmentName, `rows-${database}`);
}

/** Name of the workflow that rehearses the recovery of the instance of a database. */
export function drillWorkflowName(environmentName: string, database: DatabaseName): string {
  return functionName(environmentName, `instance-drill-${database}`);
}

/** Name of the workflow that archives a database which is too large for one call of a function. */
export function archiveWorkflowName(environmentName: string, database: DatabaseName): string {
  return functionName(environmentName, `archive-${database}`);
}

/** Name of the workflow that restores an archive which is too large for one call of a function. */
export function restoreWorkflowName(environmentName: string, database: DatabaseName): string {
  return functionName(environmentName, `restore-${database}`);
}

/** Beginning of the names of its executions that drill. No database that a restore may be asked for has a hyphen. */
export const DRILL_EXECUTION = 'drill-';

/** Who makes the tables of a database: the migrations of this repository, or another tool, such as an ORM's. */
export type DatabaseManagement = 'here' | 'elsewhere';

/** Days between two runs of each task of maintenance that a schedule starts. */
export const MAINTENANCE_PERIOD_DAYS = {
  sizes: 7,
  vacuum: 7,
  indexes: 31,
  cards: 31,
  logs: 7,
  residency: 7,
  report: 31,
} as const;
/** Those that are about no one database, and recorded in billing. */
const OF_NO_DATABASE: readonly string[] = ['logs', 'residency', 'report'];

/** The tasks of maintenance that a schedule starts on a database, with the days between two runs. */
export function maintenancePeriods(database: string): [task: keyof typeof MAINTENANCE_PERIOD_DAYS, days: number][] {
  const tasks = Object.entries(MAINTENANCE_PERIOD_DAYS) as [keyof typeof MAINTENANCE_PERIOD_DAYS, number][];
  return tasks.filter(([task]) => database === 'billing' || !OF_NO_DATABASE.includes(task));
}

/** Days after which a task of maintenance that is due is missing: a start that failed on a weekend is seen on the Tuesday. */
export const MAINTENANCE_GRACE_DAYS = 2;

/** Folder of the migrations of a database that another tool manages: what this platform keeps beside its tables. */
export const ADOPTED_MIGRATIONS = 'adopted';

/**
 * Hours after which a job that is due is missing: for its start, its run and a retry. Fewer page for a retry; more hide a
 * missing backup for longer.
 */
export const GRACE_HOURS = 2;
/** Drills are monthly: the longest month, and a long weekend to look into one that did not start. */
export const DRILL_LIMIT_DAYS = 35;
/** Hours from which a complete reconciliation is too old: it is daily. */
export const RECONCILIATION_LIMIT_HOURS = 24 + GRACE_HOURS;
/**
 * Minutes from which the last success of a job is too old, of the jobs that record it themselves: runs in a row that did not
 * succeed, or a daily one and its grace. Fewer page for a retry.
 */
export const RECORDED_JOB_LIMIT_MINUTES = {
  collector: 15,
  refresh: 5,
  cleanup: (24 + GRACE_HOURS) * 60,
  /** Only where payments in bitcoin are taken. */
  confirmations: 15,
} as const;
export type RecordedJob = keyof typeof RECORDED_JOB_LIMIT_MINUTES;
/** CloudWatch namespace of every metric that the functions emit. */
export const METRIC_NAMESPACE = 'BillingOperations';

/** Dimensions that every metric carries: the environment, and the function's stem as `service`. */
export interface MetricDimensions {
  readonly environment: string;
  readonly service: string;
}

/** Variables that every function gets, whatever it does. */
export interface BaseEnvironment {
  /** Such as `production` or `local`; becomes the `environment` dimension of every metric. */
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

/** What a function has that reads from Tilled as well; left out where the environment takes no Tilled. */
export interface TilledApiEnvironment {
  /** Secret with JSON `{"apiKey": "sk_…", "accounts": ["acct_…"]}`. */
  readonly TILLED_API_SECRET_ARN?: string;
  /** Base URL of the Tilled API, of live or of test payments, unless a stand-in serves it. */
  readonly TILLED_API_BASE?: string;
}

/** How a function reaches the main database. The secret holds JSON with `username` and `password`. */
export interface MainDatabaseEnvironment {
  readonly MAIN_DATABASE_HOST: string;
  readonly MAIN_DATABASE_PORT: string;
  readonly MAIN_DATABASE_NAME: string;
  readonly MAIN_DATABASE_SECRET_ARN: string;
  /** Who makes its tables: the migrations of this repository, or another tool. @default here */
  readonly MAIN_DATABASE_MANAGED?: DatabaseManagement;
}

/**
 * Whether a status looked up a subject, such as `archives of billing`: its problems begin with the subject and a colon. What was
 * not looked up is null there, as what there is none of is.
 */
export const isLookedUp = (problems: readonly string[], subject: string): boolean =>
  !problems.some((problem) => problem.startsWith(`${subject}: `));
