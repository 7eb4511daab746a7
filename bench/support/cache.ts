import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where what only benchmarks need is kept, outside the checkout; deleting it costs one download. */
export function cacheFolder(name: string): string {
  const caches = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  return join(caches, 'billing-operations', name);
}
