import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

/**
 * Folder of an installed package, or undefined. For packages whose `exports` allow neither `require` nor a path inside
 * them, so that module resolution does not find them.
 */
export function installedPackage(name: string): string | undefined {
  const folders = createRequire(__filename).resolve.paths(name) ?? [];
  return folders.map((parent) => join(parent, name)).find((candidate) => existsSync(join(candidate, 'package.json')));
}
