import { type ClientBase, escapeLiteral } from 'pg';
import type { AccessChange, AccessPlan } from './change';
import { DATABASE_NAMES } from '../contract';
import type { FunctionLogin, Person } from './contract';
import { identifier } from './desired';
import { planPersonAudit } from './person-audit';
import { CLONE_SUFFIX, PERSON_LIMITS, type AccessPolicy, type LoginLimits } from './policy';

export interface RoleWishes {
  /** Which database it is, by which groups are named. */
  readonly name: string;
  /** Logins of functions to be made: those that have a secret. */
  readonly logins: readonly FunctionLogin[];
  readonly people: readonly Person[];
}

/** By which a person is known who is no longer in the settings. */
const PERSON = 'A person, by IAM. Made by billing-operations from the settings of the environment';
const FUNCTION = 'Functions of billing-operations log in as it, in turn with its pair';
/** Role of RDS whose members authenticate by IAM, and by nothing else. */
const RDS_IAM = 'rds_iam';
/** Role of PostgreSQL whose members read every table of the server, those of other owners included. */
const READ_ALL = 'pg_read_all_data';

interface Role {
  readonly name: string;
  readonly login: boolean;
  readonly limit: number;
  readonly powerful: boolean;
  readonly settings: readonly string[];
  readonly comment: string | null;
  readonly groups: readonly string[];
}

interface WantedRole {
  readonly name: string;
  readonly login: boolean;
  readonly limits?: LoginLimits;
  readonly memberOf: readonly string[];
  readonly comment: string;
}

const ROLES = `
  SELECT r.rolname::text AS name, r.rolcanlogin AS login, r.rolconnlimit AS limit, coalesce(r.rolconfig, '{}') AS settings,
    r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls AS powerful,
    shobj_description(r.oid, 'pg_authid') AS comment,
    ARRAY(SELECT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid) AS groups
  FROM pg_roles r`;

/**
 * What has to be done for the roles of a policy to be as it says.
 *
 * @param readers groups that read every table by grants: they do without `pg_read_all_data` where the session may not grant it
 */
export async function planRoles(
  client: ClientBase,
  policy: AccessPolicy,
  wishes: RoleWishes,
  readers: ReadonlySet<string>,
): Promise<Pick<AccessPlan, 'changes' | 'obstacles'>> {
  const { rows } = await client.query<Role>(ROLES);
  const roles = new Map(rows.map((role) => [role.name, role]));
  const { rows: grantable } = await client.query<{ name: string }>(
    `SELECT rolname::text AS name FROM pg_roles WHERE pg_has_role(current_user, oid, 'MEMBER WITH ADMIN OPTION')
       OR (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)`,
  );
  const mayGrant = new Set(grantable.map(({ name }) => name));
  const wanted = wantedRoles(policy, wishes, roles.has(RDS_IAM));
  const made = new Set(wanted.map(({ name }) => name));
  const obstacles: string[] = [];
  const changes = wanted.flatMap((role) => {
    const present = roles.get(role.name);
    if (present?.powerful) {
      obstacles.push(`The role ${role.name} exists with rights on the server: rename it, or take them from it`);
      return [];
    }
    return [
      ...createOrAlter(role, present),
      ...memberships(role, present, { roles, made, mayGrant, readers, database: wishes.name }, obstacles),
    ];
  });
  const audit = await planPersonAudit(
    client,
    wishes.people.filter(({ user }) => roles.get(user)?.powerful !== true),
    (user) => roles.get(user)?.settings ?? [],
  );
  return {
    changes: [...changes, ...audit.changes, ...formerPeople(rows, wishes)],
    obstacles: [...obstacles, ...audit.obstacles],
  };
}

function wantedRoles(policy: AccessPolicy, { name, logins, people }: RoleWishes, isRds: boolean): WantedRole[] {
  const groups = policy.groups.map(({ name: group, purpose, memberOf }) => ({
    name: group,
    login: false,
    memberOf,
    comment: purpose,
  }));
  const users = logins.flatMap((login) => {
    const one = policy.logins[login];
    if (one === undefined) return [];
    const { memberOf, limits } = one;
    return [one.name, one.name + CLONE_SUFFIX].map((user) => ({
      name: user,
      login: true,
      limits,
      memberOf,
      comment: FUNCTION,
    }));
  });
  const persons = people.map(({ user, access }) => ({
    name: user,
    login: true,
    limits: PERSON_LIMITS[access],
    memberOf: [`${name}_${access}`, ...(isRds ? [RDS_IAM] : [])],
    comment: PERSON,
  }));
  return [...groups, ...users, ...persons];
}

