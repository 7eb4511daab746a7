import type { ClientBase } from 'pg';

/** PUBLIC, as a grantee; no role can have this name. */
export const PUBLIC = 'public';

export type ObjectKind = 'DATABASE' | 'SCHEMA' | 'TABLE' | 'SEQUENCE' | 'ROUTINE' | 'DEFAULT';

/** One privilege of one grantee, as it is or as it should be. */
export interface Grant {
  readonly kind: ObjectKind;
  /** Name in SQL, qualified; of a default privilege, the schema (empty for every schema) and what it is of: `billing TABLES`. */
  readonly object: string;
  /** Of a privilege on one column. */
  readonly column?: string;
  readonly privilege: string;
  /** Name of a role, or {@link PUBLIC}. */
  readonly grantee: string;
  /** Of a default privilege, the role whose new objects have it. */
  readonly creator?: string;
}

export interface Relation {
  readonly schema: string;
  readonly name: string;
  readonly kind: 'table' | 'view' | 'sequence';
  readonly columns: readonly string[];
  readonly owner: string;
  /** Whether the session may grant on it. */
  readonly mine: boolean;
}

/** A function, a procedure or an aggregate. */
export interface Routine {
  readonly oid: number;
  readonly kind: 'function' | 'procedure';
  readonly schema: string;
  /** With the types of its arguments, in SQL. */
  readonly signature: string;
  readonly owner: string;
  readonly mine: boolean;
  /** Runs with the rights of its owner. */
  readonly securityDefiner: boolean;
  /** Its own `search_path`, as PostgreSQL stores it; null where it has that of its caller. */
  readonly searchPath: string | null;
}

/** What exists in a database, and who may do what with it. */
export interface Catalog {
  readonly database: string;
  /** The user of the session, who owns what migrations make. */
  readonly owner: string;
  /** Whether the session may say who connects. */
  readonly ownsDatabase: boolean;
  /** Roles for whose later objects the session may set default privileges, its own user among them. */
  readonly actsFor: readonly string[];
  readonly schemas: readonly { readonly name: string; readonly owner: string; readonly mine: boolean }[];
  readonly relations: readonly Relation[];
  readonly routines: readonly Routine[];
  readonly grants: readonly Grant[];
}

