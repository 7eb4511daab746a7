import type { ClientBase } from 'pg';
import { PUBLIC, readCatalog, type Catalog, type Grant } from './catalog';
import type { AccessChange, AccessPlan } from './change';
import { creatorsOf, desiredGrants, identifier, isRevokedFromPublic, schemasOf } from './desired';
import { assertRolesExist } from './kept-roles';
import { CLONE_SUFFIX, type AccessPolicy } from './policy';
import { planRoles, type RoleWishes } from './roles';
import { unsafeRoutines } from './unsafe-routines';

export interface AccessWishes extends RoleWishes {
  /** Roles that are given, by name, what PUBLIC loses: those of the application. */
  readonly keep: readonly string[];
  /** Whether every object of the schemas is the platform's; otherwise PUBLIC keeps what it has inside the database. */
  readonly whole: boolean;
}

/**
 * Compares the roles and privileges of a database with a policy. Changes nothing.
 *
 * @throws InvalidRequestError for a role to keep that the server does not have
 */
export async function planAccess(client: ClientBase, policy: AccessPolicy, wishes: AccessWishes): Promise<AccessPlan> {
  const catalog = await readCatalog(client);
  const readers = policy.groups.map(({ name }) => name).filter((name) => readsAllByGrants(catalog, policy, name));
  const roles = await planRoles(client, policy, wishes, new Set(readers));
  const made = roles.changes.flatMap(({ verb, role }) => (verb === 'create' ? [role] : []));
  await assertRolesExist(client, policy, wishes.keep, made);
  const { changes, obstacles } = planGrants(catalog, policy, wishes);
  const closes = changes.some(
    ({ verb, role, what }) => verb === 'revoke' && role === PUBLIC && what.includes('CONNECT'),
  );
  return {
    changes: [...roles.changes, ...changes],
    locksOut: closes ? await lockedOut(client, policy, wishes.keep) : [],
    obstacles: [...roles.obstacles, ...obstacles, ...(await unsafeRoutines(client, catalog, policy))],
  };
}

/** The changes of privileges alone, as after a migration. */
export function planGrants(
  catalog: Catalog,
  policy: AccessPolicy,
  { keep, whole }: Pick<AccessWishes, 'keep' | 'whole'>,
): Pick<AccessPlan, 'changes' | 'obstacles'> {
  const schemas = schemasOf(catalog, policy);
  const managed = new Set(policy.groups.map(({ name }) => name));
  const closed = {
    schemas: policy.schemas === undefined ? schemas : [...schemas, PUBLIC],
    creators: creatorsOf(catalog, policy),
    whole,
  };
  const fromPublic = catalog.grants.filter((grant) => isRevokedFromPublic(grant, closed));
  const desired = [
    ...desiredGrants(catalog, policy),
    ...loginGroups(catalog, policy),
    ...fromPublic.flatMap((grant) => keptGrants(catalog, grant, keep)),
  ];
  const actual = new Set(catalog.grants.map(keyOf));
  const wanted = new Set(desired.map(keyOf));
  const missing = desired.filter((grant) => !actual.has(keyOf(grant)));
  const excess = catalog.grants.filter(
    (grant) => managed.has(grant.grantee) && grant.privilege !== 'MAINTAIN' && !wanted.has(keyOf(grant)),
  );
  const { mine, others } = split(catalog, [
    // First: to revoke a privilege on a table takes those on its columns along.
    ...[...excess, ...fromPublic].map((grant) => ({ verb: 'revoke' as const, grant })),
    ...missing.map((grant) => ({ verb: 'grant' as const, grant })),
  ]);
  return {
    changes: statements(mine),
    obstacles: statements(others).map(
      ({ verb, role, what }) =>
        `${verb} ${what} ${verb === 'grant' ? 'to' : 'from'} ${role}: another role owns it, which has to do it itself`,
    ),
  };
}

const keyOf = ({ kind, object, column, privilege, grantee, creator }: Grant): string =>
  JSON.stringify([kind, object, column ?? null, privilege, grantee, creator ?? null]);

/** Groups whose privileges migrations give, such as that of the API, may connect as well. */
function loginGroups(catalog: Catalog, { logins, groups }: AccessPolicy): Grant[] {
  const names = Object.values(logins).flatMap(({ memberOf }) => memberOf);
  return names
    .filter((name) => !groups.some((group) => group.name === name))
    .map((grantee) => ({ kind: 'DATABASE', object: identifier(catalog.database), privilege: 'CONNECT', grantee }));
}

/** Whether a group that reads all tables of the policy's schemas needs no more to read every table of the database. */
function readsAllByGrants(catalog: Catalog, policy: AccessPolicy, group: string): boolean {
  const managed = new Set(schemasOf(catalog, policy));
  const grantable = new Set(
    catalog.schemas.filter(({ name, mine }) => mine && managed.has(name)).map(({ name }) => name),
  );
  const granted = new Set(
    catalog.grants
      .filter(({ grantee, column }) => column === undefined && (grantee === group || grantee === PUBLIC))
      .map(({ kind, object, privilege }) => `${privilege} ${kind} ${object}`),
  );
  return catalog.relations.every(({ schema, name, kind, mine, owner }) => {
    const relation = `${kind === 'sequence' ? 'SEQUENCE' : 'TABLE'} ${identifier(schema)}.${identifier(name)}`;
    return (
      // What its owner makes later has to be readable as well, which default privileges of that owner see to.
      (mine && grantable.has(schema) && catalog.actsFor.includes(owner)) ||
      (granted.has(`USAGE SCHEMA ${identifier(schema)}`) && granted.has(`SELECT ${relation}`))
    );
  });
}

