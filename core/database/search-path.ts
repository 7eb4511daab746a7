/** Roles whose code every write to the tables may run already, in any schema. */
const trustedBy = (
  tables: readonly number[],
): string => `r.rolsuper OR r.rolname IN (current_user, 'pg_database_owner') OR r.oid = d.datdba
  OR r.oid IN (SELECT c.relowner FROM pg_class c WHERE c.oid = ANY ('{${tables.join(',')}}'::oid[]))
  OR r.oid IN (SELECT p.proowner FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid WHERE t.tgrelid = ANY ('{${tables.join(',')}}'::oid[]))`;

/**
 * Sets the path of the session's user, and behind it the schemas that the database and roles have in theirs, until the transaction ends:
 * by one of these, functions of the application that do not qualify their names find them. Never `pg_catalog`: named behind other schemas,
 * it would be searched after them.
 *
 * @param tables oids of tables of a live database that are written to. Any role may set its own path, and a function in a schema of
 * its own would run with the rights of this session. So a schema is left out if a role may create functions in it whose code
 * writes to these tables do not run already. @default every schema, for a database that is being restored, which no other role uses yet
 */
export function everyPath(tables?: readonly number[]): string {
  const isSafe =
    tables === undefined
      ? ''
      : `AND NOT EXISTS (
        SELECT FROM (SELECT n.nspowner UNION ALL SELECT grantee FROM aclexplode(n.nspacl) WHERE privilege_type = 'CREATE') AS makers (role)
        WHERE role NOT IN (SELECT r.oid FROM pg_roles r WHERE ${trustedBy(tables)}))`;
  return `SET LOCAL search_path TO pg_catalog;
    SELECT set_config('search_path', concat_ws(', ', nullif(reset_val, ''), (
      SELECT string_agg(quote_ident(n.nspname), ', ' ORDER BY setting, place)
      FROM pg_database d JOIN pg_db_role_setting s ON s.setdatabase IN (0, d.oid),
        unnest(s.setconfig) AS setting,
        regexp_matches(substr(setting, length('search_path=') + 1), '"((?:[^"]|"")*)"|([^",[:space:]]+)', 'g') WITH ORDINALITY AS items (item, place)
        JOIN pg_namespace n ON n.nspname = coalesce(replace(item[1], '""', '"'), item[2])
      WHERE d.datname = current_database() AND setting ~ '^search_path=' AND n.nspname <> 'pg_catalog' ${isSafe})), true)
    FROM pg_settings WHERE name = 'search_path';`;
}