const OWN_SCHEMAS = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`;
/** Extensions bring their own privileges along. */
const notOfExtension = (catalog: string, oid: string) =>
  `NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = '${catalog}'::regclass AND d.objid = ${oid} AND d.deptype = 'e')`;

const RELATIONS = `
  SELECT n.nspname AS schema, c.relname AS name, pg_get_userbyid(c.relowner)::text AS owner, pg_has_role(c.relowner, 'USAGE') AS mine,
    CASE c.relkind WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' WHEN 'm' THEN 'view' ELSE 'table' END AS kind,
    ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum) AS columns
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S') AND c.relpersistence <> 't' AND ${OWN_SCHEMAS}
    AND ${notOfExtension('pg_class', 'c.oid')}
  ORDER BY 1, 2`;

const ROUTINES = `
  SELECT p.oid, CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END AS kind,
    n.nspname AS schema, format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) AS signature,
    pg_get_userbyid(p.proowner)::text AS owner, pg_has_role(p.proowner, 'USAGE') AS mine, p.prosecdef AS "securityDefiner",
    (SELECT substr(c, length('search_path=') + 1) FROM unnest(p.proconfig) AS c WHERE c LIKE 'search_path=%') AS "searchPath"
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
  WHERE ${OWN_SCHEMAS} AND ${notOfExtension('pg_proc', 'p.oid')}
  ORDER BY n.nspname, p.proname, pg_get_function_identity_arguments(p.oid) COLLATE "C"`;

/** `SET` is an option of a membership since PostgreSQL 16, and `ALTER DEFAULT PRIVILEGES FOR ROLE` asks for it. */
const ACTS_FOR = `r.rolname !~ '^pg_'
  AND pg_has_role(r.oid, CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END)`;

/** Of schemas and of what they hold. */
const OWNERS = `
  SELECT nspowner FROM pg_namespace n WHERE ${OWN_SCHEMAS}
  UNION SELECT relowner FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE ${OWN_SCHEMAS} AND ${notOfExtension('pg_class', 'c.oid')}`;

/** Where an object has no list of its own, PostgreSQL's defaults apply: PUBLIC connects, and calls functions and procedures. */
const GRANTS = `
  WITH found (kind, object, col, acl, creator) AS (
    SELECT 'DATABASE', quote_ident(datname), NULL, coalesce(datacl, acldefault('d', datdba)), NULL
    FROM pg_database WHERE datname = current_database()
    UNION ALL
    SELECT 'SCHEMA', quote_ident(nspname), NULL, coalesce(nspacl, acldefault('n', nspowner)), NULL
    FROM pg_namespace n WHERE ${OWN_SCHEMAS}
    UNION ALL
    SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, format('%I.%I', n.nspname, relname), NULL,
      coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner)), NULL
    FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'f', 'v', 'm', 'S') AND ${OWN_SCHEMAS} AND ${notOfExtension('pg_class', 'c.oid')}
    UNION ALL
    SELECT 'TABLE', format('%I.%I', n.nspname, relname), attname, attacl, NULL
    FROM pg_attribute JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace
    WHERE attacl IS NOT NULL AND NOT attisdropped AND ${OWN_SCHEMAS} AND ${notOfExtension('pg_class', 'c.oid')}
    UNION ALL
    SELECT 'ROUTINE', format('%I.%I(%s)', n.nspname, proname, pg_get_function_identity_arguments(p.oid)), NULL,
      coalesce(proacl, acldefault('f', proowner)), NULL
    FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
    WHERE ${OWN_SCHEMAS} AND ${notOfExtension('pg_proc', 'p.oid')}
    UNION ALL
    SELECT 'DEFAULT', concat_ws(' ', quote_ident(nspname),
        CASE defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' ELSE defaclobjtype::text END),
      NULL, defaclacl, r.rolname
    FROM pg_default_acl JOIN pg_roles r ON r.oid = defaclrole LEFT JOIN pg_namespace n ON n.oid = defaclnamespace
    WHERE ${ACTS_FOR}
    UNION ALL
    SELECT 'DEFAULT', 'FUNCTIONS', NULL, acldefault('f', r.oid), r.rolname FROM pg_roles r
    WHERE ${ACTS_FOR} AND (r.rolname = current_user OR r.oid IN (${OWNERS})) AND NOT EXISTS (
      SELECT FROM pg_default_acl WHERE defaclrole = r.oid AND defaclnamespace = 0 AND defaclobjtype = 'f')
  )
  SELECT kind, object, col AS column, a.privilege_type AS privilege, coalesce(r.rolname, '${PUBLIC}') AS grantee, creator
  FROM found, aclexplode(acl) AS a LEFT JOIN pg_roles r ON r.oid = a.grantee
  WHERE a.grantee = 0 OR r.oid IS NOT NULL`;

interface GrantRow extends Omit<Grant, 'column' | 'creator'> {
  readonly column: string | null;
  readonly creator: string | null;
}

/** Reads what exists in the database of a connection, and who may do what with it. */
export async function readCatalog(client: ClientBase): Promise<Catalog> {
  const { rows: known } = await client.query<Pick<Catalog, 'database' | 'owner' | 'ownsDatabase'>>(
    `SELECT current_database()::text AS database, current_user::text AS owner, pg_has_role(datdba, 'USAGE') AS "ownsDatabase"
     FROM pg_database WHERE datname = current_database()`,
  );
  const schemas = await client.query<Catalog['schemas'][number]>(
    `SELECT nspname::text AS name, pg_get_userbyid(nspowner)::text AS owner, pg_has_role(nspowner, 'USAGE') AS mine
     FROM pg_namespace n WHERE ${OWN_SCHEMAS} ORDER BY 1`,
  );
  const roles = await client.query<{ name: string }>(
    `SELECT r.rolname::text AS name FROM pg_roles r WHERE ${ACTS_FOR}`,
  );
  const relations = await client.query<Relation>(RELATIONS);
  const routines = await client.query<Routine>(ROUTINES);
  const grants = await client.query<GrantRow>(GRANTS);
  const [first] = known;
  if (!first) throw new Error('The server does not describe the database of the session');
  return {
    ...first,
    actsFor: roles.rows.map(({ name }) => name),
    schemas: schemas.rows,
    relations: relations.rows,
    routines: routines.rows,
    grants: grants.rows.map(({ column, creator, ...grant }) => ({
      ...grant,
      ...(column !== null && { column }),
      ...(creator !== null && { creator }),
    })),
  };
}
