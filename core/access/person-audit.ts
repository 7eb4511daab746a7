import { type ClientBase, DatabaseError, escapeLiteral } from 'pg';
import type { AccessChange, AccessPlan } from './change';
import type { Person, PersonAccess } from './contract';
import { identifier } from './desired';

const RECORDED = 'pgaudit.log';

/** Replaces the classes of the server, which are chosen for functions. */
const EVERY_STATEMENT = {
  [RECORDED]: 'read,write,ddl,role',
  // A record for each table and view. CloudWatch takes each line of a statement as an event: the first one then names the table.
  'pgaudit.log_relation': 'on',
};

/**
 * What pgaudit records of the statements of a person. These are settings of each login: PostgreSQL applies none of a group.
 *
 * Statements that read only the catalogue are left out: tools send dozens to complete names and describe tables. For `service`
 * they are recorded, since `pg_stats` shows values of every column that its reader may read.
 */
export const PERSON_AUDIT: Readonly<Record<PersonAccess, Readonly<Record<string, string>>>> = {
  readonly: { ...EVERY_STATEMENT, 'pgaudit.log_catalog': 'off' },
  service: { ...EVERY_STATEMENT, 'pgaudit.log_catalog': 'on' },
};

/**
 * The settings that people lack for pgaudit to record what they read and change, where the server has pgaudit.
 *
 * @param client outside of a transaction: what the session may set is tried in one, and rolled back
 * @param settingsOf what a user has, as `pg_roles.rolconfig` spells it
 */
export async function planPersonAudit(
  client: ClientBase,
  people: readonly Person[],
  settingsOf: (user: string) => readonly string[],
): Promise<Pick<AccessPlan, 'changes' | 'obstacles'>> {
  const known = await knownOf(
    client,
    people.flatMap(({ access }) => Object.keys(PERSON_AUDIT[access])),
  );
  const missing = people.flatMap(({ user, access }) =>
    Object.entries(PERSON_AUDIT[access])
      .filter(([name, value]) => known.has(name) && !settingsOf(user).includes(`${name}=${value}`))
      .map(([name, value]) => ({ user, name, value })),
  );
  const refused = new Set<string>();
  for (const name of new Set(missing.map((one) => one.name))) {
    if (!(await maySet(client, name))) refused.add(name);
  }
  return {
    changes: missing
      .filter(({ name }) => !refused.has(name))
      .map(({ user, name, value }): AccessChange => {
        const sql = alteration(identifier(user), name, value);
        return { verb: 'alter', role: user, what: `${name} = ${value}`, sql };
      }),
    // The other two only say more in a record, or leave records out.
    obstacles: missing
      .filter(({ name }) => name === RECORDED && refused.has(name))
      .map(
        ({ user, name, value }) =>
          `What ${user} reads is not recorded. As an administrator: ${alteration(identifier(user), name, value)}`,
      ),
  };
}

const alteration = (role: string, name: string, value: string): string =>
  `ALTER ROLE ${role} SET ${name} = ${escapeLiteral(value)}`;

/** Those of the parameters that the server has, as one with pgaudit does. */
async function knownOf(client: ClientBase, names: readonly string[]): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ name: string }>(
    'SELECT DISTINCT name FROM unnest($1::text[]) AS name WHERE current_setting(name, true) IS NOT NULL',
    [names],
  );
  return new Set(rows.map(({ name }) => name));
}

/** Whether the session may set a parameter for a role. Tried, since no catalogue says what RDS lets its administrator set. */
async function maySet(client: ClientBase, name: string): Promise<boolean> {
  await client.query('BEGIN');
  try {
    await client.query(`ALTER ROLE CURRENT_USER SET ${name} FROM CURRENT`);
    return true;
  } catch (error) {
    if (error instanceof DatabaseError && error.code === '42501') return false;
    throw error;
  } finally {
    await client.query('ROLLBACK');
  }
}
