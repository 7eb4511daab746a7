import type { DatabaseName } from '../contract';
import type { FunctionLogin, PersonAccess } from './contract';
import { PERSONAL_COLUMNS } from './personal-columns';

/** What a role may do to a table. An empty list gives no access at all: the other privileges need SELECT. */
export type TablePrivilege = 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE';

const READ: readonly TablePrivilege[] = ['SELECT'];
const WRITE: readonly TablePrivilege[] = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'];
/** A ledger: what is recorded stays. */
const APPEND: readonly TablePrivilege[] = ['SELECT', 'INSERT'];

/** A role without a login, which people and functions are members of. It owns nothing and may create nothing. */
export interface GroupPolicy {
  readonly name: string;
  /** What it is for, as `\du+` and the matrix show it. */
  readonly purpose: string;
  /** What it may do to a table that is not named in {@link exceptions}, and to every table that a migration adds. */
  readonly tables: readonly TablePrivilege[];
  /** The privileges on these tables, `schema.table` or `schema.*`, in the place of {@link tables}. */
  readonly exceptions: Readonly<Record<string, readonly TablePrivilege[]>>;
  /** Whether it sees columns with personal data and digests. */
  readonly seesPersonalData: boolean;
  /** Of these columns, by `schema.table`, those that it reads although it does not see them in general. */
  readonly needs: Readonly<Record<string, readonly string[]>>;
  /** Whether it may move sequences and call the functions of the schemas; otherwise it reads where sequences stand. */
  readonly writes: boolean;
  /** Schemas of extensions whose views it reads. */
  readonly uses: readonly string[];
  /** Roles that it is a member of: its own groups, and what PostgreSQL predefines. */
  readonly memberOf: readonly string[];
}

/**
 * Limits of a login. PostgreSQL applies settings of the role that connects, not of those that it is a member of, so each login
 * carries them. Higher lets one runaway statement hold back vacuum and other sessions; lower ends work that is only slow.
 */
export interface LoginLimits {
  readonly connections: number;
  readonly statementTimeoutMs: number;
  readonly lockTimeoutMs: number;
  readonly idleInTransactionTimeoutMs: number;
  /** Of a session that does nothing. 0 keeps it: functions keep one between two invocations. */
  readonly idleSessionTimeoutMs: number;
  readonly readOnly: boolean;
}

/** A pair of users that functions log in as, whose password changes every 90 days: `name` and `name_clone`, one after the other. */
export interface LoginPolicy {
  readonly name: string;
  readonly memberOf: readonly string[];
  readonly limits: LoginLimits;
}

/** Second user of a pair, by the name that AWS's rotation gives it. */
export const CLONE_SUFFIX = '_clone';

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** Sessions of functions: the timeouts of the server, and a wait for a lock that ends before the function does. */
const FUNCTION_LIMITS = {
  statementTimeoutMs: MINUTE,
  lockTimeoutMs: 20 * SECOND,
  idleInTransactionTimeoutMs: 5 * MINUTE,
  idleSessionTimeoutMs: 0,
} as const;

/** Sessions of people: what they leave open ends by itself, and they never wait long in front of the application. */
export const PERSON_LIMITS: Readonly<Record<PersonAccess, LoginLimits>> = {
  readonly: {
    connections: 5,
    statementTimeoutMs: 5 * MINUTE,
    lockTimeoutMs: 2 * SECOND,
    idleInTransactionTimeoutMs: MINUTE,
    idleSessionTimeoutMs: 30 * MINUTE,
    readOnly: true,
  },
  service: {
    connections: 2,
    statementTimeoutMs: MINUTE,
    lockTimeoutMs: 2 * SECOND,
    idleInTransactionTimeoutMs: MINUTE,
    idleSessionTimeoutMs: 15 * MINUTE,
    readOnly: false,
  },
};

/** Access to one database. */
export interface AccessPolicy {
  /** Schemas whose tables the groups may use; `undefined`: all that are not PostgreSQL's own. */
  readonly schemas: readonly string[] | undefined;
  readonly groups: readonly GroupPolicy[];
  readonly logins: Readonly<Partial<Record<FunctionLogin, LoginPolicy>>>;
  /** Columns that only those see who change or back up the data: `schema.table` to their names. */
  readonly withheld: Readonly<Record<string, readonly string[]>>;
}

/**
 * PostgreSQL runs the functions of a view as the role that reads it, and those of this one read `raw` of invoices: its query would
 * fail at the first subscription that is past due. What it grants is stored in `billing.entitlements`.
 */
const WITHOUT_GRANTS_VIEW: GroupPolicy['exceptions'] = { 'billing.entitlement_grants': [] };

