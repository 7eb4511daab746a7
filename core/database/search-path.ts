/**
 * Sets the path of the session's user, and behind it those that the database and roles have in it, until the transaction ends:
 * by one of these, functions of the application that do not qualify their names find them.
 */
export const EVERY_PATH = `SET LOCAL search_path TO DEFAULT;
  SELECT set_config('search_path', concat_ws(', ', nullif(current_setting('search_path'), ''), string_agg(path, ', ')), true)
  FROM (SELECT DISTINCT substr(setting, length('search_path=') + 1) AS path
        FROM pg_db_role_setting s, pg_database d, unnest(s.setconfig) AS setting
        WHERE d.datname = current_database() AND s.setdatabase IN (0, d.oid) AND setting ~ '^search_path=.') AS paths;`;