/** What a right of PUBLIC becomes: of the roles to keep, and of functions and procedures that of everyone who may look into their schema. */
function keptGrants(catalog: Catalog, grant: Grant, keep: readonly string[]): Grant[] {
  const [schema = ''] = grant.object.split('.');
  const users =
    grant.kind === 'ROUTINE'
      ? catalog.grants
          .filter(({ kind, object, privilege }) => kind === 'SCHEMA' && object === schema && privilege === 'USAGE')
          .map(({ grantee }) => grantee)
          .filter((name) => name !== PUBLIC && name !== catalog.owner)
      : [];
  return [...new Set([...keep, ...users])].map((grantee) => ({ ...grant, grantee }));
}

interface Wanted {
  readonly verb: 'grant' | 'revoke';
  readonly grant: Grant;
}

/** Apart, what the session may change, and what belongs to another role. */
function split(catalog: Catalog, wanted: readonly Wanted[]): { mine: Wanted[]; others: Wanted[] } {
  const foreign = new Set([
    ...(catalog.ownsDatabase ? [] : [`DATABASE ${identifier(catalog.database)}`]),
    ...catalog.schemas.filter(({ mine }) => !mine).map(({ name }) => `SCHEMA ${identifier(name)}`),
    ...catalog.relations
      .filter(({ mine }) => !mine)
      .map(
        ({ kind, schema, name }) =>
          `${kind === 'sequence' ? 'SEQUENCE' : 'TABLE'} ${identifier(schema)}.${identifier(name)}`,
      ),
    ...catalog.routines.filter(({ mine }) => !mine).map(({ signature }) => `ROUTINE ${signature}`),
  ]);
  const isForeign = ({ grant: { kind, object } }: Wanted): boolean => foreign.has(`${kind} ${object}`);
  return { mine: wanted.filter((one) => !isForeign(one)), others: wanted.filter(isForeign) };
}

/** One statement for each object, role and direction. */
function statements(wanted: readonly Wanted[]): AccessChange[] {
  const groups = new Map<string, Wanted[]>();
  for (const one of wanted) {
    const { kind, object, grantee, creator } = one.grant;
    const key = JSON.stringify([one.verb, kind, object, grantee, creator]);
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()].flatMap((group) => (group[0] ? [statement(group[0], group)] : []));
}

function statement({ verb, grant }: Wanted, group: readonly Wanted[]): AccessChange {
  const { kind, object, grantee, creator = '' } = grant;
  const privileges = [...new Set(group.map((one) => one.grant.privilege))].toSorted().map((privilege) => {
    const same = group.filter((one) => one.grant.privilege === privilege).map((one) => one.grant.column);
    const columns = same.filter((column) => column !== undefined);
    return same.length > columns.length ? privilege : `${privilege} (${columns.map(identifier).join(', ')})`;
  });
  const list = privileges.join(', ');
  const preposition = verb === 'grant' ? 'TO' : 'FROM';
  const role = grantee === PUBLIC ? 'PUBLIC' : identifier(grantee);
  if (kind === 'DEFAULT') {
    const [first = '', second] = object.split(' ');
    const scope = second === undefined ? '' : ` IN SCHEMA ${first}`;
    const command = `${verb.toUpperCase()} ${list} ON ${second ?? first} ${preposition} ${role}`;
    const place = second === undefined ? '' : ` of ${first}`;
    const what = `${list} on future ${(second ?? first).toLowerCase()}${place} by ${creator}`;
    const sql = `ALTER DEFAULT PRIVILEGES FOR ROLE ${identifier(creator)}${scope} ${command}`;
    return { verb, role: grantee, what, sql };
  }
  const named = kind === 'TABLE' ? object : `${kind.toLowerCase()} ${object}`;
  return {
    verb,
    role: grantee,
    what: `${list} on ${named}`,
    sql: `${verb.toUpperCase()} ${list} ON ${kind} ${object} ${preposition} ${role}`,
  };
}

/** Logins that connect as PUBLIC does, and by nothing else. */
async function lockedOut(client: ClientBase, policy: AccessPolicy, keep: readonly string[]): Promise<string[]> {
  const admitted = [
    ...keep,
    ...policy.groups.map(({ name }) => name),
    ...Object.values(policy.logins).flatMap((l) => l.memberOf),
  ];
  const ours = Object.values(policy.logins).flatMap(({ name }) => [name, name + CLONE_SUFFIX]);
  const { rows } = await client.query<{ name: string }>(
    `SELECT r.rolname::text AS name FROM pg_roles r, pg_database d
     WHERE d.datname = current_database() AND r.rolcanlogin AND NOT r.rolsuper AND r.rolname !~ '^(pg_|rds)'
       AND NOT pg_has_role(r.oid, d.datdba, 'USAGE') AND r.rolname <> ALL ($2)
       AND NOT EXISTS (SELECT FROM pg_roles g WHERE g.rolname = ANY ($1) AND pg_has_role(r.oid, g.oid, 'USAGE'))
       AND NOT EXISTS (SELECT FROM aclexplode(d.datacl) a
         WHERE a.grantee <> 0 AND a.privilege_type = 'CONNECT' AND pg_has_role(r.oid, a.grantee, 'USAGE'))
     ORDER BY 1`,
    [admitted, ours],
  );
  return rows.map(({ name }) => name);
}
