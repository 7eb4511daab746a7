import type { ClientBase } from 'pg';
import { OperationError } from '../runtime/errors';
import type { DatabaseFacts, Membership, Omission, Role, SchemaFacts } from './contract';

/** Roles of PostgreSQL itself and of RDS: every server of the kind has its own. */
const SERVERS_OWN = '^(pg_|rds)';

/**
 * Roles that the database names: in owners, privileges and policies, in settings and user mappings, by the names that the
 * dump gives to owners (the bootstrap superuser is in no list), and those that such a role is a member of.
 */
const NAMED_ROLES = `
  WITH RECURSIVE db AS (SELECT oid, datdba FROM pg_database WHERE datname = current_database()), named (oid) AS (
    SELECT oid FROM (
      SELECT d.refobjid AS oid FROM pg_shdepend d, db
      WHERE d.refclassid = 'pg_authid'::regclass
        AND (d.dbid = db.oid OR (d.dbid = 0 AND d.classid = 'pg_database'::regclass AND d.objid = db.oid))
      UNION SELECT s.setrole FROM pg_db_role_setting s, db WHERE s.setdatabase = db.oid AND s.setrole <> 0
      UNION SELECT datdba FROM db
      UNION SELECT oid FROM pg_roles WHERE rolname = ANY ($1)
    ) direct
    UNION SELECT m.roleid FROM pg_auth_members m JOIN named ON named.oid = m.member
  )`;

const ROLES = `${NAMED_ROLES}
  SELECT r.rolname AS name, r.rolcanlogin AS "canLogin", r.rolsuper AS superuser, r.rolinherit AS inherit,
         r.rolcreatedb AS "createDatabase", r.rolcreaterole AS "createRole", r.rolreplication AS replication,
         r.rolbypassrls AS "bypassRowSecurity", r.rolconnlimit AS "connectionLimit",
         shobj_description(r.oid, 'pg_authid') AS comment, coalesce(r.rolconfig, '{}') AS settings
  FROM pg_roles r JOIN named ON named.oid = r.oid
  WHERE r.rolname !~ '${SERVERS_OWN}' ORDER BY r.rolname COLLATE "C"`;

/** Before version 16 a membership had no options but ADMIN, and inherited as its member does. */
const MEMBERSHIPS = `${NAMED_ROLES}
  SELECT r.rolname AS role, m.rolname AS member, bool_or(a.admin_option) AS admin,
         bool_or(coalesce((to_jsonb(a) ->> 'inherit_option')::boolean, m.rolinherit)) AS inherit,
         bool_or(coalesce((to_jsonb(a) ->> 'set_option')::boolean, true)) AS set
  FROM pg_auth_members a JOIN named ON named.oid = a.roleid
    JOIN pg_roles r ON r.oid = a.roleid JOIN pg_roles m ON m.oid = a.member
  WHERE m.rolname !~ '${SERVERS_OWN}'
  GROUP BY 1, 2 ORDER BY r.rolname COLLATE "C", m.rolname COLLATE "C"`;

const DATABASE = `
  SELECT d.datname AS name, pg_get_userbyid(d.datdba) AS owner, shobj_description(d.oid, 'pg_database') AS comment,
         d.datconnlimit AS "connectionLimit",
         coalesce((SELECT setconfig FROM pg_db_role_setting WHERE setdatabase = d.oid AND setrole = 0), '{}') AS settings,
         (SELECT coalesce(jsonb_agg(jsonb_build_object('role', r.rolname, 'settings', s.setconfig) ORDER BY r.rolname), '[]')
          FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole WHERE s.setdatabase = d.oid) AS "roleSettings",
         CASE WHEN d.datacl IS NOT NULL THEN (
           SELECT coalesce(jsonb_agg(jsonb_build_object('grantee', r.rolname, 'privilege', a.privilege_type,
                    'grantable', a.is_grantable) ORDER BY r.rolname, a.privilege_type), '[]')
           FROM aclexplode(d.datacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee) END AS grants
  FROM pg_database d WHERE d.datname = current_database()`;