function createOrAlter({ name, login, limits, comment }: WantedRole, present: Role | undefined): AccessChange[] {
  const role = identifier(name);
  const attributes = `${login ? 'LOGIN' : 'NOLOGIN'} CONNECTION LIMIT ${limits?.connections ?? -1}`;
  const commented = `COMMENT ON ROLE ${role} IS ${escapeLiteral(comment)}`;
  const changes: AccessChange[] = [];
  const add = (verb: AccessChange['verb'], what: string, sql: string) => changes.push({ verb, role: name, what, sql });
  if (present === undefined)
    add('create', login ? 'a login' : 'a group', `CREATE ROLE ${role} ${attributes}; ${commented}`);
  else if (present.login !== login || present.limit !== (limits?.connections ?? -1)) {
    add('alter', attributes.toLowerCase(), `ALTER ROLE ${role} ${attributes}`);
  }
  if (present && present.comment !== comment) add('alter', 'its description', commented);
  for (const [setting, value] of settingsOf(limits)) {
    if (present?.settings.includes(`${setting}=${value}`)) continue;
    add('alter', `${setting} = ${value}`, `ALTER ROLE ${role} SET ${setting} = ${escapeLiteral(value)}`);
  }
  return changes;
}

/** As `pg_roles.rolconfig` spells them. */
function settingsOf(limits: LoginLimits | undefined): [string, string][] {
  if (limits === undefined) return [];
  return [
    ['statement_timeout', String(limits.statementTimeoutMs)],
    ['lock_timeout', String(limits.lockTimeoutMs)],
    ['idle_in_transaction_session_timeout', String(limits.idleInTransactionTimeoutMs)],
    ['idle_session_timeout', String(limits.idleSessionTimeoutMs)],
    ['default_transaction_read_only', limits.readOnly ? 'on' : 'off'],
  ];
}

interface Known {
  readonly roles: ReadonlyMap<string, Role>;
  /** Roles that the plan makes. */
  readonly made: ReadonlySet<string>;
  readonly mayGrant: ReadonlySet<string>;
  readonly readers: ReadonlySet<string>;
  /** Whose roles are planned. */
  readonly database: string;
}

/** Whether a group belongs to the other database, which may be on the same server: a role exists once for both. */
function isOfOther(group: string, database: string): boolean {
  return DATABASE_NAMES.some((other) => other !== database && group.startsWith(`${other}_`));
}

function memberships(
  { name, memberOf }: WantedRole,
  present: Role | undefined,
  { roles, made, mayGrant, readers, database }: Known,
  obstacles: string[],
): AccessChange[] {
  const changes: AccessChange[] = [];
  for (const group of memberOf) {
    if (present?.groups.includes(group)) continue;
    const isKnown = roles.has(group);
    if (!isKnown && !made.has(group)) {
      obstacles.push(`${name} cannot join ${group}, which does not exist: apply the migrations first`);
    } else if (isKnown && !mayGrant.has(group)) {
      if (group === READ_ALL && readers.has(name)) continue;
      obstacles.push(
        `${name} should be a member of ${group}. As an administrator: GRANT ${identifier(group)} TO ${identifier(name)}`,
      );
    } else {
      const sql = `GRANT ${identifier(group)} TO ${identifier(name)}`;
      changes.push({ verb: 'grant', role: name, what: `membership in ${group}`, sql });
    }
  }
  for (const group of (present?.groups ?? []).filter((one) => !memberOf.includes(one) && !isOfOther(one, database))) {
    const sql = `REVOKE ${identifier(group)} FROM ${identifier(name)}`;
    changes.push({ verb: 'revoke', role: name, what: `membership in ${group}`, sql });
  }
  return changes;
}

/** Who is no longer in the settings may not log in; a role that owns something cannot be dropped. */
function formerPeople(roles: readonly Role[], { people, name }: RoleWishes): AccessChange[] {
  const known = new Set(people.map(({ user }) => user));
  return roles
    .filter(({ name: user, comment, login }) => login && comment === PERSON && !known.has(user))
    .filter(({ groups }) => groups.some((group) => group.startsWith(`${name}_`)))
    .flatMap(({ name: user, groups }): AccessChange[] => {
      const staysInOther = groups.some((group) => isOfOther(group, name));
      const lost = groups.filter((group) => !staysInOther || group.startsWith(`${name}_`));
      const sql = `ALTER ROLE ${identifier(user)} NOLOGIN`;
      return [
        ...(staysInOther ? [] : [{ verb: 'alter' as const, role: user, what: 'no login: it left the settings', sql }]),
        ...lost.map((group): AccessChange => ({
          verb: 'revoke',
          role: user,
          what: `membership in ${group}`,
          sql: `REVOKE ${identifier(group)} FROM ${identifier(user)}`,
        })),
      ];
    });
}
