import type { ClientBase } from 'pg';
import type { VerifyProblem } from './contract';

interface Role {
  readonly name: string;
  readonly createsDatabases: boolean;
  readonly createsSchemas: boolean;
  /** Tables that it may not read, each qualified; the first ones. */
  readonly unreadable: readonly string[];
}

/** Tables in a message, as examples. */
const EXAMPLES = 3;

const ROLE = `
  SELECT r.rolname AS name, r.rolsuper OR r.rolcreatedb AS "createsDatabases",
    has_database_privilege(r.oid, current_database(), 'CREATE') AS "createsSchemas",
    ARRAY(
      SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p', 'm') AND c.relpersistence <> 't'
        AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        AND NOT (has_schema_privilege(r.oid, n.oid, 'USAGE') AND has_table_privilege(r.oid, c.oid, 'SELECT'))
      ORDER BY 1
    ) AS unreadable
  FROM pg_roles r WHERE r.rolname = current_user`;

/** What the role of the connection may not do and the functions have to: a database that exists came with its own role. */
export async function checkPrivileges(client: ClientBase): Promise<VerifyProblem[]> {
  const { rows } = await client.query<Role>(ROLE);
  const role = rows[0];
  if (!role) return [];
  const name = JSON.stringify(role.name);
  const problems: string[] = [];
  if (!role.createsDatabases) {
    problems.push(
      `The role ${name} may not create databases, into which restores and drills load: ALTER ROLE ${name} CREATEDB`,
    );
  }
  if (!role.createsSchemas) {
    problems.push(
      `The role ${name} may not create schemas, which migrations do: GRANT CREATE ON DATABASE … TO ${name}, or make it the owner`,
    );
  }
  if (role.unreadable.length > 0) {
    const examples = role.unreadable.slice(0, EXAMPLES).join(', ');
    problems.push(
      `The role ${name} may not read ${role.unreadable.length} tables, which backups do, such as ${examples}: GRANT pg_read_all_data TO ${name}`,
    );
  }
  return problems.map((message) => ({ check: 'privileges', message }));
}
