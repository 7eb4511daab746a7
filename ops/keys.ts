import type { ApiKey } from '../lambdas/keys/contract';
import { table } from './print/table';
import type { Style } from './print/style';
import { moment } from './print/units';

/** What is known of keys, a line each. */
export function describeKeys(keys: readonly ApiKey[], now: Date, style: Style): string[] {
  const time = (iso: string | null, none: string): string => (iso === null ? none : moment(iso, now));
  const rows = keys.map((key) => [
    key.id,
    key.name,
    key.state,
    key.scopes.join(', '),
    key.projects === null ? 'all' : key.projects.join(', '),
    time(key.lastUsedAt, 'never'),
    time(key.expiresAt, 'never'),
    key.rotatedTo === null ? '' : `replaced by ${key.rotatedTo}`,
  ]);
  return table(['key', 'name', 'state', 'scopes', 'projects', 'last used', 'expires', ''], rows, style);
}

/** A new key, with what to do with it. */
export function describeNewKey(key: string): string[] {
  return [key, '', 'Nothing can show it again. Store it where the application reads its secrets.'];
}
