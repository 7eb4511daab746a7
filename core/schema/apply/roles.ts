import { type ClientBase, escapeIdentifier, escapeLiteral } from 'pg';
import { isNameTaken } from '../../database/duplicate';
import type { Membership, Role, SchemaFacts } from '../contract';
import type { Deviations } from './deviations';
import { settingClause, shownClause } from './settings';

/** What a restore did to the roles of the server. */
export interface RolesReport {
  /** Made without LOGIN and without a password. */
  readonly created: string[];
  /** Roles that the restoring role was made a member of, so that it may give objects to them. */
  readonly joined: string[];
}

/**
 * Makes the roles that a schema names and the server lacks, none of which can log in, and has the restoring role join
 * all of them, which a role without superuser's rights must to give objects away. Roles that exist are not changed.
 *
 * @param client connection to any database of the server, outside of a transaction
 */
export async function restoreRoles(
  client: ClientBase,
  facts: Pick<SchemaFacts, 'roles' | 'memberships'>,
  deviations: Deviations,
): Promise<RolesReport> {
  const created: string[] = [];
  for (const role of await missingRoles(client, facts.roles)) {
    if (await createRole(client, role, deviations)) created.push(role.name);
  }
  const joined = await joinRoles(client, facts.roles);
  for (const membership of facts.memberships) {
    await restoreMembership(client, membership, created.includes(membership.member), deviations);
  }
  return { created, joined };
}

async function missingRoles(client: ClientBase, roles: readonly Role[]): Promise<Role[]> {
  const { rows } = await client.query<{ rolname: string }>('SELECT rolname FROM pg_roles WHERE rolname = ANY ($1)', [
    roles.map(({ name }) => name),
  ]);
  const present = new Set(rows.map(({ rolname }) => rolname));
  return roles.filter(({ name }) => !present.has(name));
}

/** @returns whether the role is ours: it may have come meanwhile */
async function createRole(client: ClientBase, role: Role, deviations: Deviations): Promise<boolean> {
  const name = escapeIdentifier(role.name);
  const inherit = role.inherit ? 'INHERIT' : 'NOINHERIT';
  try {
    await client.query(`CREATE ROLE ${name} NOLOGIN ${inherit} CONNECTION LIMIT ${role.connectionLimit}`);
  } catch (error) {
    if (!isNameTaken(error)) deviations.add(`ROLE ${role.name}`, 'not made', error);
    return false;
  }
  const rights = rightsOf(role);
  if (rights.length > 0) {
    deviations.add(`ROLE ${role.name}`, `made without ${rights.join(', ')}`, 'a restore gives no rights on the server');
  }
  const object = `ROLE ${role.name}`;
  if (role.comment !== null) {
    await attempt(client, object, `COMMENT ON ROLE ${name} IS ${escapeLiteral(role.comment)}`, deviations);
  }
  for (const setting of role.settings) {
    const statement = `ALTER ROLE ${name} ${settingClause(setting)}`;
    await attempt(client, object, statement, deviations, `ALTER ROLE ${name} ${shownClause(setting)}`);
  }
  return true;
}

function rightsOf(role: Role): string[] {
  return [
    ...(role.canLogin ? ['LOGIN'] : []),
    ...(role.superuser ? ['SUPERUSER'] : []),
    ...(role.createDatabase ? ['CREATEDB'] : []),
    ...(role.createRole ? ['CREATEROLE'] : []),
    ...(role.replication ? ['REPLICATION'] : []),
    ...(role.bypassRowSecurity ? ['BYPASSRLS'] : []),
  ];
}

/** Roles that it may not join show when an object is to be given to them. */
async function joinRoles(client: ClientBase, roles: readonly Role[]): Promise<string[]> {
  const { rows } = await client.query<{ name: string; options: boolean }>(
    `SELECT rolname AS name, current_setting('server_version_num')::int >= 160000 AS options
     FROM pg_roles WHERE rolname = ANY ($1) AND rolname <> current_user AND NOT rolsuper
       AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
     ORDER BY rolname`,
    [roles.map(({ name }) => name)],
  );
  const joined: string[] = [];
  for (const { name, options } of rows) {
    if (await isMember(client, name, options)) continue;
    const grant = `GRANT ${escapeIdentifier(name)} TO CURRENT_USER${options ? ' WITH INHERIT TRUE, SET TRUE' : ''}`;
    await client.query(grant).then(
      () => joined.push(name),
      () => undefined,
    );
  }
  return joined;
}

async function isMember(client: ClientBase, role: string, options: boolean): Promise<boolean> {
  const { rows } = await client.query<{ member: boolean }>(
    `SELECT pg_has_role(current_user, $1, 'USAGE') AND pg_has_role(current_user, $1, $2) AS member`,
    [role, options ? 'SET' : 'MEMBER'],
  );
  return rows[0]?.member ?? false;
}

async function restoreMembership(
  client: ClientBase,
  { role, member, admin, inherit, set }: Membership,
  isNew: boolean,
  deviations: Deviations,
): Promise<void> {
  const object = `MEMBERSHIP of ${member} in ${role}`;
  const { rows } = await client.query<{ known: boolean; member: boolean; options: boolean }>(
    `SELECT m.oid IS NOT NULL AS known, r.oid IS NOT NULL AND m.oid IS NOT NULL AND pg_has_role(m.oid, r.oid, 'MEMBER') AS member,
            current_setting('server_version_num')::int >= 160000 AS options
     FROM (SELECT 1) one LEFT JOIN pg_roles r ON r.rolname = $1 LEFT JOIN pg_roles m ON m.rolname = $2`,
    [role, member],
  );
  const [state] = rows;
  if (!state?.known) {
    deviations.add(object, 'not made', 'the member is not on this server, and the database does not name it');
  } else if (isNew) {
    const options = state.options
      ? ` WITH ADMIN ${admin}, INHERIT ${inherit}, SET ${set}`
      : admin
        ? ' WITH ADMIN OPTION'
        : '';
    const grant = `GRANT ${escapeIdentifier(role)} TO ${escapeIdentifier(member)}${options}`;
    await attempt(client, object, grant, deviations);
  } else if (!state.member) {
    deviations.add(object, 'not made', 'a restore changes no role that is there already');
  }
}

/** @param shown what the report says of it */
async function attempt(
  client: ClientBase,
  object: string,
  sql: string,
  deviations: Deviations,
  shown = sql,
): Promise<void> {
  await client.query(sql).catch((error: unknown) => deviations.add(object, `not done: ${shown}`, error));
}