const EXTENSIONS = `
  SELECT e.extname AS name, e.extversion AS version, n.nspname AS schema,
         obj_description(e.oid, 'pg_extension') IS DISTINCT FROM a.comment AS "ownComment",
         coalesce(jsonb_agg(jsonb_build_object('schema', cn.nspname, 'name', c.relname, 'condition', config.condition,
           'columns', ARRAY(SELECT attname FROM pg_attribute
             WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum)))
           FILTER (WHERE c.relkind IN ('r', 'p')), '[]') AS tables,
         coalesce(jsonb_agg(jsonb_build_object('schema', cn.nspname, 'name', c.relname))
           FILTER (WHERE c.relkind = 'S'), '[]') AS sequences
  FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
    LEFT JOIN pg_available_extensions a ON a.name = e.extname
    LEFT JOIN LATERAL unnest(e.extconfig, e.extcondition) AS config (oid, condition) ON true
    LEFT JOIN pg_class c ON c.oid = config.oid LEFT JOIN pg_namespace cn ON cn.oid = c.relnamespace
  WHERE e.extname <> 'plpgsql' OR e.extconfig IS NOT NULL
  GROUP BY e.oid, e.extname, e.extversion, n.nspname, a.comment ORDER BY e.extname COLLATE "C"`;

/** The connection's text of a subscription is for superusers only; its name is for everybody. */
const OMISSIONS = `
  SELECT 'subscription' AS kind, s.subname AS object,
         'its connection holds a password, and a restored one would take the changes meant for the source' AS reason
  FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid WHERE d.datname = current_database()
  UNION ALL
  SELECT 'user-mapping-options', format('user mapping for %s on server %s', usename, srvname),
         'its options hold passwords; set them after a restore' FROM pg_user_mappings
  UNION ALL
  SELECT 'extension-rows', format('%I.%I', n.nspname, c.relname),
         format('the table belongs to extension %s, which does not mark its rows as data', e.extname)
  FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
    JOIN pg_class c ON c.oid = d.objid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
    AND c.relkind = 'r' AND NOT c.oid = ANY (coalesce(e.extconfig, '{}'))
    -- What the extension's own script made is older than any row of it that the table may hold by itself.
    AND pg_relation_size(c.oid) > 0
  UNION ALL
  SELECT 'extension-rows', format('%I.%I', n.nspname, c.relname),
         format('the role of the backup may not read this table of extension %s', e.extname)
  FROM pg_extension e CROSS JOIN LATERAL unnest(e.extconfig) AS config (oid)
    JOIN pg_class c ON c.oid = config.oid AND c.relkind = 'r' JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE NOT has_table_privilege(c.oid, 'SELECT') OR row_security_active(c.oid)
  ORDER BY 1, 2`;

/**
 * Reads what pg_dump leaves to others: roles, the database itself, versions of extensions. Call it in the transaction of
 * the snapshot.
 *
 * @param dump its key, and the names that it gives to owners
 */
export async function readFacts(
  client: ClientBase,
  { owners, ...dump }: Pick<SchemaFacts, 'key' | 'lateChecks'> & { readonly owners: readonly string[] },
): Promise<SchemaFacts> {
  const [single, database] = [
    await client.query<{ serverMajor: number; largeObjects: number }>(
      `SELECT current_setting('server_version_num')::int / 10000 AS "serverMajor",
              (SELECT count(*)::int FROM pg_largeobject_metadata) AS "largeObjects"`,
    ),
    await client.query<DatabaseFacts>(DATABASE),
  ];
  const [numbers] = single.rows;
  const [facts] = database.rows;
  if (!numbers || !facts) throw new OperationError('database_unavailable', 'The server does not describe the database');
  return {
    ...dump,
    ...numbers,
    roles: (await client.query<Role>(ROLES, [owners])).rows,
    memberships: (await client.query<Membership>(MEMBERSHIPS, [owners])).rows,
    database: facts,
    extensions: (await client.query<SchemaFacts['extensions'][number]>(EXTENSIONS)).rows,
    omissions: (await client.query<Omission>(OMISSIONS)).rows,
  };
}
