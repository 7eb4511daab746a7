import { escapeIdentifier, escapeLiteral } from 'pg';

/** Settings whose value is a list of names, kept with the quotes that a name needs. */
const LISTS = new Set([
  'local_preload_libraries',
  'search_path',
  'session_preload_libraries',
  'shared_preload_libraries',
  'temp_tablespaces',
  'unix_socket_directories',
]);
const ITEM = /\s*(?:"((?:[^"]|"")*)"|([^",]+?))\s*(?:,|$)/gy;

/** `SET name TO value`, for a setting as `pg_db_role_setting` keeps it: `name=value`. */
export function settingClause(setting: string): string {
  const at = setting.indexOf('=');
  const name = setting.slice(0, at);
  const value = setting.slice(at + 1);
  const values = LISTS.has(name) ? listItems(value) : [value];
  return `SET ${escapeIdentifier(name)} TO ${values.length > 0 ? values.map((item) => escapeLiteral(item)).join(', ') : "''"}`;
}

/** {@link settingClause} for reports and logs: a setting of the application's own, such as `app.jwt_secret`, may be a secret. */
export function shownClause(setting: string): string {
  const name = setting.slice(0, setting.indexOf('='));
  return name.includes('.') ? `SET ${escapeIdentifier(name)} TO …` : settingClause(setting);
}

function listItems(list: string): string[] {
  if (list.trim() === '') return [];
  return [...list.matchAll(ITEM)].map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '');
}