function readonlyGroup(database: DatabaseName, exceptions: GroupPolicy['exceptions']): GroupPolicy {
  return {
    name: `${database}_readonly`,
    purpose: 'Reads everything but personal data. For people',
    tables: READ,
    exceptions,
    seesPersonalData: false,
    needs: {},
    writes: false,
    uses: [],
    memberOf: [],
  };
}

function collectorGroup(database: DatabaseName, exceptions: GroupPolicy['exceptions']): GroupPolicy {
  return {
    name: `${database}_collector`,
    purpose: 'Measures: reads what people read, statistics, and records that it did',
    tables: READ,
    exceptions,
    seesPersonalData: false,
    // It counts what was paid for and has no owner.
    needs: { 'billing.owned_purchases': ['owner_user_id'], 'billing.owned_subscriptions': ['owner_user_id'] },
    writes: false,
    // Where `pg_stat_statements` is.
    uses: ['public'],
    memberOf: ['pg_monitor'],
  };
}

function backupGroup(database: DatabaseName): GroupPolicy {
  return {
    name: `${database}_backup`,
    purpose: 'Reads everything and nothing else. For backups',
    tables: READ,
    exceptions: {},
    seesPersonalData: true,
    needs: {},
    writes: false,
    uses: [],
    memberOf: ['pg_read_all_data'],
  };
}

const SERVICE: GroupPolicy = {
  name: 'billing_service',
  purpose: 'Applies events and corrections: changes rows, never the schema',
  tables: WRITE,
  exceptions: {
    // What the platform records about itself is its owner's.
    'operations.*': READ,
    // Who can mint a key can be anyone.
    'billing.api_keys': [],
    'billing.api_key_failures': ['SELECT', 'DELETE'],
    'billing.api_key_requests': ['SELECT', 'DELETE'],
    // Who was erased stays erased; triggers reach these tables as their owner.
    'billing.erasure_key': [],
    'billing.erased_subjects': [],
    'billing.erased_objects': READ,
    'billing.erasures': READ,
    'billing.refund_ledger': APPEND,
    'billing.owner_assignment_log': APPEND,
    'billing.bitcoin_status_changes': APPEND,
  },
  seesPersonalData: true,
  needs: {},
  writes: true,
  uses: [],
  memberOf: [],
};

/** Writes to the tables of the application, for people who repair its data. The application logs in as its own user. */
const MAIN_SERVICE: GroupPolicy = {
  ...SERVICE,
  name: 'main_service',
  purpose: 'Changes rows of the application, never its schema. For people',
  exceptions: { 'operations.*': READ },
};

const limits = (connections: number, readOnly: boolean): LoginLimits => ({ ...FUNCTION_LIMITS, connections, readOnly });

/** Two sessions of each archive at once, its leader, and the parts of a large one. */
const BACKUP_LIMITS = limits(30, true);

export const ACCESS_POLICIES: Readonly<Record<DatabaseName, AccessPolicy>> = {
  billing: {
    schemas: ['billing', 'operations'],
    groups: [
      readonlyGroup('billing', WITHOUT_GRANTS_VIEW),
      collectorGroup('billing', { ...WITHOUT_GRANTS_VIEW, 'billing.job_successes': ['SELECT', 'INSERT', 'UPDATE'] }),
      SERVICE,
      backupGroup('billing'),
    ],
    logins: {
      // The processor's instances and those of the functions beside it, twice during a deployment.
      service: { name: 'billing_service_user', memberOf: ['billing_service'], limits: limits(200, false) },
      collector: { name: 'billing_collector_user', memberOf: ['billing_collector'], limits: limits(5, false) },
      backup: { name: 'billing_backup_user', memberOf: ['billing_backup'], limits: BACKUP_LIMITS },
      api: { name: 'billing_api_user', memberOf: ['billing_api'], limits: limits(40, false) },
    },
    withheld: PERSONAL_COLUMNS.billing,
  },
  main: {
    schemas: undefined,
    groups: [readonlyGroup('main', {}), collectorGroup('main', {}), MAIN_SERVICE, backupGroup('main')],
    logins: {
      collector: { name: 'main_collector_user', memberOf: ['main_collector'], limits: limits(5, true) },
      backup: { name: 'main_backup_user', memberOf: ['main_backup'], limits: BACKUP_LIMITS },
    },
    withheld: PERSONAL_COLUMNS.main,
  },
};

/** What a group may do to a table. */
export function privilegesOn(group: GroupPolicy, schema: string, table: string): readonly TablePrivilege[] {
  return group.exceptions[`${schema}.${table}`] ?? group.exceptions[`${schema}.*`] ?? group.tables;
}
