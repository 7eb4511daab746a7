import type { DatabaseName } from '../contract';

/** Logins of functions, by what they do with it. What has none works as the owner of the tables. */
export const FUNCTION_LOGINS = ['service', 'collector', 'backup', 'api'] as const;
export type FunctionLogin = (typeof FUNCTION_LOGINS)[number];

/**
 * Users of the logins. Each is one of a pair: the other has `_clone` behind its name, and they take turns, so that the password in
 * use never changes.
 */
export const LOGIN_USERS: Readonly<Record<DatabaseName, Readonly<Partial<Record<FunctionLogin, string>>>>> = {
  billing: {
    service: 'billing_service_user',
    collector: 'billing_collector_user',
    backup: 'billing_backup_user',
    api: 'billing_api_user',
  },
  main: { collector: 'main_collector_user', backup: 'main_backup_user' },
};

/** Groups that a person may be a member of. The owner of the tables is no group: changes of the schema are migrations. */
export const PERSON_ACCESS = ['readonly', 'service'] as const;
export type PersonAccess = (typeof PERSON_ACCESS)[number];

/** A person who logs in with a token of IAM, which ends after 15 minutes. */
export interface Person {
  /** Name of the database user, which the log shows with each login. */
  readonly user: string;
  readonly access: PersonAccess;
}

/** Names of people by what they may do. */
export type PeopleByAccess = Readonly<Partial<Record<PersonAccess, readonly string[]>>>;

/** People as a variable of a function has them, and all variables together have 4 kB: each name once, by what they may do. */
export function byAccess(people: readonly Person[]): PeopleByAccess {
  const namesOf = (access: PersonAccess) => people.filter((one) => one.access === access).map(({ user }) => user);
  return Object.fromEntries(PERSON_ACCESS.map((access) => [access, namesOf(access)]));
}
