import { escapeIdentifier, escapeLiteral } from 'pg';
import type { SchemaFacts } from '../contract';

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

const SEARCH_PATH = 'search_path=';
const DEFAULT_PATH = ['$user', 'public'];

/** What others' paths add nothing by: behind other schemas, `pg_catalog` would be searched after them. */
const KNOWN_PLACES = [...DEFAULT_PATH, 'pg_catalog'];

/**
 * The path under which functions find what they do not qualify: the database's, and behind it what roles have in theirs, by
 * one of which every row was stored.
 */
export function searchPathClause({ database, roles }: Pick<SchemaFacts, 'database' | 'roles'>): string {
  const path = pathIn(database.settings) ?? DEFAULT_PATH;
  const others = [...database.roleSettings, ...roles].flatMap(({ settings }) => pathIn(settings) ?? []);
  const schemas = [...new Set([...path, ...others.filter((schema) => !KNOWN_PLACES.includes(schema))])];
  return `SET search_path TO ${schemas.map((schema) => escapeLiteral(schema)).join(', ') || "''"}`;
}

function pathIn(settings: readonly string[]): string[] | undefined {
  const path = settings.find((setting) => setting.startsWith(SEARCH_PATH));
  return path === undefined ? undefined : listItems(path.slice(SEARCH_PATH.length));
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
